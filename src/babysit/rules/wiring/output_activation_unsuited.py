from __future__ import annotations

from babysit.criteria import AFTERMATH, UNREAD, Criterion, bounded_scores, clamped_scores, criteria
from babysit.findings import Evidence, Finding, Place, Remedy, Unexamined
from babysit.loss_calls import unsuited_activations
from babysit.measures import median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number, percent
from babysit.wiring import Node, Wiring, chain

RANGES = {"Relu": "0 and above", "Sigmoid": "0 to 1", "Tanh": "-1 to 1", "Softmax": "0 to 1"}
NAMES = {"Relu": "ReLU", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax"}

HARDTANH = Node(op="Hardtanh", shape=(8, 10), facts={"min": -1.0, "max": 1.0})


class OutputActivationUnsuited(Rule):
    """The last activation cannot produce the values that the targets have.

    Why it matters:
        A regression whose targets lie outside the range of its last activation has an error that
        no training removes: the output sticks to the border, where sigmoid and tanh give hardly
        any gradient and ReLU none.

    How it decides:
        The loss is a squared or absolute error on the direct result of a ReLU, sigmoid, tanh or
        softmax, and a share of the targets lies beyond its range; or the output's ReLU gives
        nothing but zeros while the targets differ. Or ``binary_cross_entropy`` refused what
        another activation than sigmoid gave it; or cross-entropy reads scores that softsign or a
        clamp holds so close together that much of the loss can never go.

    What to do:
        Let a regression end in a plain linear layer; or scale the targets into the range.

    When it is wrong:
        Targets that lie within the range (images in 0…1 under a sigmoid, positive quantities
        under a ReLU that is alive) are not reported, nor a few stray targets beyond it.
    """

    since = "0.1"
    severity = "warning"
    needs = ()  # a call that raised leaves no graph
    remedies = ("remove-output-activation",)
    explains = (*AFTERMATH, "unnormalised-targets")
    max_unreachable = threshold(
        default=0.1, unit="share of targets",
        why="four healthy regressions on bounded outputs reach all targets (0.0); the "
        "sick clinic, standardised targets under a ReLU, misses 0.55",
    )  # fmt: skip
    max_floor = threshold(
        default=0.1, unit="lowest loss that is left",
        why="scores within ±10 leave 1e-8; softsign leaves 0.13 of two classes, 1.3 of twenty",
    )  # fmt: skip
    examples = (
        sick(wiring=chain(Node(op="Addmm"), Node(op="Relu", layer="3"), Node(op="MseLoss")),
             target_mean={"MseLoss": [0.0] * 5}, target_unreachable={"MseLoss": [0.5] * 5}),
        sick(wiring=chain(Node(op="Addmm"), HARDTANH, Node(op="LogSoftmax"), Node(op="NllLoss"))),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="Sigmoid"), Node(op="MseLoss")),
                target_mean={"MseLoss": [0.4] * 5}, target_unreachable={"MseLoss": [0.0] * 5}),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="MseLoss")),
                target_mean={"MseLoss": [0.4] * 5}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """A refused call; the first loss whose targets are out of reach; bounded scores."""
        for wiring in run.wirings:
            for call, message in unsuited_activations(wiring):
                where = call.output.place if call.output and call.output.line else call.place
                evidence = Evidence(signal="prediction", value=call.facts["max"], limit="0 … 1")
                yield self._told(message, where, evidence, "nn.Sigmoid()", 0.97)
                return
        if not run.has("target-mean") and not any(wiring.nodes for wiring in run.wirings):
            yield Unexamined(reason=UNREAD)
        for wiring in run.wirings:
            for criterion in criteria(wiring):
                source = wiring.source(criterion.prediction)
                if source is None or wiring.nodes[source].op not in RANGES:
                    continue
                beyond = median(run.series("target-unreachable", criterion.place))
                if beyond > self.max_unreachable or self._is_dead(run, criterion, source, wiring):
                    yield self._finding(run, wiring, wiring.nodes[source], criterion)
                    return
            for _, source in clamped_scores(wiring):
                if source is not None:
                    node = wiring.nodes[source]
                    text = f"the output's {NAMES.get(node.op, node.op)} is cut off at 0 and 1 to "
                    text += "make probabilities: beyond them no gradient flows"
                    evidence = Evidence(signal="wiring", value=f"{node.op} → clamp → log")
                    yield self._told(text, node.place, evidence, "nn.Sigmoid()", 0.95)
                    return
            for source, name, floor in bounded_scores(wiring):
                if floor > self.max_floor:
                    node = wiring.nodes[source]
                    text = f"the output's {name} bounds the scores: cross-entropy over "
                    text += f"{node.shape[-1]} classes cannot fall below {number(floor)}"
                    evidence = Evidence(signal="lowest loss", value=floor, limit=self.max_floor)
                    yield self._told(text, node.place, evidence, "nothing", 0.95)
                    return

    def _told(
        self, message: str, where: Place, evidence: Evidence, instead: str, confidence: float
    ) -> Finding:
        text = f"End the model with {instead} in place of this activation"
        if instead == "nothing":
            text = "Remove this activation: cross-entropy wants the layer's raw scores"
        return Finding(
            severity="error" if instead != "nothing" else self.severity,
            confidence=confidence, message=message, where=where, evidence=(evidence,),
            remedies=(Remedy(name="remove-output-activation", text=text + "."),),
        )  # fmt: skip

    def _is_dead(self, run: Training, criterion: Criterion, source: int, wiring: Wiring) -> bool:
        """Whether the output's ReLU has given zeros only, for the second half of the samples."""
        highest = run.series("prediction-max", criterion.place).values
        spread = median(run.series("target-std", criterion.place))
        late = highest[len(highest) // 2 :]
        is_relu = wiring.nodes[source].op == "Relu" and criterion.is_regression
        return is_relu and len(late) >= 3 and spread > 0 and bool((late <= 0).all())

    def _finding(self, run: Training, wiring: Wiring, node: Node, criterion: Criterion) -> Finding:
        share = median(run.series("target-unreachable", criterion.place))
        low = run.series("target-min", criterion.place).values
        high = run.series("target-max", criterion.place).values
        ends = f"{number(low.min())} to {number(high.max())}" if len(low) else "elsewhere"
        what = (
            f"the targets ({ends}): {percent(share)} of them lie beyond it"
            if share > self.max_unreachable
            else f"it is dead: all outputs are 0 for targets of {ends}"
        )
        name = NAMES[node.op]
        return Finding(
            severity=self.severity,
            confidence=0.95,
            message=f"the output's {name} gives {RANGES[node.op]} and cannot reach {what}"
            if share > self.max_unreachable
            else f"the output's {name} gives nothing any more; {what}",
            where=node.place,
            first_step=wiring.step,
            evidence=(
                Evidence(signal="target-unreachable", value=share, limit=self.max_unreachable),
            ),
            remedies=(
                Remedy(
                    name="remove-output-activation",
                    text=f"Remove the {name} after the last layer: a regression ends in a plain "
                    "linear layer.",
                ),
            ),
        )

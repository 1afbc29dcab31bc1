from __future__ import annotations

from babysit.criteria import AFTERMATH, Criterion, criteria
from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number, percent
from babysit.wiring import Node, Wiring, chain

RANGES = {"Relu": "0 and above", "Sigmoid": "0 to 1", "Tanh": "-1 to 1", "Softmax": "0 to 1"}
NAMES = {"Relu": "ReLU", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax"}


class OutputActivationUnsuited(Rule):
    """The last activation cannot produce the values that the targets have.

    Why it matters:
        A regression whose targets lie outside the range of its last activation has an error that
        no training removes: the output sticks to the border, where sigmoid and tanh give hardly
        any gradient and ReLU none.

    How it decides:
        The loss is a squared or absolute error on the direct result of a ReLU, sigmoid, tanh or
        softmax, and a share of the targets lies beyond its range; or the output's ReLU gives
        nothing but zeros while the targets differ.

    What to do:
        Let a regression end in a plain linear layer; or scale the targets into the range.

    When it is wrong:
        Targets that lie within the range (images in 0…1 under a sigmoid, positive quantities
        under a ReLU that is alive) are not reported, nor a few stray targets beyond it.
    """

    since = "0.1"
    severity = "warning"
    needs = ("wiring", "target-mean")
    remedies = ("remove-output-activation",)
    explains = (*AFTERMATH, "unnormalised-targets")
    max_unreachable = threshold(
        default=0.1, unit="share of targets",
        why="four healthy regressions on bounded outputs reach all targets (0.0); the "
        "sick clinic, standardised targets under a ReLU, misses 0.55",
    )  # fmt: skip
    examples = (
        sick(wiring=chain(Node(op="Addmm"), Node(op="Relu", layer="3"), Node(op="MseLoss")),
             target_mean={"MseLoss": [0.0] * 5}, target_unreachable={"MseLoss": [0.5] * 5}),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="Sigmoid"), Node(op="MseLoss")),
                target_mean={"MseLoss": [0.4] * 5}, target_unreachable={"MseLoss": [0.0] * 5}),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="MseLoss")),
                target_mean={"MseLoss": [0.4] * 5}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The first loss whose targets are out of reach."""
        for wiring in run.wirings:
            for criterion in criteria(wiring):
                source = wiring.source(criterion.prediction)
                if source is None or wiring.nodes[source].op not in RANGES:
                    continue
                beyond = median(run.series("target-unreachable", criterion.place))
                if beyond > self.max_unreachable or self._is_dead(run, criterion, source, wiring):
                    yield self._finding(run, wiring, wiring.nodes[source], criterion)
                    return

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

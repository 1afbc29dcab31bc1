from __future__ import annotations

from babysit.criteria import is_output
from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.wiring import LossCall, Node, chain

MEAN = "mean of probabilities"
AVERAGED = (
    "Take the logarithm of these probabilities and give it to nn.NLLLoss(), or average scores."
)


class SoftmaxBeforeCrossEntropy(Rule):
    """Probabilities go into a loss that applies log-softmax itself.

    Why it matters:
        ``cross_entropy`` squeezes probabilities a second time: gradients become tiny and the
        training ends worse, without any error. It expects raw scores; fed with probabilities,
        the loss cannot fall below about 1.46 for ten classes.

    How it decides:
        In the graph behind the loss, a softmax (PyTorch's, or ``exp(x) / sum(exp(x))``) or a
        sigmoid feeds a log-softmax with nothing but reshaping in between. Or whatever
        ``cross_entropy`` was given is never negative and every row of it sums to 1.

    What to do:
        Give the loss the raw scores; apply softmax only where you need probabilities.

    When it is wrong:
        A softmax that is meant as a feature of a further classifier passes through a layer
        first and is not reported. ``LogSoftmax`` before ``cross_entropy`` is redundant but
        harmless, and not reported.
    """

    since = "0.1"
    severity = "error"
    needs = ("wiring",)
    remedies = ("remove-softmax",)
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-low",
        "vanishing-gradients",
        "collapsed-outputs",
        "class-imbalance",
        "constant-loss",
        "underfitting",
    )
    max_error = threshold(
        default=1e-3, unit="distance of a row's sum from 1",
        why="probabilities in bfloat16 are off by 4e-3 at most, in float32 by 1e-6; scores by 1",
    )  # fmt: skip
    examples = (
        sick(wiring=chain(Node(op="Addmm"), Node(op="Softmax"), Node(op="LogSoftmax"),
                          Node(op="NllLoss"))),
        sick(wiring=chain(Node(op="Addmm"), Node(op="Sigmoid"), Node(op="LogSoftmax"),
                          Node(op="NllLoss"))),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="LogSoftmax"), Node(op="NllLoss"))),
        healthy(wiring=chain(Node(op="Softmax"), Node(op="Bmm"), Node(op="LogSoftmax"))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Look for softmax or sigmoid → log-softmax in every wiring that was seen."""
        for wiring in run.wirings:
            for index in wiring.find({"LogSoftmax"}):
                scores = wiring.nodes[index].inputs[0]
                twice = wiring.softmax(scores)
                first = twice if twice is not None else wiring.sigmoid(scores)
                if first is not None and (twice is not None or is_output(wiring, index)):
                    name = "softmax" if twice is not None else "sigmoid"
                    yield self._finding(wiring.nodes[first], name, wiring.step)
                    return
        calls = [call for wiring in run.wirings for call in wiring.calls]
        if calls and all(self._sums_to_one(call) for call in calls):
            wiring = next(wiring for wiring in run.wirings if wiring.calls)
            for index in wiring.find({"LogSoftmax"}):
                source = wiring.source(wiring.nodes[index].inputs[0])
                if source is not None:
                    yield self._finding(wiring.nodes[source], MEAN, wiring.step)
                    return

    def _sums_to_one(self, call: LossCall) -> bool:
        """Whether what cross-entropy was given are probabilities, however they were made."""
        error = call.facts.get("row-sum-error", 1.0)
        is_share = call.facts.get("min", -1.0) >= 0 and error < self.max_error
        return call.function == "cross_entropy" and is_share

    def _finding(self, node: Node, name: str, step: int) -> Finding:
        layer = node.layer or "the model"
        return Finding(
            severity=self.severity,
            confidence=0.99 if name == "softmax" else 0.97,
            message=(
                f"softmax is applied twice: the output of `{layer}` is already a softmax, and "
                "cross-entropy applies log-softmax to it again"
                if name == "softmax"
                else f"the output of `{layer}` is already a {name}, between 0 and 1, and "
                "cross-entropy applies log-softmax to it"
            ),
            where=node.place,
            first_step=step,
            evidence=(Evidence(signal="wiring", value=f"{node.op} → LogSoftmax", steps=(step,)),),
            remedies=(Remedy(name="remove-softmax", text=AVERAGED if name == MEAN else
                             f"Remove this {name}: cross-entropy wants the raw scores. Apply "
                             f"{name} only where you read probabilities."),),
        )  # fmt: skip

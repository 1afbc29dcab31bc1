from __future__ import annotations

from babysit.criteria import is_output
from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Training
from babysit.wiring import Node, chain


class SoftmaxBeforeCrossEntropy(Rule):
    """Probabilities go into a loss that applies log-softmax itself.

    Why it matters:
        ``cross_entropy`` squeezes probabilities a second time: gradients become tiny and the
        training ends worse, without any error. It expects raw scores; fed with probabilities,
        the loss cannot fall below about 1.46 for ten classes.

    How it decides:
        In the graph behind the loss, a softmax (PyTorch's, or ``exp(x) / sum(exp(x))``) or a
        sigmoid feeds a log-softmax with nothing but reshaping in between.

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
                    yield self._finding(wiring.nodes[first], twice is not None, wiring.step)
                    return

    def _finding(self, node: Node, is_twice: bool, step: int) -> Finding:
        layer, name = node.layer or "the model", "softmax" if is_twice else "sigmoid"
        return Finding(
            severity=self.severity,
            confidence=0.99 if is_twice else 0.97,
            message=(
                f"softmax is applied twice: the output of `{layer}` is already a softmax, and "
                "cross-entropy applies log-softmax to it again"
                if is_twice
                else f"the output of `{layer}` is already a sigmoid, between 0 and 1, and "
                "cross-entropy applies log-softmax to it"
            ),
            where=node.place,
            first_step=step,
            evidence=(Evidence(signal="wiring", value=f"{node.op} → LogSoftmax", steps=(step,)),),
            remedies=(
                Remedy(name="remove-softmax", text=f"Remove this {name}: cross-entropy wants the "
                       "raw scores. Apply softmax only where you read probabilities."),
            ),
        )  # fmt: skip

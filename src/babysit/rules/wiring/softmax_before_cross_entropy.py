from __future__ import annotations

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
        In the graph behind the loss, a softmax (PyTorch's, or ``exp(x) / sum(exp(x))``) feeds
        a log-softmax with nothing but reshaping in between.

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
        healthy(wiring=chain(Node(op="Addmm"), Node(op="LogSoftmax"), Node(op="NllLoss"))),
        healthy(wiring=chain(Node(op="Softmax"), Node(op="Bmm"), Node(op="LogSoftmax"))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Look for softmax → log-softmax in every wiring that was seen."""
        for wiring in run.wirings:
            for index in wiring.find({"LogSoftmax"}):
                first = wiring.softmax(wiring.nodes[index].inputs[0])
                if first is None:
                    continue
                node = wiring.nodes[first]
                yield Finding(
                    severity=self.severity,
                    confidence=0.99,
                    message=f"softmax is applied twice: the output of `{node.layer or 'the model'}`"
                    " is already a softmax, and cross-entropy applies log-softmax to it again",
                    where=node.place,
                    first_step=wiring.step,
                    evidence=(
                        Evidence(
                            signal="wiring", value=f"{node.op} → LogSoftmax", steps=(wiring.step,)
                        ),
                    ),
                    remedies=(
                        Remedy(
                            name="remove-softmax",
                            text="Remove this softmax: cross-entropy wants the raw scores. Apply "
                            "softmax only where you read probabilities.",
                        ),
                    ),
                )
                return

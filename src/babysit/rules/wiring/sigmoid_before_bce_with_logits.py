from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Training
from babysit.wiring import Node, chain

LOSS = "BinaryCrossEntropyWithLogits"


class SigmoidBeforeBceWithLogits(Rule):
    """Probabilities go into a binary loss that applies the sigmoid itself.

    Why it matters:
        A second sigmoid confines the predicted probability to 0.5…0.73, so that negatives
        cannot be learnt. ``binary_cross_entropy_with_logits`` expects raw scores; fed with
        probabilities, the loss stays above 0.31.

    How it decides:
        In the graph behind the loss, a sigmoid (PyTorch's, or ``1 / (1 + exp(-x))``) feeds the
        loss with nothing but reshaping in between.

    What to do:
        Remove the sigmoid, or use ``BCELoss`` with it. The first is numerically safer.

    When it is wrong:
        Never seen to be; a sigmoid gate further inside the model is not directly before the
        loss and is not reported.
    """

    since = "0.1"
    severity = "error"
    needs = ("wiring",)
    remedies = ("remove-sigmoid",)
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-low",
        "vanishing-gradients",
        "collapsed-outputs",
        "class-imbalance",
        "imbalanced-output-bias",
    )
    examples = (
        sick(wiring=chain(Node(op="Addmm"), Node(op="Sigmoid"), Node(op="Squeeze"),
                          Node(op=LOSS))),
        sick(wiring=chain(Node(op="Addmm"), Node(op="Neg"), Node(op="Exp"), Node(op="Add"),
                          Node(op="Reciprocal"), Node(op="Mul"), Node(op=LOSS))),
        healthy(wiring=chain(Node(op="Addmm"), Node(op=LOSS))),
        healthy(wiring=chain(Node(op="Sigmoid"), Node(op="Addmm"), Node(op=LOSS))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Look for sigmoid → binary cross-entropy with logits in every wiring."""
        for wiring in run.wirings:
            for index in wiring.find({LOSS}):
                source = wiring.sigmoid(wiring.nodes[index].inputs[0])
                if source is None:
                    continue
                node = wiring.nodes[source]
                yield Finding(
                    severity=self.severity,
                    confidence=0.99,
                    message=f"sigmoid is applied twice: the output of `{node.layer or 'the model'}`"
                    " is already a probability, and the loss applies the sigmoid to it again",
                    where=node.place,
                    first_step=wiring.step,
                    evidence=(
                        Evidence(signal="wiring", value=f"Sigmoid → {LOSS}", steps=(wiring.step,)),
                    ),
                    remedies=(
                        Remedy(
                            name="remove-sigmoid",
                            text="Remove this sigmoid: the loss wants the raw scores. Apply "
                            "sigmoid only where you read probabilities.",
                        ),
                    ),
                )
                return

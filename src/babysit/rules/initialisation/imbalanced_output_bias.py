from __future__ import annotations

from math import log

from babysit.findings import Evidence, Finding, Remedy
from babysit.guessing import label_entropy, sole_loss
from babysit.measures import waits
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number, percent
from babysit.wiring import Node, chain

BINARY = chain(
    Node(op="Addmm", layer="head"),
    Node(op="BinaryCrossEntropyWithLogits", facts={"reduction": 1.0, "has_weight": 0.0}),
)
RARE = {"0": [0.98] * 9, "1": [0.02] * 9}


class ImbalancedOutputBias(Rule):
    """The output bias ignores that one class is far more frequent, and the training pays for it.

    Why it matters:
        With an output bias near zero all classes begin equally likely. Where they are not, the
        net spends its first steps on learning the class shares, with large one-sided gradients,
        before it learns anything about the inputs.

    How it decides:
        One class makes up nine tenths of the labels, the first loss is that of equally likely
        classes, *and* a good part of the training passes before the loss comes down to what
        the class shares alone would give.

    What to do:
        Start the output bias at the class shares: ``log(p / (1 - p))`` for a sigmoid,
        ``log(p)`` of each class for a softmax.

    When it is wrong:
        Weighted losses and balanced batches are left out, and so is a training that learns the
        shares within its first steps, as most do.
    """

    since = "0.1"
    severity = "advice"
    needs = ("label-share", "loss", "wiring")
    remedies = ("set-output-bias",)
    explains = ()
    min_share = threshold(
        default=0.9, unit="share of the largest class", why="below it the shares cost few steps"
    )
    min_wait = threshold(
        default=0.2,
        unit="share of the training",
        why="the sick clinic never gets there; a healthy one with 2 % positives and a set bias "
        "starts there",
    )
    examples = (
        sick(wiring=BINARY, label_share=RARE, loss=[0.7 - 0.006 * step for step in range(100)]),
        healthy(wiring=BINARY, label_share=RARE, loss=[0.7, 0.4, 0.2] + [0.06] * 97),
        healthy(wiring=BINARY, label_share=RARE, loss=[0.11] * 100),
    )

    def check(self, run: Training) -> Conclusions:
        """Compare the first loss with guessing, and see when the class shares are learnt."""
        node, loss = sole_loss(run), run.series("loss")
        if node is None or node.facts.get("has_weight") or not len(loss):
            return
        if run.facts.get("is_adversarial"):
            return
        shares = {name: series.last for name, series in run.places("label-share").items()}
        entropy = label_entropy(run)
        if not shares or not entropy or max(shares.values()) < self.min_share:
            return
        guess = log(len(shares))
        if not 0.8 * guess < loss.first < 1.3 * guess or entropy > 0.5 * guess:
            return
        wait = waits(run, 1.1 * entropy)
        if wait < self.min_wait:
            return
        passed = f"{percent(wait)} of the training passes" if wait < 1 else "the training ends"
        layer = output_layer(run)
        yield Finding(
            severity=self.severity,
            confidence=0.7,
            message=f"the output bias ignores the class shares: one class makes up "
            f"{percent(max(shares.values()))} of the labels, yet the first loss is that of equally "
            f"likely classes, {number(loss.first)}; {passed} before it reaches "
            f"{number(entropy)}, what the shares alone give",
            where=run.layer_place(layer) if layer else run.source("backward"),
            evidence=(
                Evidence(signal="label-share", value=round(max(shares.values()), 3),
                         limit=self.min_share),
                Evidence(signal="share before the class shares are learnt", value=wait,
                         limit=self.min_wait),
            ),
            remedies=(
                Remedy(name="set-output-bias", text="Initialise the bias of the output layer with "
                       "log(p / (1 - p)), p being the share of the positive class; for a softmax "
                       "with log(p) of each class."),
            ),
        )  # fmt: skip


def output_layer(run: Training) -> str | None:
    """The layer that gives the scores."""
    for wiring in run.wirings[:1]:
        for node in reversed(wiring.nodes):
            if node.op in ("Addmm", "Mm", "Linear", "Convolution") and node.layer:
                return node.layer
    return None

from __future__ import annotations

from math import isfinite, log

from babysit.findings import Evidence, Finding, Remedy
from babysit.guessing import chance_loss, sole_loss
from babysit.measures import is_rate_test, waits
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number, percent
from babysit.wiring import Node, chain

MEAN = {"reduction": 1.0, "has_weight": 0.0}
CLASSES = chain(
    Node(op="Addmm"), Node(op="LogSoftmax", shape=(32, 10)), Node(op="NllLoss", facts=MEAN)
)


class UnexpectedInitialLoss(Rule):
    """The first loss is far above that of an ignorant guess.

    Why it matters:
        Before training a net should know nothing: a classifier's first loss is the logarithm of
        the number of classes, a regression's that of predicting zero. Far above that the net is
        sure of wrong answers; its first steps, and often the whole training, go into undoing
        that.

    How it decides:
        The loss is nothing but a mean cross-entropy without class weights, binary
        cross-entropy, or mean squared error. Its first value is a multiple of what ignorance
        costs, *and* a good part of the training passes before it comes down to that.

    What to do:
        Look at the scores at the first step: a factor in front of them, a missing division,
        a last layer with large weights or a wrong bias, a wrong loss.

    When it is wrong:
        Fine-tuning may start with a wrong head and recover within steps: not reported. Sums of
        terms, smoothed labels, weighted classes and opponents (GAN) are not judged.
    """

    since = "0.1"
    severity = "warning"
    is_symptom = True
    needs = ("loss", "wiring")
    remedies = ("check-scores",)
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-high",
        "learning-rate-too-low",
        "loss-oscillating",
        "underfitting",
        "gradient-spikes",
        "exploding-gradients",
        "training-too-short",
    )
    min_ratio = threshold(
        default=3,
        unit="first loss / loss of ignorance (squared for squared errors)",
        why="25 healthy programs start at 1.5 times that or less; the sick clinic at 38",
    )
    min_wait = threshold(
        default=0.15,
        unit="share of the training",
        why="a wrong head is unlearnt within steps; the sick clinic stays above it to the end",
    )
    max_wait = threshold(
        default=0.5,
        unit="share of the training",
        why="by reasoning: who overcomes a bad start in the first half has lost time, no quality",
    )
    examples = (
        sick(wiring=CLASSES, loss=[23.0 - 0.1 * step for step in range(100)]),
        healthy(wiring=CLASSES, loss=[2.35 / (1 + 0.1 * step) for step in range(100)]),
        healthy(wiring=CLASSES, loss=[9.0, 4.0] + [1.0] * 98),
    )

    def check(self, run: Training) -> Conclusions:
        """Compare the first loss with ignorance, then see how long it stays above."""
        node, loss = sole_loss(run), run.series("loss")
        if node is None or not len(loss) or not isfinite(loss.first) or is_rate_test(run):
            return
        if run.facts.get("is_adversarial") or node.facts.get("has_weight"):
            return
        expected, guess = self._ignorance(run, node.op)
        limit = self.min_ratio * (expected or 0.0)
        limit *= self.min_ratio if node.op == "MseLoss" else 1.0  # squares of three times the size
        if limit <= 0 or loss.first < limit or expected is None:
            return
        wait = waits(run, 1.05 * expected)
        if wait < self.min_wait:
            return
        left = f"for {percent(wait)} of the training" if wait < 1 else "to the end"
        yield Finding(
            severity=self.severity if wait > self.max_wait else "advice",
            confidence=0.8,
            message=f"the first loss is {number(loss.first)}, and {guess} costs "
            f"{number(expected)}: the model starts out sure of wrong answers, and its loss stays "
            f"above that {left}",
            where=run.wirings[0].loss_place(len(run.wirings[0].nodes) - 1),
            evidence=(
                Evidence(signal="loss", value=loss.first, limit=limit,
                         steps=(0,)),
                Evidence(signal="share above ignorance", value=wait, limit=self.min_wait),
            ),
            remedies=(
                Remedy(name="check-scores", text="Print the scores at the first step: they should "
                       "be near zero. Look for a factor in front of them, a missing division or "
                       "normalisation, or a last layer with large weights."),
            ),
        )  # fmt: skip

    def _ignorance(self, run: Training, op: str) -> tuple[float | None, str]:
        """What knowing nothing costs by this loss, and what that means."""
        if op == "NllLoss":
            return chance_loss(run), "guessing among the classes"
        if op.startswith("BinaryCrossEntropy"):
            return log(2), "guessing"
        mean, spread = run.series("target-mean", op), run.series("target-std", op)
        if op == "MseLoss" and len(mean) and len(spread):
            return mean.first**2 + spread.first**2, "predicting zero"
        return None, ""

from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number


class CannotOverfitSmallBatch(Rule):
    """Ten examples are not learnt by heart in a few hundred steps.

    Why it matters:
        Every sound net can do that. One that cannot has a fault of wiring, of labels or of the
        update, or throws away what tells the examples apart; more data and time will not help.

    How it decides:
        By experiment: a trial trains on ten examples only. Its loss must fall to a small part
        of the first one, or its accuracy on the ten reach nearly all.

    What to do:
        Follow one example through the net: print shapes and values after every layer, and look
        where two different examples become the same.

    When it is wrong:
        Equal examples with different labels cannot be learnt; strong dropout or augmentation
        slow it down.
    """

    since = "0.1"
    severity = "error"
    needs = ("small-batch-loss",)
    remedies = ("follow-one-example",)
    explains = ("loss-not-decreasing", "underfitting", "learning-rate-too-low")
    min_steps = threshold(
        default=200, unit="steps", why="field advice A6: ten examples within a few hundred steps"
    )
    max_loss = threshold(
        default=0.3,
        unit="share of the first loss left at the end",
        why="not measured yet: a first guess, to be set when the experiment runs",
    )
    good_accuracy = threshold(
        default=0.9,
        unit="share of the ten",
        why="not measured yet: meant for label smoothing, whose loss stays high",
    )
    examples = (
        sick(small_batch_loss=[1.4] * 250 + [1.25] * 50),
        healthy(small_batch_loss=[1.4 * 0.97**step for step in range(300)]),
        healthy(small_batch_loss=[2.3] * 10 + [0.9] * 290, small_batch_accuracy={299: 1.0}),
    )

    def check(self, run: Training) -> Conclusions:
        """What is left of the first loss at the end."""
        losses = run.series("small-batch-loss")
        if len(losses) < self.min_steps or losses.first <= 0:
            return
        accuracy = run.series("small-batch-accuracy")
        end = float(sorted(losses.values[-20:])[10])
        left = end / losses.first
        is_learnt = len(accuracy) > 0 and accuracy.last >= self.good_accuracy
        if left <= self.max_loss or is_learnt:
            return
        yield Finding(
            severity="error",
            confidence=0.9,
            message=f"ten examples are not learnt in {count(len(losses), 'step')}: the loss falls "
            f"from {number(losses.first)} to {number(end)} only",
            where=run.source("backward"),
            evidence=(
                Evidence(signal="small-batch-loss", value=left, limit=self.max_loss),
            ),
            remedies=(
                Remedy(name="follow-one-example", text="Print shapes and values of two examples "
                       "after every layer, and find where they become the same."),
            ),
        )  # fmt: skip

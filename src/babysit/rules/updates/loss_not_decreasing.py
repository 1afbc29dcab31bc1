from __future__ import annotations

import numpy as np

from babysit.chance import is_clear
from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.guessing import chance_loss, guessing_alone, ignorant_loss
from babysit.measures import Course, course, first_loss, is_bounded_below
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number


class LossNotDecreasing(Rule):
    """The training loss does not fall, and nothing found explains why.

    Why it matters:
        A net that can learn shows it within the first few hundred steps.

    How it decides:
        The loss at the end is not below the loss at the start by more than two per cent, nor by
        more than its noise, over a hundred steps at least; or it is where guessing would be. A
        symptom: it is folded under a cause where one is found.

    What to do:
        Check that inputs and labels belong together, then see whether the net can learn ten
        examples by heart.

    When it is wrong:
        Losses that need not fall (GAN, policy gradient, negative log-densities), a training
        that classifies well already, and an evaluation that improves beyond luck are not reported.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss",)
    remedies = ("check-labels", "overfit-ten-examples")
    is_symptom = True
    min_steps = threshold(
        default=100, unit="steps", why="field practice: learning shows in a few hundred iterations"
    )
    min_drop = threshold(
        default=0.02,
        unit="share of the first loss",
        why="the slowest of 51 healthy programs lost 0.17 of its first loss; shuffled labels stay "
        "within 0.03 and at the level of guessing",
    )
    max_ignorance = threshold(
        default=0.8,
        unit="share of the loss of the best constant answer",
        why="a regression that learnt within its first steps ended at 0.68 and stayed there; "
        "shuffled labels end at 1",
    )
    good_accuracy = threshold(
        default=0.9, unit="share", why="nothing is left to learn that the loss would show"
    )
    examples = (
        sick(loss=[2.3 + 0.05 * (-1) ** step for step in range(300)]),
        healthy(loss=[2.3 * 0.99**step for step in range(300)]),
        healthy(loss=[0.7 * (-1) ** step for step in range(300)]),
    )

    def check(self, run: Training) -> Conclusions:
        """Compare the levels of the first and the last tenth."""
        points = run.series("loss")
        if len(points) < self.min_steps:
            yield Unexamined(reason=f"only {count(len(points), 'step')}: too few to tell")
            return
        loss = course(points.values, first=first_loss(run))
        if loss is None or not is_bounded_below(run):
            yield Unexamined(
                reason="this loss need not fall (negative values, or its target moves)"
            )
            return
        if self._fell(run, loss) or self._classifies_well(run) or evaluation_improves(run):
            return
        yield Finding(
            confidence=0.85,
            message=f"the loss does not fall: {levels(run, loss)}",
            where=run.source("backward"),
            evidence=(
                Evidence(
                    signal="loss",
                    value=loss.end,
                    limit=loss.start - max(self.min_drop * loss.start, 3 * loss.noise),
                    steps=(int(points.steps[0]), int(points.steps[-1])),
                ),
            ),
            remedies=(
                Remedy(
                    name="check-labels",
                    text="Check that inputs and labels belong together after shuffling, "
                    "splitting and batching: print ten pairs.",
                ),
                Remedy(
                    name="overfit-ten-examples",
                    text="Train on ten examples only: a sound net learns them by heart in a few "
                    "hundred steps.",
                ),
            ),
        )

    def _fell(self, run: Training, loss: Course) -> bool:
        chance = chance_loss(run)
        is_chance = chance is not None and loss.end > (1 - self.min_drop) * chance
        fell = loss.falls and loss.drop() > self.min_drop and not is_chance
        # A loss that begins far below guessing was learnt before: a resumed or tuned model.
        was_learnt = chance is not None and loss.start < 0.8 * chance
        ignorant = ignorant_loss(run)
        knows = ignorant is not None and loss.end < self.max_ignorance * ignorant
        values = run.series("loss").values
        tenth = max(len(values) // 10, 1)  # the middle tells where stray examples rule the mean
        middle = float(np.median(values[-tenth:])) < 0.6 * float(np.median(values[:tenth]))
        return fell or was_learnt or knows or middle or loss.best < 0.5 * loss.start

    def _classifies_well(self, run: Training) -> bool:
        accuracy = run.series("train-accuracy").values[-8:]
        return len(accuracy) > 0 and bool(accuracy.mean() >= self.good_accuracy)


def levels(run: Training, loss: Course) -> str:
    """Where the loss began and ended."""
    first = f"over the first {count(max(1, len(run.series('loss')) // 10), 'step')}"
    guess = guessing_alone(run)
    if guess and max(abs(loss.start - guess), abs(loss.end - guess)) < 0.03 * guess:
        return f"it stays at guessing ({number(guess)}) {first} and over the last"
    return f"{number(loss.start)} {first}, {number(loss.end)} over the last"


def evaluation_improves(run: Training) -> bool:
    """Whether the accuracy of an evaluation rose clearly, and to more than luck."""
    for series in run.places("eval-accuracy").values():
        num = min(5, max(1, len(series) // 3))
        start, end = np.median(series.values[:num]), float(np.median(series.values[-num:]))
        if len(series) > 2 and end > start + 0.1 and is_clear(run, end):
            return True
    return False

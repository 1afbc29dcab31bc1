from __future__ import annotations

import numpy as np

from babysit.evaluations import evaluations
from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import Course, course, is_bounded_below, pace, phase
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number


class TrainingTooShort(Rule):
    """The training ends while the loss is still high and falls steadily.

    Why it matters:
        More of the same would have been better: the cheapest improvement there is.

    How it decides:
        The loss has kept a good part of its first value; at a rate near its highest it still
        falls at the very end, so fast that twice the time would lower it by a fifth, window by
        window; and so does every held-out loss that was seen.

    What to do:
        Train two to four times as long; then let the rate decay.

    When it is wrong:
        A schedule that has come to its end, a rate that still warms up, a net that already
        classifies well, and losses without a floor are not reported. Demonstrations are often
        short on purpose.
    """

    since = "0.1"
    severity = "advice"
    needs = ("loss",)
    remedies = ("train-longer",)
    explains = ("underfitting", "learning-rate-decay-due")
    min_pace = threshold(
        default=0.3,
        unit="fall of log loss / rise of log steps",
        why="0.3 means a fifth less after twice the steps; healthy losses that kept a third of "
        "their first value fall at 0.02 to 0.23, the sick clinic at 0.37",
    )
    max_drop = threshold(
        default=0.65,
        unit="share of the first loss",
        why="most short healthy programs lose 0.66 to 0.99 of it and may well fall on",
    )
    min_steps = threshold(
        default=60, unit="steps", why="below this it is a trial run, or the batch is too large"
    )
    good_accuracy = threshold(default=0.9, unit="share", why="most of the work is done")
    examples = (
        sick(loss=[2.0 / (1 + 0.01 * step) for step in range(120)], learning_rate={"0": [0.01]}),
        healthy(loss=[2.0 * 0.9**step + 1.5 for step in range(120)], learning_rate={"0": [0.01]}),
        healthy(
            loss=[2.0 / (1 + 0.01 * step) for step in range(120)],
            learning_rate={"0": [0.01 * (1 - step / 120) for step in range(120)]},
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """The training's own loss first, then the held-out ones."""
        loss = course(run.series("loss").values)
        if loss is None or run.steps < self.min_steps:
            yield Unexamined(reason=f"only {count(run.steps, 'step')}: too few to tell")
            return
        if not is_bounded_below(run) or phase(run, run.steps - 1) != "constant":
            return
        if phase(run, run.steps // 2) != "constant" or loss.drop() > self.max_drop:
            return
        speed = pace(loss.levels)
        if speed < self.min_pace or not self._falls_steadily(loss):
            return
        streams = [s.values for s in evaluations(run).values() if len(s) >= 4]
        speeds = [pace(values) for values in streams]
        accuracy = run.series("train-accuracy").values[-5:]
        if any(one < 0.7 * self.min_pace for one in speeds):
            return
        if len(accuracy) and accuracy.mean() > self.good_accuracy:
            return
        further = 1 - 0.5**speed
        yield Finding(
            severity=self.severity,
            confidence=0.7,
            message=f"the training ends early: after {count(run.steps, 'step')} the loss, "
            f"{number(loss.start)} at first and {number(loss.end)} now, still falls steadily; at "
            f"this pace twice the steps would take another {100 * further:.0f} % off",
            where=run.source("backward"),
            first_step=run.steps // 2,
            evidence=(
                Evidence(signal="pace", value=speed, limit=self.min_pace),
                Evidence(signal="loss", value=loss.end, limit=(1 - self.max_drop) * loss.start),
            ),
            remedies=(
                Remedy(name="train-longer", text="Train two to four times as long, as long as the "
                       "validation loss falls; then let the learning rate decay."),
            ),
        )  # fmt: skip

    def _falls_steadily(self, loss: Course) -> bool:
        """The last windows each lie below the one before, by more than noise."""
        steps = np.diff(loss.levels[-5:])
        return int((steps < 0).sum()) >= 3 and float(-steps.sum()) > 3 * loss.noise

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from babysit.evaluations import evaluations, quantity
from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import holds_rate, rate
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.series import Series
from babysit.text import count, number, percent

if TYPE_CHECKING:
    from babysit.series import Floats


class LearningRateDecayDue(Rule):
    """The validation bounces around a level at a constant learning rate.

    Why it matters:
        Late in a training the rate, no longer the data, sets how near to the bottom one comes.
        Lowering it nearly always brings the validation loss down to its lower edge and below.

    How it decides:
        At a rate that never changed, the later half of the evaluations, always of the same
        examples, jumps up and down by a good part of its level, by more than it falls.

    What to do:
        Divide the rate by 3 when the validation stops improving (``ReduceLROnPlateau``), or
        let it fall on a cosine.

    When it is wrong:
        Evaluations on fresh random data jump for another reason. Overfitting, whose curve
        rises, and trainings that are all but perfect are not reported.
    """

    since = "0.1"
    severity = "advice"
    needs = ("loss", "learning-rate")
    remedies = ("decay-lr",)
    min_evaluations = threshold(
        default=10, unit="evaluations", why="the later half must show several jumps"
    )
    min_wobble = threshold(
        default=0.12,
        unit="share of the level",
        why="healthy programs at a constant rate jump by 0.09 of it at most, mostly by 0.05; "
        "the sick clinic by 0.24",
    )
    min_level = threshold(
        default=0.02, unit="share of the first evaluation", why="the rest is hardly worth it"
    )
    good_accuracy = threshold(default=0.97, unit="share", why="little is left to gain")
    examples = (
        sick(
            loss=[0.1] * 200, learning_rate=[0.1],
            eval_loss={"a": {10 * i: 0.3 if i < 3 else 0.1 + 0.03 * (i % 2) for i in range(20)}},
        ),
        healthy(
            loss=[0.1] * 200, learning_rate=[0.1],
            eval_loss={"a": {10 * i: 0.3 * 0.9**i for i in range(20)}},
        ),
        healthy(
            loss=[0.1] * 200, learning_rate={0: 0.1, 100: 0.02},
            eval_loss={"a": {10 * i: 0.3 if i < 3 else 0.1 + 0.03 * (i % 2) for i in range(20)}},
        ),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The first held-out evaluation that jumps."""
        streams = {n: s for n, s in evaluations(run).items() if n not in run.places("logged")}
        if max((len(series) for series in streams.values()), default=0) < self.min_evaluations:
            yield Unexamined(reason=f"fewer than {self.min_evaluations:g} evaluations were seen")
            return
        if not holds_rate(run) or run.facts.get("is_adversarial"):
            return
        for name, series in streams.items():
            late = series.values[len(series) // 2 :]
            if len(series) < self.min_evaluations or not self._bounces(series, late):
                continue
            accuracy = run.series("eval-accuracy", name)
            if len(accuracy) and np.median(accuracy.values[-3:]) > self.good_accuracy:
                continue
            wobble, measured = wobble_of(late), quantity(run, name)
            low, high = number(float(late.min())), number(float(late.max()))
            used = rate(run) or 0.0
            yield Finding(
                severity=self.severity,
                confidence=0.75,
                message=f"the validation {measured} jumps between {low} and {high} over its last "
                f"{count(len(late), 'evaluation')} while the learning rate stays at "
                f"{number(used)}: time to lower it",
                where=run.source_of_rate(),
                first_step=int(series.steps[len(series) // 2]),
                evidence=(
                    Evidence(signal="jump-share", value=wobble, limit=self.min_wobble,
                             steps=(int(series.steps[len(series) // 2]), int(series.last and
                                                                            series.steps[-1]))),
                ),
                remedies=(
                    Remedy(name="decay-lr", text="Divide the learning rate by 3, to "
                           f"{number(used / 3)}, once the validation stops improving, or decay "
                           f"it over the training; the jumps are {percent(wobble)} of the "
                           f"{measured}."),
                ),
            )  # fmt: skip
            return

    def _bounces(self, series: Series, late: Floats) -> bool:
        """Jumps above a level that is worth lowering, larger than the fall or rise meanwhile."""
        level = float(np.median(late))
        if not np.isfinite(series.values).all() or level < self.min_level * abs(series.first):
            return False
        third = max(1, len(late) // 3)
        trend = abs(float(np.median(late[:third]) - np.median(late[-third:]))) / level
        wobble = wobble_of(late)
        return wobble >= self.min_wobble and trend <= 2 * wobble


def wobble_of(values: Floats) -> float:
    """Typical jump between neighbours beyond the common trend, relative to the level."""
    steps = np.diff(values)
    return float(np.median(np.abs(steps - steps.mean()))) / abs(float(np.median(values)))

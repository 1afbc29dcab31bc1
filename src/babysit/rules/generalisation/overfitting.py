from __future__ import annotations

import numpy as np

from babysit.evaluations import evaluations
from babysit.findings import Evidence, Finding, Place, Remedy, Unexamined
from babysit.measures import course
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.series import Series
from babysit.text import count, number


class Overfitting(Rule):
    """The validation loss rises while the training loss goes on falling.

    Why it matters:
        From the best evaluation on, the net learns the training examples by heart: what it
        becomes better at no longer carries over, and the last weights are worse than earlier
        ones.

    How it decides:
        The last evaluations all lie above the best one by a clear part of what had been gained
        and of the first loss, and beyond their noise, while the training loss fell on. Where the
        evaluation's accuracy is known, it has not improved meanwhile. An evaluation that only
        computes an accuracy is judged by its error rate.

    What to do:
        Keep the weights of the best evaluation (early stopping); add weight decay, dropout or
        data, or take a smaller net.

    When it is wrong:
        A loss that rises a little from over-confidence while the accuracy still improves is not
        reported. With fewer than five evaluations nothing can be said.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss",)
    remedies = ("stop-early", "regularise")
    min_evaluations = threshold(
        default=5, unit="evaluations", why="a best one, and three after it that agree"
    )
    min_rise = threshold(
        default=0.25,
        unit="share of the loss's gain until then",
        why="healthy programs rise by 0.09 at most, but for one of tiny gain (0.4) that the next "
        "limits silence; the memorising one rose by 2.8",
    )
    min_rise_of_start = threshold(
        default=0.05,
        unit="share of the first loss",
        why="near zero any rise is a large share of the best loss and still nothing",
    )
    min_relative_rise = threshold(
        default=0.15,
        unit="share of the best loss",
        why="noise of small validation sets: one healthy program rose by 0.22, all others by 0.03",
    )
    examples = (
        sick(
            loss=[2.0 * 0.97**step for step in range(200)],
            eval_loss={"a": {20 * i: v for i, v in enumerate([2, 1.2, 1, 1.1, 1.3, 1.5, 1.8, 2])}},
        ),
        healthy(
            loss=[2.0 * 0.97**step for step in range(200)],
            eval_loss={"a": {20 * i: v for i, v in enumerate([2, 1.2, 1, 0.9, 0.9, 0.89, 0.9])}},
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """Every evaluation on its own; the clearest is reported."""
        streams = evaluations(run)
        if not streams:
            yield Unexamined(reason="no evaluation was seen")
            return
        if max(len(series) for series in streams.values()) < self.min_evaluations:
            yield Unexamined(reason="fewer than five evaluations were seen")
            return
        rising = {n: rise for n, s in streams.items() if (rise := self._rise(run, n, s)) > 0}
        if rising:
            name = max(rising, key=lambda name: rising[name])
            where = run.source_of_rate()
            yield self._finding(streams[name], rising[name], where or site(name))

    def _rise(self, run: Training, name: str, series: Series) -> float:
        """By how much an evaluation got worse, as a share of its gain; 0 when it is sound."""
        values = series.values
        if len(values) < self.min_evaluations or not np.isfinite(values).all():
            return 0.0
        lowest = int(values.argmin())
        best, after = float(values[lowest]), values[lowest + 1 :]
        gain = max(float(values[0]) - best, 1e-12)
        start = max(float(values[0]), run.series("loss").first)
        limits = (
            self.min_rise * gain,
            self.min_relative_rise * abs(best),
            self.min_rise_of_start * start,
        )
        if len(after) < 3 or float(np.median(after[-3:])) - best < max(limits):
            return 0.0
        rise = float(np.median(after[-3:])) - best
        noise = float(np.median(np.abs(np.diff(values[: lowest + 2])))) if lowest else 0.0
        swings = float(np.median(np.abs(np.diff(values[lowest:]))))
        is_noise = after[-3:].min() <= best + min(noise, 0.5 * rise) or rise < 2 * swings
        step = int(series.steps[lowest])
        if is_noise or accuracy_improved(run, name, lowest) or not training_fell_on(run, step):
            return 0.0
        return rise / gain

    def _finding(self, series: Series, rise: float, where: Place | None) -> Finding:
        lowest = int(series.values.argmin())
        step, best = int(series.steps[lowest]), float(series.values[lowest])
        last = float(np.median(series.values[-3:]))
        return Finding(
            confidence=0.9 if rise > 2 * self.min_rise else 0.8,
            message=f"overfitting since step {step:,}: the validation loss rose from "
            f"{number(best)} to {number(last)} while the training loss fell on",
            where=where,
            first_step=step,
            evidence=(
                Evidence(signal="eval-loss", value=last, limit=best,
                         steps=(step, int(series.steps[-1]))),
                Evidence(signal="rise-share", value=rise, limit=self.min_rise),
            ),
            remedies=(
                Remedy(name="stop-early", text=f"Keep the weights of the best evaluation (step "
                       f"{step:,}) and stop after {count(3, 'evaluation')} without a better one."),
                Remedy(name="regularise", text="Add weight decay (1e-4 … 1e-2), dropout (0.2 … "
                       "0.5) or more data, or take a smaller net."),
            ),
        )  # fmt: skip


def site(stream: str) -> Place | None:
    """The line of an evaluation, from its name: ``train.py:52 > train.py:31``."""
    file, _, line = stream.rpartition(" > ")[2].rpartition(":")
    return Place(file=file, line=int(line)) if line.isdigit() else None


def accuracy_improved(run: Training, name: str, lowest: int) -> bool:
    """Whether the same evaluation's accuracy ended clearly above that at the lowest loss.

    It takes more where the loss ended above its first value: probabilities worse than those of
    an untrained net.
    """
    accuracy, loss = run.series("eval-accuracy", name).values, run.series("eval-loss", name).values
    if len(accuracy) <= lowest + 1:
        return False
    is_lost = len(loss) > 2 and float(np.median(loss[-3:])) > float(loss[0])
    return float(np.median(accuracy[-3:])) > float(accuracy[lowest]) + (0.05 if is_lost else 0.005)


def training_fell_on(run: Training, step: int) -> bool:
    """Whether the training loss is lower at the end than around the best evaluation."""
    loss = course(run.series("loss").since(step))
    return loss is not None and loss.end < loss.start

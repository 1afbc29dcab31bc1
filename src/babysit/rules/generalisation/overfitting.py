from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import course
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.signals import Series
from babysit.text import count, number

HELD_OUT = ("val", "test", "eval", "dev", "held")


class Overfitting(Rule):
    """The validation loss rises while the training loss goes on falling.

    Why it matters:
        From the best evaluation on, the net learns the training examples by heart: what it
        becomes better at no longer carries over, and the last weights are worse than earlier
        ones.

    How it decides:
        The last evaluations all lie above the best one by a clear part of what had been gained,
        and beyond their noise, while the training loss fell on. The accuracy of the
        evaluation, where it is known, has not improved meanwhile.

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
        why="healthy trainings rise by 0.1 at most at their end; memorising nets by 0.4 and more",
    )
    min_relative_rise = threshold(
        default=0.15,
        unit="share of the best loss",
        why="noise of small validation sets stays below",
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
        streams = dict(evaluations(run))
        if not streams:
            yield Unexamined(reason="no evaluation was seen")
            return
        if max(len(series) for series in streams.values()) < self.min_evaluations:
            yield Unexamined(reason="fewer than five evaluations were seen")
            return
        found = [self._judge(run, name, series) for name, series in streams.items()]
        rising = [finding for finding in found if finding is not None]
        if rising:
            yield max(rising, key=lambda finding: finding.confidence)

    def _judge(self, run: Training, name: str, series: Series) -> Finding | None:
        values = series.values
        if len(values) < self.min_evaluations or not np.isfinite(values).all():
            return None
        lowest = int(values.argmin())
        after, best = values[lowest + 1 :], float(values[lowest])
        if len(after) < 3:
            return None
        last = float(np.median(after[-3:]))
        noise = float(np.median(np.abs(np.diff(values[: lowest + 2])))) if lowest else 0.0
        gain = max(float(values[0]) - best, 1e-12)
        rise = last - best
        if rise < self.min_rise * gain or rise < self.min_relative_rise * abs(best):
            return None
        if after[-3:].min() <= best + min(noise, 0.5 * rise) or accuracy_improved(
            run, name, lowest
        ):
            return None
        if not training_fell_on(run, int(series.steps[lowest])):
            return None
        step = int(series.steps[lowest])
        return Finding(
            confidence=0.9 if rise > 2 * self.min_rise * gain else 0.8,
            message=f"overfitting since step {step:,}: the validation loss rose from "
            f"{number(best)} to {number(last)} while the training loss fell on",
            where=None,
            first_step=step,
            evidence=(
                Evidence(signal="eval-loss", value=last, limit=best,
                         steps=(step, int(series.steps[-1]))),
                Evidence(signal="rise-share", value=rise / gain, limit=self.min_rise),
            ),
            remedies=(
                Remedy(name="stop-early", text=f"Keep the weights of the best evaluation (step "
                       f"{step:,}) and stop after {count(3, 'evaluation')} without a better one."),
                Remedy(name="regularise", text="Add weight decay (1e-4 … 1e-2), dropout (0.2 … "
                       "0.5) or more data, or take a smaller net."),
            ),
        )  # fmt: skip


def evaluations(run: Training) -> Iterator[tuple[str, Series]]:
    """Held-out losses: seen under no_grad, or logged under a name that says so.

    Where only an accuracy was computed, its error rate stands for the loss.
    """
    on_training_data = set(run.facts.get("evaluated_on_training_data", ()))
    losses = run.places("eval-loss")
    for name, series in losses.items():
        if name not in on_training_data:
            yield name, series
    for name, series in run.places("logged").items():
        if "loss" in name.lower() and any(part in name.lower() for part in HELD_OUT):
            yield name, series
    for name, series in run.places("eval-accuracy").items():
        if not losses and name not in on_training_data:
            yield f"error rate at {name}", errors_of(series)


def errors_of(accuracy: Series) -> Series:
    """The error rate that belongs to an accuracy."""
    errors = Series()
    for step, value in zip(accuracy.steps.tolist(), accuracy.values.tolist(), strict=True):
        errors.append(step, 1 - value)
    return errors


def accuracy_improved(run: Training, name: str, lowest: int) -> bool:
    """Whether the same evaluation's accuracy ended clearly above that at the lowest loss."""
    accuracy = run.series("eval-accuracy", name).values
    if len(accuracy) <= lowest + 1:
        return False
    return float(np.median(accuracy[-3:])) > float(accuracy[lowest]) + 0.005


def training_fell_on(run: Training, step: int) -> bool:
    """Whether the training loss is lower at the end than around the best evaluation."""
    loss = course(run.series("loss").since(step))
    return loss is not None and loss.end < loss.start

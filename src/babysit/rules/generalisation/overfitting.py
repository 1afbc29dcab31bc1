from __future__ import annotations

import numpy as np

from babysit.chance import Reached, learnt_by_heart
from babysit.evaluations import accuracy_improved, evaluations, line_of, quantity
from babysit.findings import Evidence, Finding, Place, Remedy, Unexamined
from babysit.measures import fell_on
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.series import Series
from babysit.text import count, number, percent
from babysit.wiring import Node, chain

CLASSES = chain(Node(op="Mm", shape=(8, 10)), Node(op="LogSoftmax", shape=(8, 10)),
                Node(op="NllLoss", facts={"reduction": 1.0}))  # fmt: skip
FALL = [2.0 * 0.97**step for step in range(200)]


class Overfitting(Rule):
    """The validation loss rises while the training loss goes on falling.

    Why it matters:
        From the best evaluation on, the net learns by heart: what it becomes better at no longer
        carries over, and the last weights are worse than earlier ones.

    How it decides:
        The last evaluations all lie above the best one by a clear part of what had been gained
        and of the first loss, and beyond their noise, while the training loss fell on. Where the
        evaluation's accuracy is known, it has not improved meanwhile. An evaluation that only
        computes an accuracy is judged by its error rate. Or no evaluation was ever better than
        guessing, in loss or accuracy, while the training loss fell below it.

    What to do:
        Keep the weights of the best evaluation (early stopping); add weight decay, dropout or
        data, or take a smaller net. Where nothing at all holds, look first for labels that are
        not those of their inputs, and for another split or transform.

    When it is wrong:
        A loss that rises a little from over-confidence while the accuracy still improves is not
        reported, nor anything with fewer than five evaluations. Noise looks like wrong labels.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss",)
    remedies = ("stop-early", "regularise", "check-labels")
    min_evaluations = threshold(
        default=5, unit="evaluations", why="a best one, and three after it that agree"
    )
    min_rise = threshold(
        default=0.25, unit="share of the loss's gain until then",
        why="healthy programs rise by 0.09 at most, but for one of tiny gain (0.4) that the next "
        "limits silence; the memorising one rose by 2.8",
    )  # fmt: skip
    min_rise_of_start = threshold(
        default=0.05, unit="share of the first loss",
        why="near zero any rise is a large share of the best loss and still nothing",
    )  # fmt: skip
    min_relative_rise = threshold(
        default=0.15, unit="share of the best loss",
        why="noise of small validation sets: one healthy program rose by 0.22, all others by 0.03",
    )  # fmt: skip
    max_lead = threshold(
        default=0.05, unit="share of the way from guessing to faultless",
        why="66 evaluations of healthy programs came 0.45 at least; labels off by one 0.02"
    )  # fmt: skip
    max_left = threshold(
        default=0.9, unit="share of the loss of guessing",
        why="dead units that learnt next to nothing reached 0.93, a net that memorised 0.82"
    )  # fmt: skip
    examples = (
        sick(loss=FALL, eval_loss={"a": [2, 1.2, 1, 1.1, 1.3, 1.5, 1.8, 2]}),
        healthy(loss=FALL, eval_loss={"a": [2, 1.2, 1, 0.9, 0.9, 0.89, 0.9]}),
        sick(loss=FALL, wiring=CLASSES, eval_accuracy={"a": [0.1, 0.12, 0.11, 0.09, 0.1]}),
        healthy(loss=FALL, wiring=CLASSES, eval_accuracy={"a": [0.1, 0.2, 0.3, 0.3, 0.3]}),
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
            where = run.source_of_rate() or line_of(name)
            yield self._finding(streams[name], rising[name], where, quantity(run, name))
        elif (reached := learnt_by_heart(run, self.max_lead, self.max_left)) is not None:
            yield self._by_heart(reached, line_of(next(iter(streams))))

    def _by_heart(self, reached: Reached, where: Place | None) -> Finding:
        return Finding(
            confidence=0.8,
            message="nothing that the net learns holds on the validation data: the training loss "
            f"fell to {percent(reached.left)} of that of guessing, and no evaluation was ever "
            "better than guessing; the net learns its examples by heart",
            where=where,
            evidence=(
                Evidence(signal="lead-over-guessing", value=reached.lead, limit=self.max_lead),
                Evidence(signal="loss-left", value=reached.left, limit=self.max_left),
            ),
            remedies=(
                Remedy(name="check-labels", text="Check that labels belong to their inputs: print "
                       "ten pairs after every shuffle, shift and split. Then that both sides come "
                       "of the same split and go through the same transforms."),
            ),
        )  # fmt: skip

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
        if is_noise or accuracy_improved(run, name, lowest) or not fell_on(run, step):
            return 0.0
        return rise / gain

    def _finding(self, series: Series, rise: float, where: Place | None, of: str) -> Finding:
        lowest = int(series.values.argmin())
        step, best = int(series.steps[lowest]), float(series.values[lowest])
        last = float(np.median(series.values[-3:]))
        return Finding(
            confidence=0.9 if rise > 2 * self.min_rise else 0.8,
            message=f"overfitting since step {step:,}: the validation {of} rose from "
            f"{number(best)} to {number(last)} while the training loss fell on",
            where=where,
            first_step=step,
            evidence=(
                Evidence(signal="eval-loss" if of == "loss" else of, value=last, limit=best,
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

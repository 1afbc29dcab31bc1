from __future__ import annotations

import numpy as np

from babysit import autopsy, measures, rates
from babysit.findings import Evidence, Finding, Remedy
from babysit.guessing import guessing_loss
from babysit.measures import Course, rate
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Parameter, Training
from babysit.schedules import raised_by
from babysit.text import number

FC = (Parameter(name="fc.weight", shape=(8, 8)),)
SIZES, STEPS = {"fc.weight": [0.5] * 9}, {"fc.weight": [0.1] * 9}


class LearningRateTooHigh(Rule):
    """Steps are so large that the loss leaps instead of falling.

    Why it matters:
        Each update should change a weight by about a thousandth of its size. Steps a hundred
        times larger jump over every valley: the loss leaps, ReLU units die, and NaN follows.

    How it decides:
        Two things together: updates far above the usual thousandth of the weights, or a loss
        that shot up; and a loss that ends no lower than it began, or not finite. Where single
        steps at the beginning are as large as the weights themselves, so that nothing is left of
        their initialisation, it is enough that the loss has kept a good part of its first value,
        or that later steps no longer agree on a direction.

    What to do:
        Divide the rate until 100 steps are free of leaps; good is 1 to 1/10 of that border.

    When it is wrong:
        High rates under which the loss falls are not reported, nor rate tests. Losses without a
        floor (GAN, policy gradient, negative log-densities) are judged by NaN only.
    """

    since = "0.1"
    severity = "error"
    needs = ("loss", "update-rms")
    remedies = ("lower-lr",)
    explains = (
        "non-finite-loss", "dead-relu", "vanishing-gradients", "loss-not-decreasing",
        "underfitting", "loss-diverging", "loss-oscillating", "learning-rate-decay-due",
        "overfitting", "collapsed-outputs", "saturated-activations", "class-imbalance",
        "unsafe-operation", "training-too-short",
    )  # fmt: skip
    max_ratio = threshold(
        default=0.03, unit="update / weight", why="5 of 51 healthy programs lay above, to 0.056"
    )
    wild_ratio = threshold(default=0.1, unit="update / weight", why="health stays below 0.056")
    max_leap = threshold(
        default=4, unit="times the first loss",
        why="of 51 healthy programs LBFGS leapt 12 times, a rate test 3.2, all others below 2.9",
    )  # fmt: skip
    catastrophe = threshold(
        default=1000, unit="times the first loss", why="15 in health; after this units are dead"
    )
    min_leap = threshold(
        default=1.5, unit="times the first loss", why="what is stuck for other reasons stays at 1.1"
    )
    min_drop = threshold(
        default=0.1, unit="share of the first loss", why="below this the loss has not fallen"
    )
    max_displacement = threshold(
        default=0.25, unit="early update / usual size", why="a quarter of the weights in a step"
    )
    max_left = threshold(
        default=0.25, unit="share of the first loss", why="where less is left, they did no harm"
    )
    max_agreement = threshold(
        default=0.2, unit="cosine of gradients in a row", why="2 healthy ones stride so, at 0.98"
    )
    min_steps = threshold(
        default=100, unit="steps", why="a net may find back to a course of its own"
    )
    examples = (
        sick(parameters=FC, weight_rms=SIZES, update_rms=STEPS, learning_rate=[5.0],
             loss=[2.3, 9.0, 30.0, *[2.4, 2.9, 2.5, 2.7] * 20]),
        sick(parameters=FC, weight_rms=SIZES, update_rms=STEPS,
             loss=[2.3, 9.0, 80.0, 700.0, float("nan")]),
        healthy(parameters=FC, weight_rms=SIZES, update_rms={"fc.weight": [0.05] * 9},
                loss=[2.3 * 0.97**step for step in range(100)]),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Large updates or leaps, together with a loss that did not get better by them."""
        values = run.series("loss").values
        finite = np.abs(values[np.isfinite(values)])
        if len(finite) < 3 or measures.is_rate_test(run) or autopsy.is_root(run):
            return
        ratio, start = measures.early_ratio(run), abs(measures.first_loss(run))
        has_large_steps = ratio is not None and ratio > self.max_ratio
        if not has_large_steps:  # small steps have not moved the loss yet: it varies by itself
            start = max(start, float(finite[:10].max()))
        noise = run.series("loss-noise").values[:1].sum()  # one batch's, by the luck of the draw
        leap = float(finite.max()) / max(start + 4 * noise, 1e-12)
        if (peak := measures.peak_ratio(run) or 0.0) > self.max_ratio and leap > self.max_leap:
            ratio, has_large_steps = ratio if has_large_steps else peak, True  # it took off later
        if len(finite) < len(values):
            before = np.abs(values[: int(np.argmin(np.isfinite(values)))])[1:]
            grew = len(before) > 0 and before[-1] > self.max_leap * start
            is_wild = ratio is not None and ratio > self.wild_ratio and leap > self.max_leap
            if is_wild or (grew and (has_large_steps or leap > 10 * self.max_leap)):
                yield self._finding(run, ratio, leap, "and then stopped being finite", 0.95)
            return
        loss = measures.course(run.series("loss").values, first=start)
        if loss is None or not measures.is_bounded_below(run):
            return
        if (moved := self._loses_its_start(run, loss, ratio)) is not None:
            sure, ended = 0.75 + 0.05 * (loss.end > self.max_left * loss.first), number(loss.end)
            yield self._finding(run, moved, leap, f"and ended at {ended}", sure)
            return
        fell = start - loss.end > self.min_drop * start and leap < self.catastrophe
        climbs = not has_large_steps and float((np.diff(loss.levels) > 0).mean()) > 0.8
        if fell or leap < self.min_leap or (climbs and leap < self.catastrophe):
            return  # a steady climb in small steps has another cause than the rate
        lasting = float(np.median(values[len(values) // 2 :])) > self.max_leap * start
        if has_large_steps or lasting:
            text = f"and ended at {number(loss.end)}, having begun at {number(start)}"
            yield self._finding(run, ratio, leap, text, 0.8 + 0.1 * (leap > self.max_leap))

    def _loses_its_start(self, run: Training, loss: Course, ratio: float | None) -> float | None:
        """How far the steps toss the weights, where the loss then stays high; else ``None``."""
        if ratio is None or ratio <= self.max_ratio or run.steps < self.min_steps:
            return None
        guessing, moved = guessing_loss(run) or np.inf, measures.displacement(run)
        if loss.end > (1 - self.min_drop / 2) * guessing and ratio > self.wild_ratio:
            return ratio
        agreement = measures.late_agreement(run)
        wanders = agreement is not None and agreement < self.max_agreement
        is_tossed = moved is not None and moved > self.max_displacement
        return moved if is_tossed and (loss.end > self.max_left * loss.first or wanders) else None

    def _finding(
        self, run: Training, ratio: float | None, leap: float, text: str, confidence: float
    ) -> Finding:
        used = rate(run)
        part = rates.divisor(ratio or 0.0)
        at, lower = (f" ({number(used)})", f", to {number(used / part)},") if used else ("", "")
        size = f"; one step changes weights by {number(ratio)} of their size" if ratio else ""
        rise = f"rose to {number(leap)} times its first value " if leap > 1.01 else "leapt about "
        return Finding(
            severity=self.severity if confidence > 0.75 else "warning",
            confidence=confidence,
            message=f"the learning rate{at} is too high: the loss {rise}{text}{size}"
            + (", about 0.001 is usual" if size else ""),
            where=raised_by(run) or run.source_of_rate(),
            evidence=(Evidence(signal="update-ratio", value=ratio or "unknown",
                               limit=self.max_ratio),
                      Evidence(signal="loss-leap", value=leap, limit=self.max_leap)),
            remedies=(
                Remedy(name="lower-lr",
                       text=f"Divide the learning rate by {part}{lower} until the first 100 steps "
                       "show no leaps. A good rate lies at 1 to 1/10 of that border.",
                       change={"name": "scale-learning-rate", "factor": 1 / part}),
            ),
        )  # fmt: skip

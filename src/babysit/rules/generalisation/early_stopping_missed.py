from __future__ import annotations

import numpy as np

from babysit.chance import beat_guessing
from babysit.evaluations import evaluations, line_of, quantity
from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import is_bounded_below
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.series import Series
from babysit.text import number


class EarlyStoppingMissed(Rule):
    """The best validation was long ago, and the weights of then were not kept.

    Why it matters:
        The training went on for nothing: the last weights are worse than earlier ones.

    How it decides:
        Of every evaluation: the best lies in the first part of the training, everything since
        was worse by a clear part and beyond its noise, and the program never took the weights
        aside. Where an accuracy is known, it has not improved meanwhile.

    What to do:
        Keep the weights whenever the validation is the best so far, and load them at the end.

    When it is wrong:
        A program that saves its weights while it trains is not reported, nor is overfitting,
        which says the same with its cause, nor an evaluation that was never better than guessing.
    """

    since = "0.1"
    severity = "advice"
    needs = ("loss",)
    remedies = ("stop-early",)
    is_symptom = True
    min_evaluations = threshold(
        default=6, unit="evaluations", why="a best one and several after it that agree"
    )
    max_share = threshold(
        default=0.6, unit="share of the training", why="best evaluations near the end are chance"
    )
    min_rise = threshold(
        default=0.1,
        unit="share of the best loss",
        why="9 healthy programs with six evaluations or more end 0.07 above their best at "
        "most; the sick one 0.15",
    )
    min_rise_of_start = threshold(
        default=0.02,
        unit="share of the first loss",
        why="near zero any rise is a large share of the best loss and still nothing",
    )
    examples = (
        sick(loss=[1.0 * 0.99**i for i in range(300)],
             eval_loss={"a": {25 * i: v for i, v in
                              enumerate([0.9, 0.6, 0.5, 0.5, 0.52, 0.54, 0.57, 0.58, 0.58])}}),
        healthy(loss=[1.0 * 0.99**i for i in range(300)],
                eval_loss={"a": {25 * i: v for i, v in
                                 enumerate([0.9, 0.6, 0.5, 0.5, 0.51, 0.5, 0.52, 0.5, 0.51])}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The clearest of all evaluations."""
        streams = {n: s for n, s in evaluations(run).items() if len(s) >= self.min_evaluations}
        taught = {name: series for name, series in streams.items() if beat_guessing(run, name)}
        if not streams:
            yield Unexamined(reason="fewer than six evaluations were seen")
            return
        if run.facts.get("keeps_weights") or not is_bounded_below(run):
            return
        rises = {n: rise for n, s in taught.items() if (rise := self._rise(run, n, s)) > 0}
        if not rises or len(rises) < len(streams):
            return
        name = max(rises, key=lambda one: rises[one])
        series = streams[name]
        lowest = int(series.values.argmin())
        best, step = float(series.values[lowest]), int(series.steps[lowest])
        last, measured = float(np.median(series.values[-3:])), quantity(run, name)
        yield Finding(
            severity="advice",
            confidence=0.75,
            message=f"the validation {measured} was best at step {step:,} of {run.steps:,} "
            f"({number(best)}; {number(last)} at the end) and the weights of then were not kept",
            where=line_of(name),
            first_step=step,
            evidence=(
                Evidence(signal="eval-loss" if measured == "loss" else measured, value=last,
                         limit=best, steps=(step, int(series.steps[-1]))),
            ),
            remedies=(
                Remedy(name="stop-early", text="Copy the model's `state_dict()` whenever the "
                       "validation is the best so far; load that copy at the end."),
            ),
        )  # fmt: skip

    def _rise(self, run: Training, name: str, series: Series) -> float:
        """By how much an evaluation got worse since its best; 0 when it did not clearly."""
        values = series.values
        if not np.isfinite(values).all() or values.min() < 0:
            return 0.0
        lowest = int(values.argmin())
        best, after = float(values[lowest]), values[lowest + 1 :]
        if len(after) < 4 or series.steps[lowest] > self.max_share * run.steps:
            return 0.0
        rise = float(np.median(after[-3:])) - best
        noise = 1.5 * float(np.median(np.abs(np.diff(values[lowest:]))))
        start = max(float(values[0]), run.series("loss").first)
        limit = max(self.min_rise * best, self.min_rise_of_start * start, 3 * noise)
        accuracy = run.series("eval-accuracy", name).values
        improved = (
            len(accuracy) == len(values) and float(np.median(accuracy[-3:])) >= accuracy[lowest]
        )
        is_steady = float(after[-3:].min()) > best + 0.5 * rise
        return rise if rise > limit and is_steady and not improved else 0.0

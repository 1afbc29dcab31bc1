from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.series import Series
from babysit.text import number, percent


class DataLoadingBound(Rule):
    """The training waits for its data most of the time.

    Why it matters:
        The processor that trains is idle while the DataLoader reads and decodes: the same result
        could be had in a fraction of the time.

    How it decides:
        The time that each step waits for the DataLoader is set against the time of the whole
        step. Reported when the wait is the larger part of the usual step, is long in itself, and
        adds up to something.

    What to do:
        Read and decode once and keep the result; let workers do it in parallel
        (``num_workers=4, persistent_workers=True``); index a tensor instead of collating single
        examples when everything fits into memory.

    When it is wrong:
        In tiny programs both times are fractions of a millisecond, and the share means nothing;
        those are not reported. Data made by hand, without a DataLoader, is not seen.
    """

    since = "0.1"
    severity = "advice"
    needs = ("data-seconds", "step-seconds")
    remedies = ("cache-data", "use-workers")
    max_share = threshold(
        default=0.6,
        unit="share of a step",
        why="healthy programs with a DataLoader wait for 1 to 27 % of their steps; the sick "
        "clinic waits for 85 %",
    )
    min_wait = threshold(
        default=0.005,
        unit="seconds per step",
        why="collating 60 small examples takes 0.2 to 0.4 ms, on a busy machine ten times that",
    )
    min_steps = threshold(
        default=40, unit="steps", why="workers and caches need some steps to warm"
    )
    min_total = threshold(
        default=0.3, unit="seconds waited in all", why="less is not worth a thought"
    )
    examples = (
        sick(data_seconds=[0.02] * 100, step_seconds=[0.025] * 100),
        healthy(data_seconds=[0.0004] * 100, step_seconds=[0.0005] * 100),
        healthy(data_seconds=[0.3, *[0.001] * 49] * 2, step_seconds=[0.32, *[0.02] * 49] * 2),
    )

    def check(self, run: Training) -> Conclusions:
        """The typical step, and the typical step of the second half."""
        waits, steps = run.series("data-seconds"), run.series("step-seconds")
        if len(waits) < self.min_steps:
            return
        shares = shares_of(waits, steps)
        typical = float(np.median(waits.values))
        halves = np.array_split(shares, 2)
        if len(shares) < self.min_steps or typical < self.min_wait:
            return
        share = min(float(np.median(half)) for half in halves)
        if share <= self.max_share or waits.values.sum() < self.min_total:
            return
        yield Finding(
            severity=self.severity,
            confidence=0.85,
            message=f"the training waits for its data {percent(share)} of the time: "
            f"{number(1000 * typical)} ms in a usual step",
            where=run.source("backward"),
            evidence=(
                Evidence(signal="data-seconds", value=round(share, 3), limit=self.max_share),
            ),
            remedies=(
                Remedy(name="cache-data", text="Read and decode the examples once, before the "
                       "training, and keep them as tensors."),
                Remedy(name="use-workers", text="Or let processes prepare batches ahead: "
                       "DataLoader(..., num_workers=4, persistent_workers=True)."),
            ),
        )  # fmt: skip


def shares_of(waits: Series, steps: Series) -> np.ndarray:
    """Share of each step that was spent waiting."""
    wholes = dict(zip(steps.steps.tolist(), steps.values.tolist(), strict=True))
    pairs = zip(waits.steps.tolist(), waits.values.tolist(), strict=True)
    return np.array([wait / wholes[step] for step, wait in pairs if wholes.get(step, 0) > 0])

"""What had been growing before a value left the range of numbers: the loss, the weights."""

from __future__ import annotations

from typing import Final

import numpy as np

from babysit.run import Training
from babysit.series import Series
from babysit.text import number

MUCH: Final = 5.0  # times the first size: worth telling
FAR_ABOVE: Final = 2.0  # times the usual size: no longer usual


def growth(run: Training, step: int) -> str:
    """What had been growing by then, since when and under which rate; nothing where nothing had."""
    grown = {}
    for name, series in run.places("weight-rms").items():
        sizes = series.values[(series.steps <= step) & np.isfinite(series.values)]
        if len(sizes) > 1 and sizes[0] > 0:
            grown[name] = float(sizes[-1] / sizes[0])
    name = max(grown, key=lambda one: grown[one], default="")
    parts = []
    began = since(run.series("loss"), step)
    if began is not None:
        parts.append(f"the loss had been growing since step {began:,}")
    if name and grown[name] >= MUCH:
        rates = run.series("learning-rate", "0")
        known = rates.values[rates.steps <= step]
        under = f" under a learning rate of {number(known[-1])}" if len(known) else ""
        began = since(run.series("weight-rms", name), step)
        when = f" since step {began:,}" if began is not None else ""
        parts.append(
            f"`{name}` had grown{when} to {number(grown[name])} times its first size{under}"
        )
    return "; by then " + " and ".join(parts) if parts else ""


def since(series: Series, step: int) -> int | None:
    """From which step on a size has stayed far above its usual one; ``None`` if it has not."""
    known = (series.steps < step) & np.isfinite(series.values)
    steps, sizes = series.steps[known], np.abs(series.values[known])
    if len(sizes) < 2:
        return None
    usual = min(sizes[0], float(np.median(sizes)))
    if sizes[-1] <= MUCH * usual:
        return None
    calm = np.flatnonzero(sizes <= FAR_ABOVE * usual)
    after = int(calm[-1]) + 1
    return int(steps[after]) if after < len(steps) else None

"""What experiments have in common: the trials they compare, and how curves are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from babysit.change import Change
from babysit.changes.data import HoldOut
from babysit.changes.runs import Reseed
from babysit.changes.updates import ChangeOptimizer
from babysit.experiment import Lab
from babysit.series import Series
from babysit.trial import Result, Trial

if TYPE_CHECKING:
    from babysit.series import Floats

END: Final = 0.2  # share of a curve that counts as its end
WINDOW: Final = 0.2  # share of a curve over which it is averaged
# Ways to learn that nearly every sound net can use, where the script's own is too slow.
WAYS: Final[tuple[tuple[Change, ...], ...]] = (
    (),
    (ChangeOptimizer(kind="Adam", rate=3e-3),),
    (ChangeOptimizer(kind="Adam", rate=3e-4),),
)


def plain(lab: Lab, seed: int) -> Trial:
    """The training as it is under one more seed, with some examples held out."""
    return lab.trial(f"plain-{seed}", HoldOut(), Reseed(seed=seed))


def changed(lab: Lab, name: str, seed: int, *changes: Change) -> Trial:
    """The same training and seed under changes."""
    return lab.trial(f"{name}-{seed}", HoldOut(), Reseed(seed=seed), *changes)


def smoothed(values: Floats) -> Floats:
    """Means over windows of a fifth of the curve, the curve's own length less a window."""
    import numpy as np

    finite = values[np.isfinite(values)]
    width = max(1, int(WINDOW * len(finite)))
    return np.convolve(finite, np.ones(width) / width, mode="valid") if len(finite) else finite


def end(series: Series) -> float:
    """The mean over the last fifth of a curve; NaN where there is none."""
    values = series.values
    if not len(values):
        return float("nan")
    return float(values[-max(1, int(END * len(values))) :].mean())


def lowest(series: Series) -> float:
    """The lowest value of a curve once it is smoothed; NaN where there is none."""
    curve = smoothed(series.values)
    return float(curve.min()) if len(curve) else float("nan")


def highest(series: Series) -> float:
    """The highest value of a curve once it is smoothed; NaN where there is none."""
    curve = smoothed(series.values)
    return float(curve.max()) if len(curve) else float("nan")


def refusal(results: Sequence[Result]) -> str | None:
    """Why the first of these trials that says nothing says nothing."""
    return next((result.refusal for result in results if result.refusal is not None), None)

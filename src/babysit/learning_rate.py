"""What is known about a training's learning rate: the lanes of a race, and the answer."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

SCHEMA: Final = 1
Confidence: TypeAlias = Literal["high", "medium", "low"]


@dataclass
class Lane:
    """A constant rate, or one with the script's schedule, in a race.

    Attributes:
        scores: the loss at the end, by seed; infinite where it diverged.
        halfway: the loss after half of the steps, by seed.
    """

    rate: float
    scores: dict[int, float] = field(default_factory=dict)
    halfway: dict[int, float] = field(default_factory=dict)

    @property
    def has_diverged(self) -> bool:
        return any(not math.isfinite(score) for score in self.scores.values())

    @property
    def score(self) -> float:
        """The mean over its seeds, which one that nearly diverged spoils, as it should."""
        return statistics.fmean(self.scores.values()) if self.scores else math.inf


@dataclass(frozen=True)
class Sweep:
    """A range test: the rate of each step and the loss there, up to where it exploded.

    Attributes:
        losses: smoothed.
        blow_up: the rate at which the loss was four times the best, or no number at all.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    blow_up: float | None = None

    @property
    def fall(self) -> float:
        """The share of its first loss that it lost on the way to its lowest."""
        if len(self.losses) < 2 or not self.losses[0]:
            return 0.0
        return (self.losses[0] - min(self.losses)) / abs(self.losses[0])


@dataclass(frozen=True, kw_only=True)
class RateAnswer:
    """The answer of `babysit lr`.

    Args:
        script: as the user names it.
        lr: the rate to train with; ``None`` where no number is honest, and ``reason`` says why.
        low, high: rates whose loss is nearly as good.
        current: the script's own rate; of several groups the largest.
        score: the loss at ``lr``.
        measure: which loss that is, in words.
        border: the lowest rate that diverged within its first 100 steps (A2).
        steps: of a lane; ``is_whole`` where that is all of the training.
        is_cut_off: the user ended the search.
    """

    script: str
    lr: float | None = None
    low: float | None = None
    high: float | None = None
    confidence: Confidence | None = None
    reason: str
    current: float | None = None
    score: float | None = None
    measure: str = "loss"
    border: float | None = None
    lanes: tuple[Lane, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    steps: int = 0
    is_whole: bool = False
    seconds: float = 0.0
    trials: int = 0
    is_cut_off: bool = False

    @property
    def current_lane(self) -> Lane | None:
        """That of the script's own rate."""
        near = (lane for lane in self.lanes if self.current and same(lane.rate, self.current))
        return next(near, None)

    def to_json(self) -> Mapping[str, Any]:
        return {
            "schema": SCHEMA,
            "lr": self.lr,
            "low": self.low,
            "high": self.high,
            "confidence": self.confidence,
            "reason": self.reason,
            "current": self.current,
            "border": self.border,
            "measure": self.measure,
            "score": self.score,
            "steps": self.steps,
            "is_whole": self.is_whole,
            "curve": [
                {
                    "lr": lane.rate,
                    "loss": None if lane.has_diverged else lane.score,
                    "losses": [x if math.isfinite(x) else None for x in lane.scores.values()],
                    "diverged": lane.has_diverged,
                }
                for lane in self.lanes
            ],
            "sweeps": [
                {"lr": one.rates, "loss": one.losses, "blow_up": one.blow_up} for one in self.sweeps
            ],
            "seconds": round(self.seconds, 1),
            "trials": self.trials,
            "is_cut_off": self.is_cut_off,
        }


def same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6)

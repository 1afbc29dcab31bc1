"""Vigilance: what often comes before a crash has the next steps looked at closely."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from babysit.domains import domain_of

# How far above its usual size a value is unusual: losses and gradients are noisy, weights are not.
LEAPS: Final = {"loss": 8.0, "gradient-norm": 8.0, "weights": 2.0}
SMALLEST: Final = 1e-3  # below this, sizes and losses mean nothing
HALF_LIMIT: Final = 65_504.0  # the largest number in float16
NEAR: Final = 1 / 16  # of that limit
MAX_ALARMS: Final = 16  # in one training: a program that always works near an edge gets no more
MEMORY: Final = 0.05  # share of a new value in what is usual


class Vigilance:
    """Knows the usual sizes of one training, and notices a few times when they are left."""

    def __init__(self) -> None:
        self._usual: dict[str, float] = {}
        self._num_alarms = 0

    def heeds(self, sizes: Mapping[str, float]) -> bool:
        """Whether something is unusual; every value counts as seen.

        Args:
            sizes: of a step, by the names in :data:`LEAPS`; ``edges`` above 0 is unusual.
        """
        unusual = [self._leaps(name, sizes[name]) for name in LEAPS if name in sizes]
        if self._num_alarms >= MAX_ALARMS or not (any(unusual) or sizes.get("edges")):
            return False
        self._num_alarms += 1
        return True

    def limit(self, name: str) -> float:
        """The largest size that is not unusual; 0 as long as none is known."""
        usual = self._usual.get(name)
        return LEAPS[name] * max(usual, SMALLEST) if usual is not None else 0.0

    def _leaps(self, name: str, value: float) -> bool:
        size, usual = abs(value), self._usual.get(name)
        if usual is None or not math.isfinite(size):
            if math.isfinite(size):
                self._usual[name] = size
            return False
        factor = LEAPS[name]
        self._usual[name] = usual + MEMORY * (min(size, factor * usual) - usual)
        return size > factor * max(usual, SMALLEST)


def sizes_of(details: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """What vigilance wants of a sampled step.

    Returns:
        ``weights``: the largest root mean square of any parameter; ``edges``: how many operations
        work at the edge of their domain, or near the largest number of float16.
    """
    sizes: dict[str, float] = {}
    weights = [size for size in details.get("weight-rms", {}).values() if math.isfinite(size)]
    if weights:
        sizes["weights"] = max(weights)
    operands = details.get("closest-operand", {})
    domains = [(domain_of(label), operand) for label, operand in operands.items()]
    at_edge = sum(domain is not None and domain.is_at_edge(operand) for domain, operand in domains)
    near = sum(peak > NEAR * HALF_LIMIT for peak in details.get("half-peak", {}).values())
    sizes["edges"] = float(at_edge + near)
    return sizes

"""Finding the few wrong elements of many by measuring sums over parts of them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from typing import Final

Part = tuple[int, int]  # from, up to

MAX_SPLITS: Final = 400


def halves(part: Part) -> tuple[Part, Part]:
    middle = (part[0] + part[1]) // 2
    return (part[0], middle), (middle, part[1])


class Descent:
    """Walks down to the elements that contribute most to a sum, time and again.

    Sums of parts add up, so one half is measured and the other follows by subtraction: an element
    among n is found with log2(n) measurements.

    Args:
        measure: the sum over a part, where errors of either sign may cancel only by chance.
        total: the sum over the whole.
        whole: all elements.
        tolerance: a sum as small as this is noise.
    """

    def __init__(
        self,
        measure: Callable[[Part], float],
        total: float,
        whole: Part,
        tolerance: float,
    ) -> None:
        self._measure, self._tolerance = measure, tolerance
        self._queue: list[tuple[float, Part, float]] = []
        self._num_splits = 0
        self._keep(total, whole)

    def _keep(self, value: float, part: Part) -> None:
        """Errors of random sign add up like the root of their number: the densest comes first."""
        if abs(value) > self._tolerance:
            density = abs(value) / math.sqrt(part[1] - part[0])
            heapq.heappush(self._queue, (-density, part, value))

    @property
    def is_exhausted(self) -> bool:
        """Nothing is left that exceeds the tolerance."""
        return not self._queue

    def elements(self) -> Iterator[int]:
        """The elements, the largest contributions first, roughly, until the rest is noise."""
        while self._queue and self._num_splits < MAX_SPLITS:
            _, part, value = heapq.heappop(self._queue)
            while part[1] - part[0] > 1:
                self._num_splits += 1
                left, right = halves(part)
                share = self._measure(left)
                ways = sorted([(share, left), (value - share, right)], key=lambda way: abs(way[0]))
                self._keep(*ways[0])
                value, part = ways[1]
            yield part[0]

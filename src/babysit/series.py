"""A series: the values of one signal at one place over steps, bounded in memory."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, TypeAlias

# NumPy is imported at first use: the script may want to set its threads before it is loaded.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Steps: TypeAlias = NDArray[np.int64]


class Series:
    """One signal at one place: values over steps, bounded in memory.

    When full it thins itself, keeping the lowest and the highest of every four points, so
    extremes survive. The thinning depends on the points alone: a record read back gives the
    very series that the live run had.
    """

    __slots__ = ("_limit", "_steps", "_values")

    def __init__(self, *, limit: int = 16_384) -> None:
        if limit < 8 or limit % 4:
            raise ValueError(f"limit must be a multiple of 4 and at least 8, got {limit}")
        self._limit = limit
        self._steps = array("q")
        self._values = array("d")

    def append(self, step: int, value: float) -> None:
        self._steps.append(step)
        self._values.append(value)
        if len(self._values) >= self._limit:
            self._thin()

    def _thin(self) -> None:
        import numpy as np

        groups = self.values.reshape(-1, 4)
        low, high = groups.argmin(axis=1), groups.argmax(axis=1)
        high = np.where(low == high, (low + 1) % 4, high)
        offsets = 4 * np.arange(len(groups))
        keep = np.sort(np.stack([low, high], axis=1), axis=1) + offsets[:, None]
        steps, values = self.steps[keep.ravel()], self.values[keep.ravel()]
        self._steps, self._values = array("q", steps.tolist()), array("d", values.tolist())

    def __len__(self) -> int:
        return len(self._values)

    @property
    def steps(self) -> Steps:
        import numpy as np

        return np.array(self._steps, dtype=np.int64)

    @property
    def values(self) -> Floats:
        import numpy as np

        return np.array(self._values, dtype=np.float64)

    @property
    def first(self) -> float:
        return self._values[0]

    @property
    def last(self) -> float:
        return self._values[-1]

    def at(self, step: int) -> float | None:
        """The value in force at ``step``: the last one written at or before it."""
        import numpy as np

        index = int(np.searchsorted(self.steps, step, side="right")) - 1
        return self._values[index] if index >= 0 else None

    def since(self, step: int) -> Floats:
        """The values from ``step`` on."""
        return self.values[self.steps >= step]


def start_of_end(events: Series, every: Series, share: float) -> int | None:
    """From which step on to the end a share of all steps had an event; ``None`` if from none.

    Args:
        every: a signal of every step; both are thinned where there are many.
    """
    import numpy as np

    starts = events.steps
    left = len(every) - np.searchsorted(every.steps, starts)
    shares = np.arange(len(starts), 0, -1) / np.maximum(left, 1)
    found = starts[shares >= share]
    return int(found[0]) if len(found) else None

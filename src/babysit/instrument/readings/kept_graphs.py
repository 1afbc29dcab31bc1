"""Graphs of earlier steps that are still alive, and the memory of the process."""

from __future__ import annotations

import gc
import os
import weakref
from collections import deque
from pathlib import Path
from typing import Any, Final

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray
from babysit.wiring import PARAMETER

KEY: Final = "__babysit__"
MAX_FOLLOWED: Final = 64
SUSPICIOUS: Final = 5
MAX_COLLECTIONS: Final = 2
_STATM: Final = Path("/proc/self/statm")


class Mark:
    """Lives as long as the node of the graph that it hangs on."""

    __slots__ = ("__weakref__",)


class KeptGraphs(Reading):
    """Marks the loss and the first operation of each X-ray, and counts the marks still alive.

    The loss's node lives on in sums and lists of losses, the first operation also in outputs that
    are kept. A graph that is shared by several steps is none of the two.
    """

    def __init__(self) -> None:
        self._marks: deque[tuple[int, weakref.ref[Mark]]] = deque(maxlen=MAX_FOLLOWED)
        self._num_collections = 0
        self._last_step = -1

    def read(self, xray: Xray) -> Values:
        """How many of the followed graphs are alive, and the age of the oldest in steps."""
        step = xray.wiring.step
        if step < self._last_step:  # another training of the process
            self._marks.clear()
        alive = [number for number, mark in self._marks if mark() is not None and number < step]
        if len(alive) >= SUSPICIOUS and self._num_collections < MAX_COLLECTIONS:
            self._num_collections += 1
            gc.collect()  # garbage that waits for its collection is no leak
            alive = [number for number, mark in self._marks if mark() is not None and number < step]
        if step > self._last_step:
            self._follow(xray, step)
        self._last_step = step
        values: Values = {"kept-graphs": {"": float(len(set(alive)))}}
        if alive:
            values["kept-graph-age"] = {"": float(step - min(alive))}
        megabytes = resident_megabytes()
        if megabytes is not None:
            values["resident-megabytes"] = {"": megabytes}
        return values

    def _follow(self, xray: Xray, step: int) -> None:
        first = next((n for n, node in enumerate(xray.wiring.nodes) if node.op != PARAMETER), None)
        for index in {first, len(xray.graph) - 1} - {None}:
            metadata: dict[str, Any] = xray.graph[index].metadata  # type: ignore[index]  # not None
            if KEY not in metadata:
                mark = metadata[KEY] = Mark()
                self._marks.append((step, weakref.ref(mark)))


def resident_megabytes() -> float | None:
    """Memory of this process; ``None`` where the system does not say."""
    try:
        pages = int(_STATM.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return float(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)

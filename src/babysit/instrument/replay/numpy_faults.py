"""Where NumPy makes a value that is not finite, in a program whose data it prepares."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import Any, Final

from babysit.instrument import sources

_FUNCTION: Final = re.compile(
    r"\b(?:np|numpy)\.(log\w*|sqrt|exp\w*|power|divide|arccos|arcsin|arctanh)"
)


class Unchanged(contextlib.ContextDecorator):
    """In the place of ``numpy.errstate``: faults are told even where the program ignores them."""

    def __init__(self, **_: Any) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class NumpyFaults:
    """NumPy's floating-point errors, by the line that made them.

    Attributes:
        first: operation and place of the first one.
    """

    def __init__(self) -> None:
        self.first: dict[str, Any] | None = None

    def watch(self) -> None:
        """From here on, to the end of the process."""
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.seterr(divide="call", over="call", invalid="call", under="ignore")
            numpy.seterrcall(self._noted)
            numpy.errstate = Unchanged  # type: ignore[attr-defined]  # a module found by name

    def _noted(self, kind: str, flag: int) -> None:
        place = sources.caller()
        if self.first is None and place is not None:
            named = _FUNCTION.search(place["code"] or "")
            self.first = {**place, "op": named[1] if named else "div", "inner": kind}

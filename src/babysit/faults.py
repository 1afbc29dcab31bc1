"""Our own failures: contained, told once, never the user's problem."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from babysit.version import __version__

PLEASE_REPORT = "Please report it, with this line, as an issue of the babysit project."
RAISE_VARIABLE = "BABYSIT_RAISE"
MAX_FAULTS = 16


class Faults:
    """Runs our callbacks so that an exception in one never reaches the training.

    The first failure is told in one line, as ours, with where to report it. Under our own tests
    (``BABYSIT_RAISE=1``) failures are raised instead.
    """

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.count = 0
        self._tell = tell or (lambda line: print(line, file=sys.stderr, flush=True))
        self._raises = os.environ.get(RAISE_VARIABLE) == "1"

    def guard(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function of ours; ``None`` when it fails."""
        if self.count >= MAX_FAULTS:
            return None
        try:
            return function(*args)
        except Exception as error:
            if self._raises:
                raise
            self.report(error)
            return None

    def report(self, error: BaseException) -> None:
        """Count a failure, and tell the first."""
        self.count += 1
        if self.count == 1:
            frame = traceback.extract_tb(error.__traceback__)[-1:]
            place = f" at {Path(frame[0].filename).name}:{frame[0].lineno}" if frame else ""
            self._tell(
                f"babysit: a fault of ours, not of your training ({type(error).__name__}: {error}"
                f"{place}, babysit {__version__}). The training goes on, watched less closely. "
                + PLEASE_REPORT
            )

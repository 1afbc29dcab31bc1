"""Glances: a few module calls watched where an evaluation may begin."""

from __future__ import annotations

from typing import Final

from babysit.instrument.lens import Lens
from babysit.instrument.pacing import Pacer

MAX_CALLS: Final = 8
SURE_GLANCES: Final = 4
LONGEST_PAUSE: Final = 1024


class Glances:
    """Attaches the hooks on modules for the first calls of an evaluation.

    ``no_grad`` and ``eval()`` may announce an evaluation, or something of every step such as a
    moving average: glances that see none grow rarer.

    Attributes:
        is_open: calls are being watched.
    """

    def __init__(self, lens: Lens, pacer: Pacer) -> None:
        self._lens, self._pacer = lens, pacer
        self._pause, self._skip = 1, 0
        self._num_seen = self._num_calls = 0
        self.is_open = False

    def begin(self) -> None:
        """An evaluation may begin."""
        if self.is_open or self._lens.is_armed:
            return
        if self._skip > 0:
            self._skip -= 1
            return
        if self._num_seen > SURE_GLANCES and not self._pacer.affords(self._pacer.sample_cost):
            return
        self.is_open, self._num_calls = True, 0
        self._lens.glance()

    def saw_evaluation(self) -> None:
        """It did: look at some of its calls, then let it run."""
        self._num_calls += 1
        if self.is_open and self._num_calls == 1:
            self._num_seen += 1
            self._pause = 1
        if self.is_open and self._num_calls >= MAX_CALLS:
            self._close()

    def end(self) -> None:
        """A training step's backward follows."""
        if self.is_open:
            if not self._num_calls:
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
                self._skip = self._pause
            self._close()

    def _close(self) -> None:
        self.is_open = False
        self._lens.end_glance()

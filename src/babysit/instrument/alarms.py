"""Alarms: where a value that is not finite is noticed, and the inquest into it held."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from babysit.instrument.bench import ProbeBench
from babysit.instrument.calls import Calls
from babysit.instrument.emitter import MAX_WAITING, is_far
from babysit.instrument.patches import Patches
from babysit.instrument.replay.births import CHECKS, is_loss
from babysit.instrument.replay.inquest import Inquest, is_bad, reading
from babysit.instrument.stepping import Stepping


class Alarms:
    """Watches numbers that the program reads or asks about; others report to :meth:`raise_one`."""

    def __init__(
        self, inquest: Inquest, calls: Calls, stepping: Stepping, bench: ProbeBench
    ) -> None:
        self._inquest, self._calls, self._stepping, self._bench = inquest, calls, stepping, bench
        self._gives_up = False

    def attach(self, patches: Patches, is_live: Callable[[], bool]) -> None:
        def read() -> None:
            if is_live() and not self._calls.depth:
                self._calls.timed(self.raise_one, "look", "the program reads a NaN")

        patches.replace(Tensor, "item", functools.partial(reading, on_nan=read))
        for name in CHECKS:
            for place in (torch, Tensor):
                see = self._calls.wrap(self._checked, when=torch.is_grad_enabled)
                patches.replace(place, name, see)

    def raise_one(self, event: str, what: str, late: int = 0) -> None:
        """Something is not finite; see :meth:`Inquest.hold`."""
        found = self._inquest.hold(event, what, late=late)
        if found is not None and not self._stepping.tell_autopsy(found):
            self._bench.fact("autopsy", found)

    def seen_late(self, signal: str) -> None:
        """A value that had waited on its device was not finite some steps ago."""
        event = "loss" if signal == "loss" else "gradient"
        self.raise_one(event, f"the {event} is not finite", late=MAX_WAITING)

    def goes_on(self) -> None:
        """A backward runs: whatever the program asked about, it has not given up."""
        self._gives_up = False

    def finish(self) -> None:
        """The program has ended, perhaps because of such a value."""
        if self._inquest.was_stopped_by_numbers():
            self.raise_one("crash", "the program stopped at a value that is not finite")
        elif self._gives_up:
            self.raise_one("look", "the program gave up at a loss that is not finite")

    def _checked(self, args: Any, kwargs: Any, result: Any) -> None:
        """The program asks whether a loss is finite; it may leave the step out, or end here."""
        value = args[0] if args else None
        if isinstance(value, Tensor) and is_loss(value) and not is_far(value):
            self._gives_up = is_bad(value)

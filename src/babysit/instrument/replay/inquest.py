"""The inquest: what is done at the first value that is not finite.

The copies of the process (:mod:`snapshots`) are asked, the latest first, to live on to the same
event with every operation watched (:mod:`second_life`). What they tell goes into the record.
"""

from __future__ import annotations

import atexit
import functools
import math
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import torch
from torch import Tensor

from babysit.guard import transparent
from babysit.instrument.names import Names
from babysit.instrument.pacing import Pacer
from babysit.instrument.replay.second_life import SecondLife
from babysit.instrument.replay.snapshots import Snapshot, Snapshots

STEPS_WATCHED: Final = 16  # before the event, where the copy is older
FACTOR: Final = 30.0  # how much slower a second life may be
LEAST_SECONDS, MOST_SECONDS = 20.0, 120.0
_ABOUT_NUMBERS: Final = re.compile(r"\b(nan|inf|infinite|infinity|finite)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class InquestOptions:
    """What a session lends to its inquest.

    Args:
        tell: prints a line for the user.
        on_wake: called in a copy that was woken, before the program goes on there.
        folder: where the black box goes; ``None`` writes none.
    """

    tell: Callable[[str], None]
    on_wake: Callable[[], None]
    folder: Path | None


class Inquest:
    """Keeps copies at hand while a training goes well, and asks them once it does not.

    Args:
        on_wake: called in a copy that was woken, after the session's.

    Attributes:
        steps: how many the program has taken, of all its trainings.
        life: in a copy that was woken, its second life; nothing else is watched there.
    """

    def __init__(
        self, options: InquestOptions, names: Names, pacer: Pacer, on_wake: Callable[[], None]
    ) -> None:
        self.life: SecondLife | None = None
        self.snapshots = Snapshots(self._woken)
        self._names, self._pacer, self._on_wake = names, pacer, on_wake
        self._tell, self._folder = options.tell, options.folder
        self._wake_session = options.on_wake
        self.steps = 0
        self._held: set[str] = set()

    def begin(self) -> None:
        """The program begins: a first copy."""
        self.snapshots.take(0)

    def stepped(self, is_unusual: bool = False) -> None:
        """A step has ended; the first and, now and then, a later one leaves a copy.

        Args:
            is_unusual: what comes may need a copy from close before.
        """
        self.steps += 1
        is_due = self.steps == 1 or self.snapshots.is_due(in_haste=is_unusual)
        if not self._held and is_due:
            self.snapshots.take(self.steps)

    def end(self) -> None:
        """The program has ended."""
        self.snapshots.discard()

    @property
    def has_found(self) -> bool:
        """Whether a bad value was asked about."""
        return bool(self._held)

    def was_stopped_by_numbers(self) -> bool:
        """Whether the program may have ended itself because of a NaN."""
        error = sys.exc_info()[1] or getattr(sys, "last_value", None)
        is_check = isinstance(error, (AssertionError, FloatingPointError))
        return is_check or _ABOUT_NUMBERS.search(str(error or "")) is not None

    def hold(self, event: str, what: str, *, late: int = 0) -> dict[str, Any] | None:
        """Find out what made a value bad, the first time that one is seen.

        Args:
            event: ``loss``, ``gradient``, ``parameter``, ``look``, ``evaluation`` or ``crash``.
            what: the same in words.
            late: how many steps ago that may have been.

        Returns:
            the facts for the record; ``None`` when this was asked before.
        """
        if event in self._held or (self._held and event not in ("evaluation",)):
            return None
        self._held.add(event)
        started = time.perf_counter()
        told = None
        asked = [one for one in self.snapshots.newest_first if started - one.taken < MOST_SECONDS]
        if "torch._dynamo" in sys.modules and not hasattr(torch.compiler, "set_stance"):
            self.snapshots.reason, asked = "compiled code cannot be watched", []
        since = self.steps - late - STEPS_WATCHED
        for snapshot in asked:
            told = self._ask(snapshot, event, what, since=since) or told
            birth = (told or {}).get("birth")
            if birth is not None and not birth["arrived"]:
                break
            if birth is not None:  # it was there before: an older copy watches from its beginning
                since = 0
        found = {"event": event, "step": self.steps, **(told or {}), "held": self.steps}
        if told is None or told.get("birth") is None:
            found["failed"] = (told or {}).get("failed") or self._reason(bool(asked))
        self.snapshots.discard()
        self._pacer.leave_out(time.perf_counter() - started)
        return found

    def _reason(self, was_asked: bool) -> str:
        if was_asked:
            return "the replay did not come to the same event"
        reason = self.snapshots.reason or "there was no copy of the process to go on from"
        if self.snapshots.first is not None:
            reason += " and its beginning is too long ago to go through all again"
        return reason

    def _ask(
        self, snapshot: Snapshot, event: str, what: str, *, since: int
    ) -> dict[str, Any] | None:
        age = time.perf_counter() - snapshot.taken
        request = {"event": event, "step": self.steps, "since": max(since, snapshot.step)}
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            request["folder"] = str(self._folder.resolve())
        if age > 1:
            self._tell(
                f"babysit: {what}. A copy of the process from step {snapshot.step:,} is going "
                "through it again to find the operation …"
            )
        seconds = min(MOST_SECONDS, max(LEAST_SECONDS, FACTOR * age))
        told = snapshot.live_on(request, seconds=seconds)
        if told is not None:
            told["since"] = snapshot.step
        if self._folder is not None and not any(self._folder.iterdir()):
            self._folder.rmdir()
        return told

    def _woken(self, request: dict[str, Any], answer: Callable[..., NoReturn]) -> None:
        """In a copy: from here on the program lives again."""
        self._wake_session()
        self._on_wake()
        self.life = SecondLife(
            request, answer, step=self.steps, names=self._names, has_trained=self.steps > 0
        )
        self.life.begin()
        atexit.register(self.life.end)


def is_bad(value: Any) -> bool:
    """Whether a value, or any of several by place, is not finite; what a GPU holds stays there."""
    if isinstance(value, dict):
        return any(is_bad(one) for one in value.values())
    if isinstance(value, Tensor) and value.dim() == 0 and value.device.type == "cpu":
        return not math.isfinite(value.item())
    if isinstance(value, Tensor):
        return value.device.type == "cpu" and not bool(torch.isfinite(value).all())
    return isinstance(value, float) and not math.isfinite(value)


def reading(original: Any, *, on_nan: Callable[[], None]) -> Any:
    """``Tensor.item`` that says when the program reads a NaN."""

    @functools.wraps(original)
    def item(tensor: Any) -> Any:
        value = original(tensor)
        if isinstance(value, float) and math.isnan(value):
            on_nan()
        return value

    return transparent(item)

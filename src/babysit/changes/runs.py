"""Changes of the run as a whole: how long it lasts, and the chance in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from babysit.change import Change, Levers, is_count
from babysit.changes._groups import is_positive

SEED_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class StopAfter(Change):
    """Stop the training after so many steps or seconds, whichever comes first (A5)."""

    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        is_given = self.steps is not None or self.seconds is not None
        is_number_of_steps = self.steps is None or is_count(self.steps)
        self.require(
            steps=(is_given and is_number_of_steps, "a number of steps, 1 or more, or seconds"),
            seconds=(self.seconds is None or is_positive(self.seconds), "a number above 0"),
        )

    def apply(self, levers: Levers) -> None:
        def count(_: Any) -> None:
            if self.steps is not None and levers.step + 1 >= self.steps:
                levers.stop()

        def watch_time(_: Any) -> None:
            if self.seconds is not None and levers.seconds >= self.seconds:
                levers.stop()

        levers.before_step(count)
        levers.after_step(watch_time)


@dataclass(frozen=True, kw_only=True)
class Reseed(Change):
    """Train by other random numbers, the same ones for the same seed; 0 is as the script has it.

    Runs that differ by this alone show how much of a result is chance.
    """

    seed: int

    def __post_init__(self) -> None:
        is_whole = isinstance(self.seed, int) and not isinstance(self.seed, bool)
        self.require(seed=(is_whole and self.seed >= 0, "an integer, 0 or more"))

    def apply(self, levers: Levers) -> None:
        levers.on_seed(self.turn)

    def turn(self, old: int) -> int:
        """Another seed below 2**32 for each of the script's."""
        if self.seed == 0:
            return old
        digest = hashlib.blake2b(f"{self.seed} {old}".encode(), digest_size=SEED_BYTES).digest()
        return int.from_bytes(digest, "big")

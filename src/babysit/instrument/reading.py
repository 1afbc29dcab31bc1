"""The contract of a reading: numbers from the X-ray of one sampled step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from babysit import catalogue

if TYPE_CHECKING:
    from babysit.instrument.xray import Xray

Values: TypeAlias = dict[str, dict[str, float]]


class Reading(ABC):
    """Reads one kind of thing from every X-ray, just before backward runs.

    One instance serves the whole process; what it keeps between samples is bounded, and tensors
    are held weakly. It reads what the forward saved, never runs a module, never draws a random
    number.
    """

    @abstractmethod
    def read(self, xray: Xray) -> Values:
        """Values by signal and place. Facts of the training go into ``xray.facts``."""


@cache
def kinds() -> tuple[type[Reading], ...]:
    """Every reading there is, found by its file."""
    return tuple(catalogue.classes("babysit.instrument.readings", Reading))  # type: ignore[type-abstract]  # a base to compare with

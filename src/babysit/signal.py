"""The contract of a signal: a named quantity at a place over optimizer steps.

A *place* is a layer, a parameter, an optimizer group, an evaluation or a logged name; the
whole training is the empty place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Told of signals that only experiments write; the one place that says when those will come.
CHECKUP: Final = "needs experiments: `babysit checkup`"


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What a signal means, and what to tell the user when it was never seen."""

    meaning: str
    absent: str

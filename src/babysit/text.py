"""Wording shared by every message: numbers, counts and lists as people write them."""

from __future__ import annotations

import math
from collections.abc import Iterable


def number(value: float) -> str:
    """A quantity to three significant digits, without noise.

    >>> number(0.30000000001), number(12345.6), number(2e-7), number(float("nan"))
    ('0.3', '12,346', '2e-07', 'NaN')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share of one as a percentage: ``percent(0.5) == '50 %'``."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.2g} %"


def count(amount: int, noun: str) -> str:
    """An amount with its noun, plural where due: ``count(2, 'step') == '2 steps'``."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def listing(items: Iterable[str], *, most: int = 3) -> str:
    """Names in a row, cut with a count when there are too many.

    >>> listing(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    names = list(items)
    if len(names) <= most:
        return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + "".join(names[-1:])
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def shape(size: Iterable[int]) -> str:
    """A tensor's shape as PyTorch users write it: ``(32, 10)``, ``(32,)``."""
    return str(tuple(size))

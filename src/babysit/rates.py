"""By how much to change a learning rate, from the size of its updates relative to the weights."""

from __future__ import annotations

import math


def divisor(ratio: float) -> int:
    """By what to divide a rate whose updates are too large a share of the weights.

    Towards 0.01: half of the healthy programs lie above 0.013, and of 9 rates that were too high
    the mended ones differ from it by a factor of 3 in the middle.
    """
    return round_factor(ratio / 0.01, most=100)


def multiple(ratio: float) -> int:
    """By what to multiply a rate whose updates are too small: towards 0.003.

    Nine of ten healthy programs lie above, and half of 8 rates that were too low needed more.
    """
    return round_factor(0.003 / ratio, most=1000)


def round_factor(wanted: float, *, most: int) -> int:
    """The nearest of 3, 10, 30, 100 … up to ``most``."""
    steps = [factor for factor in (3, 10, 30, 100, 300, 1000) if factor <= most]
    return min(steps, key=lambda factor: abs(math.log(factor / max(wanted, 1e-30))))

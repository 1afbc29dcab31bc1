"""What a gradient check says: which elements are wrong, by how much, and what was not examined."""

from __future__ import annotations

import math
from dataclasses import dataclass

from babysit.text import count, number, percent


@dataclass(frozen=True, kw_only=True)
class GradientMismatch:
    """One element whose gradient is not the slope of the function.

    Attributes:
        input: the place among the inputs; for a module's parameter, its name.
        element: the index within that tensor, ``()`` for a scalar.
        analytic: what the backward gives.
        numeric: the difference quotient.
        relative_error: ``|analytic - numeric| / |numeric|``; infinite if the slope is 0 or the
            backward gives no finite number.
    """

    input: int | str
    element: tuple[int, ...]
    analytic: float
    numeric: float
    relative_error: float

    def __str__(self) -> str:
        return (
            f"{tensor_name(self.input)}, element {self.element}: the backward gives "
            f"{digits(self.analytic)}, the difference quotient {digits(self.numeric)} "
            f"({self._verdict()})"
        )

    def _verdict(self) -> str:
        if not math.isfinite(self.analytic):
            return "not a finite number"
        if self.numeric == 0 or self.relative_error > 1e6:
            return "should be 0"
        if self.analytic == 0:
            return "should not be 0"
        ratio = self.analytic / self.numeric
        if ratio < 0:
            return "the sign is wrong"
        if ratio > 2:
            return f"{number(ratio)} times too large"
        return f"{percent(self.relative_error)} too {'large' if ratio > 1 else 'small'}"


@dataclass(frozen=True, kw_only=True)
class GradientCheck:
    """The outcome of :func:`babysit.gradcheck`; true when gradients were checked and are right.

    Attributes:
        mismatches: up to five of the worst elements, the worst first.
        num_wrong: how many elements are wrong; an estimate where there are more than five.
        num_checked: elements whose gradient was examined.
        left_out: elements that were not, because the function has a kink, a jump or the border of
            its domain there.
        is_weighted: the numbers are derivatives of a randomly weighted sum of the outputs.
        seconds: how long it took.
        notes: what else is worth knowing, a sentence each.
    """

    mismatches: tuple[GradientMismatch, ...]
    num_wrong: int
    num_checked: int
    left_out: int
    is_weighted: bool
    seconds: float
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Something was checked and nothing was wrong."""
        return not self.mismatches and self.num_checked > 0

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = [self._headline(), *(f"  {mismatch}" for mismatch in self.mismatches)]
        if self.mismatches and self.is_weighted:
            lines.append("  (derivatives of the sum of all outputs under random weights)")
        if self.left_out:
            lines.append(
                f"Left out {count(self.left_out, 'element')} at a kink, a jump or the border of "
                "the domain, where no derivative exists (such as relu at 0)."
            )
        return "\n".join([*lines, *self.notes])

    def _headline(self) -> str:
        took = f"({self.seconds * 1e3:.1f} ms)"
        if self.mismatches:
            is_exact = self.num_wrong in (len(self.mismatches), self.num_checked)
            return (
                f"The gradient is wrong: {'' if is_exact else 'about '}{self.num_wrong:,} of "
                f"{count(self.num_checked, 'element')} {took}."
            )
        if not self.num_checked:
            return f"No gradient was checked {took}."
        return f"The gradient is right: {count(self.num_checked, 'element')} checked {took}."


def tensor_name(place: int | str) -> str:
    """``input 0``, or ``parameter weight`` of a module."""
    return f"input {place}" if isinstance(place, int) else f"parameter {place}"


def digits(value: float) -> str:
    """Four significant digits, enough to see an error of 1 %; more would be noise.

    >>> digits(0.12344), digits(-3.0), digits(float("nan"))
    ('0.1234', '-3', 'NaN')
    """
    return f"{value + 0.0:.4g}" if math.isfinite(value) else number(value)

"""Telling which elements of a tensor have a wrong gradient, once some part of it has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Final, Literal, NamedTuple

import numpy as np
import torch

from babysit.gradient_check import GradientMismatch
from babysit.instrument.gradients.ground import Ground
from babysit.instrument.gradients.search import Descent

MAX_MISMATCHES: Final = 5
MAX_OTHERS: Final = 32  # elements that prove right before a search ends
NUM_SAMPLES: Final = 16
TINY: Final = 1e-14  # what rounding of numbers about 1 within a function leaves of its result


class Judgement(NamedTuple):
    """One element, examined alone; what is wrong with it if it is not right."""

    verdict: Literal["right", "wrong", "kink"]
    mismatch: GradientMismatch


class Inspection:
    """Examines single elements, and collects those that are wrong.

    Args:
        ground: measures slopes.
        names: of the tensors.
        shapes: of the tensors.
        rtol: how far an element may be off.
        generator: draws samples.
    """

    def __init__(
        self,
        ground: Ground,
        names: Sequence[int | str],
        shapes: Sequence[tuple[int, ...]],
        *,
        rtol: float,
        generator: torch.Generator,
    ) -> None:
        self._ground, self._names, self._shapes = ground, names, shapes
        self._rtol, self._generator = rtol, generator
        self.forget()

    def forget(self) -> None:
        """Begin anew, at another point."""
        self.mismatches: list[GradientMismatch] = []
        self.num_wrong = 0
        self.is_weighted = False  # what is reported are derivatives of the weighted sum

    def report(
        self, found: Sequence[GradientMismatch], *, num_wrong: int, is_weighted: bool = True
    ) -> None:
        self.mismatches += found
        self.num_wrong += num_wrong
        self.is_weighted |= is_weighted and not self._ground.sum.is_plain

    def search(self, index: int, total: float, tolerance: float) -> None:
        """Report the worst elements of a tensor whose slopes disagree by a total."""
        if self._search_directly(index, tolerance):
            return
        whole = (0, math.prod(self._shapes[index]))
        descent = Descent(partial(self._ground.gap, index), total, whole, tolerance)
        wrong: list[GradientMismatch] = []
        num_others = 0
        for at in descent.elements():
            verdict, mismatch = self.judge(index, at)
            if verdict == "wrong":
                wrong.append(mismatch)
            else:
                num_others += 1
                if verdict == "kink":
                    self._ground.leave_out(index, (at, at + 1))
            if len(wrong) >= MAX_MISMATCHES or num_others >= MAX_OTHERS:
                break
        if wrong:
            num_wrong = len(wrong)
            if not descent.is_exhausted:
                num_wrong = max(num_wrong + 1, self._estimate(index, tolerance))
            self.report(wrong, num_wrong=num_wrong)

    def _search_directly(self, index: int, tolerance: float) -> bool:
        """Find them at once if the function works element by element, as most of our own do."""
        ground = self._ground
        direction, gradient = ground.directions[index], ground.sum.gradients[index]
        shares = ground.sum.shares(index, direction, ground.step(index))
        if shares is None or gradient is None:
            return False
        own = gradient * direction
        gaps = shares - own
        is_wrong = gaps.abs() > self._rtol * torch.maximum(own.abs(), shares.abs()) + tolerance
        worst = torch.where(is_wrong, gaps.abs(), 0).topk(min(MAX_MISMATCHES, len(gaps))).indices
        found = []
        for at in worst.tolist():
            if not is_wrong[at]:
                break
            weight = float(ground.sum.weights[0][at])
            verdict, mismatch = self.judge(index, at, weight=weight)
            guess = float(shares[at]) / (float(direction[at]) * weight)
            if verdict != "wrong" or not math.isclose(guess, mismatch.numeric, rel_tol=1e-3):
                return False
            found.append(mismatch)
        if not found:
            return False
        self.report(found, num_wrong=int(is_wrong.sum()), is_weighted=False)
        return True

    def _estimate(self, index: int, tolerance: float) -> int:
        """About how many elements of a tensor are wrong.

        From the share of wrong parts among some of one length, as in group testing: with a share p,
        each part has -log(1 - p) wrong elements on average if they are scattered.
        """
        size = math.prod(self._shapes[index])
        length = size // NUM_SAMPLES
        while length > 1:
            starts = torch.randint(size - length + 1, (NUM_SAMPLES,), generator=self._generator)
            gaps = [self._ground.gap(index, (at, at + length)) for at in starts.tolist()]
            share = sum(abs(gap) > tolerance for gap in gaps) / NUM_SAMPLES
            if share < 0.7:
                return int(-math.log1p(-share) * size / length + 0.5)
            length //= 4
        sample: list[int] = torch.randperm(size, generator=self._generator)[:NUM_SAMPLES].tolist()
        wrong = sum(self.judge(index, at).verdict == "wrong" for at in sample)
        return int(size * wrong / len(sample) + 0.5)

    def judge(self, index: int, at: int, *, weight: float = 1.0) -> Judgement:
        """Examine one element alone.

        Args:
            weight: of the one output that hangs on the element, where that is known.
        """
        part = (at, at + 1)
        unit = float(self._ground.directions[index][at]) * weight
        analytic = self._ground.slope(index, part)
        numeric = self._ground.best(index, part, enough=1e-5)
        gap = abs(analytic - numeric.value)
        limit = self._rtol * max(abs(analytic), abs(numeric.value)) + 10 * numeric.error + TINY
        is_right = gap <= limit
        mismatch = self._mismatch(index, at, analytic / (unit or 1), numeric.value / (unit or 1))
        decisive = 0.1 * (gap if math.isfinite(gap) else 0)  # a kink can explain that much
        may_be_kink = not is_right and not abs(numeric.kink) < decisive
        if may_be_kink and self._ground.kink(index, part) > decisive:
            return Judgement("kink", mismatch)
        return Judgement("right" if is_right or unit == 0 else "wrong", mismatch)

    def _mismatch(self, index: int, at: int, analytic: float, numeric: float) -> GradientMismatch:
        gap = abs(analytic - numeric)
        is_number = math.isfinite(gap) and numeric != 0
        element = np.unravel_index(at, self._shapes[index])
        return GradientMismatch(
            input=self._names[index],
            element=tuple(int(one) for one in element),
            analytic=analytic,
            numeric=numeric,
            relative_error=gap / abs(numeric) if is_number else math.inf,
        )

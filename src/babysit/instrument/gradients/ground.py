"""Where a function is smooth enough to be measured: steps, kinks, and elements left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from babysit.instrument.gradients.search import Part, halves
from babysit.instrument.gradients.slopes import Quotient, WeightedSum, scales

MAX_KINKS: Final = 16  # located one by one; with more of them we look beside the inputs
MAX_CROWDING: Final = 0.5  # of a tensor's elements at kinks
STEPS: Final = (1.0, 0.1, 0.01, 10.0, 100.0, 1000.0)  # times the first one
STEPS_OF_SINGLE: Final = (1.0, 3.0, 10.0, 30.0)


class Ground:
    """Measures slopes along one random direction for each tensor, and looks after their quality.

    Attributes:
        sum: the function, with the weights of the round.
        directions: for each tensor, how far each element goes; 0 for elements left out.
        scales: how far it may go; 0 for elements left out.
        crowded: tensors with more kinks than can be left out.
        noise: for tensors where errors may stay unseen, how large ones, relative to an element.
    """

    sum: WeightedSum

    def __init__(self, values: Sequence[Tensor]) -> None:
        self.is_single = any(one.dtype != torch.float64 for one in values)
        eps = max(torch.finfo(one.dtype).eps for one in values)
        self._first_step = float(eps ** (1 / 3)) / 3
        self._tries = STEPS_OF_SINGLE if self.is_single else STEPS
        self._steps: dict[int, float] = {}
        self.directions: dict[int, Tensor] = {}
        self.crowded: set[int] = set()
        self.noise: dict[int, float] = {}
        self.scales = [scales(one) for one in values]
        self.is_moved = False

    def move(self, values: Sequence[Tensor]) -> None:
        """Forget what was found at another point."""
        self.scales = [scales(one) for one in values]
        self._steps.clear()
        self.noise.clear()

    def step(self, index: int) -> float:
        return self._steps.get(index, self._first_step)

    def share(self, index: int, part: Part) -> Tensor:
        """What moves of a tensor when only part of it does."""
        return self.directions[index][slice(*part)]

    def quotient(self, index: int, part: Part, *, times: float = 1.0) -> Quotient:
        step = self.step(index) * times
        return self.sum.quotient(index, part[0], self.share(index, part), step)

    def slope(self, index: int, part: Part) -> float:
        """The slope by the backward."""
        return self.sum.slope(index, part[0], self.share(index, part))

    def gap(self, index: int, part: Part) -> float:
        """Difference quotient minus backward, from two calls."""
        share, step = self.share(index, part), self.step(index)
        up, down = (self.sum.rise(index, part[0], share * way) for way in (step, -step))
        return (up - down) / (2 * step) - self.sum.slope(index, part[0], share)

    def best(self, index: int, part: Part, *, enough: float) -> Quotient:
        """The quotient of least error among several steps; the first whose error is enough."""
        best = None
        for times in self._tries:
            quotient = self.quotient(index, part, times=times)
            if best is None or quotient.error < best.error:
                best = quotient
            if best.error <= enough * abs(best.value):
                break
        assert best is not None
        return best

    def survey(self, index: int) -> Quotient | None:
        """The quotient of a whole tensor, with a step that suits, without elements at kinks.

        None if it cannot be had here: there are too many kinks, or no finite values.
        """
        whole = (0, len(self.directions[index]))
        found = self.quotient(index, whole)
        if self._is_blind(index, whole, found) and index not in self._steps:
            self._choose_step(index, whole)
            found = self.quotient(index, whole)
        if self._is_blind(index, whole, found):
            crowded = self._isolate(index, whole)
            if crowded and not self.is_moved:
                self.crowded.add(index)
                return None
            for part in crowded:
                self.leave_out(index, part)
            found = self.quotient(index, whole)
        if not math.isfinite(found.error):
            self.leave_out(index, whole)
            return None
        return found

    def leave_out(self, index: int, part: Part) -> None:
        self.directions[index][slice(*part)] = 0
        self.scales[index][slice(*part)] = 0

    def kink(self, index: int, part: Part) -> float:
        """By how much the slope jumps here; 0 where it does not, infinite without a slope.

        A jump is the same for all steps; noise falls and curvature grows with them. Steps wider
        than those of quotients meet every kink that these may have met.
        """
        if not math.isfinite(self.quotient(index, part).error):
            return math.inf
        near, far = (
            self.quotient(index, part, times=times)
            for times in ((1.0, 3.0) if self.is_single else (10.0, 30.0))
        )
        is_jump = abs(near.kink) > 10 * near.noise
        return abs(near.kink) if is_jump and 0.5 < far.kink / near.kink < 2 else 0.0

    def _is_blind(self, index: int, part: Part, quotient: Quotient) -> bool:
        """Whether an error of one element could hide behind what disturbs the quotient."""
        share = self.share(index, part)
        spread = self.sum.spread(index, part[0], share)
        allowed = 0.05 * spread * math.sqrt(len(share)) if self.is_single else 1e-5 * spread
        return quotient.error > max(allowed, 30 * quotient.rounding)

    def _choose_step(self, index: int, part: Part) -> None:
        """The step that disturbs a quotient least: functions may be rough or bend sharply."""
        errors = {}
        for times in self._tries:
            quotient = self.quotient(index, part, times=times)
            errors[times] = quotient.error / (1e-300 + abs(quotient.value))
            if not self._is_blind(index, part, quotient):
                break
        best = min(errors, key=lambda times: errors[times])
        if errors[best] < 0.1 * errors[1.0]:  # a kink disturbs all of them alike
            self._steps[index] = self._first_step * best

    def _isolate(self, index: int, whole: Part) -> list[Part]:
        """Leave out the elements at kinks; returns the parts that have too many of them."""
        waiting, num_kinks = [whole], 0
        while waiting:
            part = waiting.pop()
            quotient = self.quotient(index, part)
            if not self._is_blind(index, part, quotient):
                continue
            if part[1] - part[0] > 1:
                waiting += halves(part)
            elif self.kink(index, part):
                self.leave_out(index, part)
                num_kinks += 1
                if num_kinks >= MAX_KINKS and waiting:
                    return waiting
            else:  # noise, the same everywhere
                spread = self.sum.spread(index, 0, self.directions[index])
                self.noise[index] = 10 * quotient.error / (spread or 1.0)
                return []
        is_crowded = num_kinks > MAX_CROWDING * len(self.scales[index])
        return [whole] if is_crowded and not self.is_moved else []

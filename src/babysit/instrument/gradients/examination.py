"""Examining the gradients of all inputs at one point, and saying which elements are wrong."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from babysit.gradient_check import GradientMismatch, tensor_name
from babysit.instrument.gradients.calls import Calls
from babysit.instrument.gradients.ground import Ground
from babysit.instrument.gradients.inspection import MAX_MISMATCHES, NUM_SAMPLES, Inspection
from babysit.instrument.gradients.slopes import WeightedSum, scales
from babysit.text import percent

NUM_ROUNDS: Final = 2  # with weights and directions of their own: nothing cancels twice
MAX_RANGE: Final = 1e4  # of influences that are measured together
SINGLE_RTOL: Final = 0.02
MOVE: Final = 1e-3  # of an element, hundreds of steps
MOVE_OF_SINGLE: Final = 0.1


class Examination:
    """Compares the backward with difference quotients along random directions, tensor by tensor.

    Each round draws random weights for the outputs and a random direction for each tensor; a part
    of a tensor is right when its slope along its share of the direction agrees within the noise
    that two step sizes show. Where it does not, the part is split until single elements remain.
    A random direction keeps all errors in the sum (Rademacher signs, as in Hutchinson 1989, here
    with random lengths so that no two equal errors cancel); a slope along it costs the same
    whatever the size.

    Args:
        calls: the function.
        num_outputs: the size of each output.
        rtol: how far an element may be off.
        seed: of weights and directions.
    """

    def __init__(self, calls: Calls, num_outputs: list[int], *, rtol: float, seed: int) -> None:
        self._calls, self._num_outputs = calls, num_outputs
        self._generator = torch.Generator().manual_seed(seed)
        self._values = list(calls.values)
        self._ground = Ground(self._values)
        self._inspection = Inspection(
            self._ground,
            calls.names,
            [tuple(one.shape) for one in self._values],
            rtol=max(rtol, SINGLE_RTOL) if self._ground.is_single else rtol,
            generator=self._generator,
        )
        self._without: set[int] = set()  # tensors that get no gradient

    @property
    def mismatches(self) -> list[GradientMismatch]:
        """The worst elements, the worst first."""
        found = sorted(self._inspection.mismatches, key=lambda one: -one.relative_error)
        return found[:MAX_MISMATCHES]

    @property
    def num_wrong(self) -> int:
        return self._inspection.num_wrong

    @property
    def is_weighted(self) -> bool:
        return self._inspection.is_weighted

    @property
    def left_out(self) -> int:
        return sum(int((one == 0).sum()) for one in self._examined_scales())

    @property
    def num_checked(self) -> int:
        return sum(int((one != 0).sum()) for one in self._examined_scales())

    def _examined_scales(self) -> list[Tensor]:
        return [one for at, one in enumerate(self._ground.scales) if at not in self._without]

    def run(self) -> None:
        """Examine everything; once more beside the inputs if these lie on many kinks."""
        for number in range(NUM_ROUNDS):
            self._round(number)
            if self._ground.crowded and not self._ground.is_moved:
                self._move()
                self._round(number)
            if self._inspection.mismatches:
                break

    def _round(self, number: int) -> None:
        is_plain = number == 0 and self._num_outputs == [1]
        weights = [torch.ones(1) if is_plain else self._random(size) for size in self._num_outputs]
        ground = self._ground
        ground.sum = WeightedSum(self._calls, self._values, weights)
        for index, gradient in enumerate(ground.sum.gradients):
            if gradient is None:
                self._without.add(index)
            if gradient is None or not gradient.numel():
                continue
            broken = self._set_aside_non_finite(index, gradient)
            direction = self._random(gradient.numel()).to(gradient.device) * ground.scales[index]
            direction[broken] = 0
            for share in by_size(direction, gradient):
                ground.directions[index] = share
                self._examine(index)
                if ground.crowded and not ground.is_moved:
                    return

    def _random(self, size: int) -> Tensor:
        """Numbers of random sign, 0.5 to 1.5 in size."""
        numbers = torch.rand(size, generator=self._generator, dtype=torch.float64)
        signs = torch.randint(0, 2, (size,), generator=self._generator)
        return numbers.add_(0.5).mul_(signs.mul_(2).sub_(1))

    def _move(self) -> None:
        """Go to a point beside the inputs, if the function is defined there."""
        self._ground.is_moved = True
        values = list(self._values)
        for index in self._ground.crowded:
            value = values[index]
            change = self._random(value.numel()).to(value.device) * scales(value)
            values[index] = value + (self._reach * change).view_as(value).to(value.dtype)
        try:
            outputs, _ = self._calls.run(values)
            is_defined = all(bool(one.isfinite().all()) for one in outputs)
        except Exception:  # whatever the user's function raises outside its domain
            is_defined = False
        if not is_defined:
            self._ground.crowded.clear()
            values = self._values
        self._values = values
        self._ground.move(values)
        self._inspection.forget()

    @property
    def _reach(self) -> float:
        return MOVE_OF_SINGLE if self._ground.is_single else MOVE

    def _examine(self, index: int) -> None:
        """Compare the slopes of one tensor."""
        quotient = self._ground.survey(index)
        if quotient is None:
            return
        whole = (0, self._values[index].numel())
        gap = quotient.value - self._ground.slope(index, whole)
        tolerance = 5 * quotient.error
        if abs(gap) > tolerance:
            self._inspection.search(index, gap, tolerance)

    def _set_aside_non_finite(self, index: int, gradient: Tensor) -> list[int]:
        """Report gradients that are NaN or infinite where the function has a slope."""
        scale = self._ground.scales[index]
        broken: list[int] = (~gradient.isfinite() & (scale != 0)).nonzero().flatten().tolist()
        self._ground.directions[index] = scale.double()
        judgements = [self._inspection.judge(index, at) for at in broken[:NUM_SAMPLES]]
        wrong = [one.mismatch for one in judgements if one.verdict == "wrong"]
        if wrong:
            about = round(len(wrong) / len(judgements) * len(broken))
            self._inspection.report(wrong[:MAX_MISMATCHES], num_wrong=about)
        gradient.nan_to_num_(0, 0, 0)
        for at, judgement in zip(broken, judgements, strict=False):
            if judgement.verdict == "kink":
                self._ground.leave_out(index, (at, at + 1))
        return broken

    # -- what else is worth knowing ------------------------------------------------------

    def remarks(self) -> list[str]:
        """A sentence each: tensors without gradient, other points, what would not show."""
        notes = []
        for index in sorted(self._without):
            although = ", although the outputs depend on it" if self._depends(index) else ""
            notes.append(f"{self._name(index).capitalize()} gets no gradient{although}.")
        for index in sorted(self._ground.crowded):
            notes.append(
                f"{self._name(index).capitalize()} lies on many kinks (such as relu at 0): it was "
                f"moved by about {percent(self._reach)}, to where derivatives exist."
            )
        for index, noise in self._ground.noise.items():
            notes.append(
                "The function is rough (calculated in float32?) or bends sharply: an error below "
                f"about {percent(noise)} of a typical element of {self._name(index)} would not "
                "show."
            )
        return notes

    def _depends(self, index: int) -> bool:
        """Whether the outputs change with a tensor that gets no gradient."""
        value, scale = self._values[index], self._ground.scales[index]
        direction = self._random(value.numel()).to(value.device) * scale
        slope = self._ground.sum.quotient(index, 0, direction, self._ground.step(index))
        return abs(slope.value) > 100 * slope.noise

    def _name(self, index: int) -> str:
        return tensor_name(self._calls.names[index])


def by_size(direction: Tensor, gradient: Tensor) -> list[Tensor]:
    """A direction in parts, so that elements of great influence do not drown those of little."""
    influence = (direction * gradient).abs()
    moving = influence[influence > 0]
    if not len(moving) or float(moving.max()) < MAX_RANGE * float(moving.median()):
        return [direction]
    is_great = influence > math.sqrt(MAX_RANGE) * moving.median()
    return [torch.where(is_great, 0, direction), torch.where(is_great, direction, 0)]

"""The slope of a function along a direction: by its backward, and by difference quotients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from babysit.errors import BabysitError
from babysit.instrument.gradients.calls import Calls, first_line

# Elements much smaller than the tensor's RMS move by this share of it: a step that is relative to
# the element stays clear of kinks at 0 and inside the domain of log, but must not drown in noise.
MIN_SCALE: Final = {torch.float64: 1e-3}
MIN_SCALE_OF_SINGLE: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Quotient:
    """A numerical slope with what limits it.

    Attributes:
        value: the slope.
        rounding: what rounding of inputs and outputs alone contributes.
        noise: what rounding and the finite step contribute, measured, at least ``rounding``.
        kink: the slope to the right minus that to the left, where they differ.
    """

    value: float
    rounding: float
    noise: float
    kink: float

    @property
    def error(self) -> float:
        """How far the value may be from the slope; infinite where there is no slope."""
        error = max(self.noise, abs(self.kink))
        return error if math.isfinite(error + self.value) else math.inf


class WeightedSum:
    """The sum of all outputs under fixed weights, as a function of one tensor at a time.

    With random weights, an error in any derivative of any output is one of the sum's gradient.

    Args:
        calls: the function.
        values: where its gradient is taken.
        weights: one tensor for each output.

    Raises:
        BabysitError: the backward raises.
    """

    def __init__(self, calls: Calls, values: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
        self._calls, self._values = calls, list(values)
        outputs, leaves = calls.run(values)
        weights = [w.to(o).view_as(o) for w, o in zip(weights, outputs, strict=True)]
        try:
            # Not with grad_outputs: torch imports sympy for them, half a second.
            terms = [(w * o).sum().double() for w, o in zip(weights, outputs, strict=True)]
            found = torch.autograd.grad(torch.stack(terms).sum(), leaves, allow_unused=True)
        except Exception as error:  # whatever the user's backward raises
            raise BabysitError(
                f"The backward of the function fails: {first_line(error)}"
            ) from error
        self.gradients = [None if one is None else as_double(one) for one in found]
        self._rest = [as_double(one) for one in outputs]
        self.weights = [as_double(one) for one in weights]
        self._eps = max(torch.finfo(one.dtype).eps for one in (*outputs, *values))
        self._squares = [(w * r).square_() for w, r in zip(self.weights, self._rest, strict=True)]
        self.is_plain = sum(map(len, self.weights)) == 1 and float(self.weights[0][0]) == 1

    def rise(self, index: int, start: int, change: Tensor) -> float:
        """By how much the sum grows when part of a tensor changes; NaN where it is not defined."""
        return self._total(self._growth(index, start, change))

    def _total(self, growth: list[Tensor] | None) -> float:
        if growth is None:
            return math.nan
        return sum(torch.dot(w, g).item() for w, g in zip(self.weights, growth, strict=True))

    def _growth(self, index: int, start: int, change: Tensor) -> list[Tensor] | None:
        """What is added to each output."""
        values = list(self._values)
        values[index] = moved = values[index].clone()
        moved.view(-1)[start : start + len(change)] += change
        try:
            outputs, _ = self._calls.run(values)
            return [as_double(o).sub_(r) for o, r in zip(outputs, self._rest, strict=True)]
        except Exception:  # whatever the user's function raises outside its domain
            return None

    def shares(self, index: int, direction: Tensor, step: float) -> Tensor | None:
        """What each element contributes to the slope if the function works element by element.

        A guess from two calls, to be confirmed; None where sizes show that it does not.
        """
        if [len(weights) for weights in self.weights] != [len(direction)]:
            return None
        up, down = (self._growth(index, 0, direction * way) for way in (step, -step))
        if up is None or down is None:
            return None
        return up[0].sub_(down[0]).mul_(self.weights[0]).div_(2 * step)

    def quotient(self, index: int, start: int, direction: Tensor, step: float) -> Quotient:
        """The slope along a direction that moves part of a tensor, from four calls.

        Central differences at ``step`` and twice that, extrapolated (Richardson 1911): the error is
        of the fourth order. In ``4 S(h) - S(2h)``, where ``S(h) = f(h) + f(-h) - 2 f(0)``, whatever
        is smooth cancels to the fourth order as well; a jump of the slope remains.
        """
        growth = self._growth(index, start, direction * step)
        up = self._total(growth)
        down, far_up, far_down = (
            self.rise(index, start, direction * (times * step)) for times in (-1, 2, -2)
        )
        near, far = (up - down) / (2 * step), (far_up - far_down) / (4 * step)
        rounding = self._rounding(index, start, direction, growth or []) / step
        return Quotient(
            value=(4 * near - far) / 3,
            rounding=rounding,
            noise=max(abs(near - far), rounding),
            kink=(4 * (up + down) - (far_up + far_down)) / (2 * step),
        )

    def _rounding(self, index: int, start: int, direction: Tensor, growth: list[Tensor]) -> float:
        """What rounding of the inputs that move and of the outputs that change does to a rise."""
        gradient = self.gradients[index]
        moved = 0.0
        if gradient is not None:
            part = slice(start, start + len(direction))
            share = (direction != 0) * self._values[index].view(-1)[part] * gradient[part]
            moved = float(share.nan_to_num_(0, 0, 0).norm())
        changed = sum(
            torch.dot(square, (one != 0).double()).item()
            for square, one in zip(self._squares, growth, strict=False)
        )
        if not changed:  # perhaps because rounding swallowed it
            changed = sum(square.sum().item() for square in self._squares)
        return self._eps * (math.sqrt(changed) + moved)

    def slope(self, index: int, start: int, direction: Tensor) -> float:
        """The same slope by the backward."""
        gradient = self.gradients[index]
        assert gradient is not None
        return torch.dot(gradient[start : start + len(direction)], direction.double()).item()

    def spread(self, index: int, start: int, direction: Tensor) -> float:
        """What one typical element contributes to the slope (RMS)."""
        gradient = self.gradients[index]
        assert gradient is not None
        part = gradient[start : start + len(direction)] * direction
        return float(part.norm()) / math.sqrt(len(direction))


def scales(value: Tensor) -> Tensor:
    """By how much the elements of a tensor vary: their size, flat; 0 where that is infinite."""
    size = value.detach().abs().reshape(-1)
    is_finite = size.isfinite()
    rms = float(size[is_finite].square().mean().sqrt())
    if not math.isfinite(rms) or rms == 0:
        rms = 1.0
    floor = rms * MIN_SCALE.get(value.dtype, MIN_SCALE_OF_SINGLE)
    return torch.where(is_finite, size.clamp(min=floor), 0)


def as_double(tensor: Tensor) -> Tensor:
    """Flat numbers in double precision, a copy of their own."""
    dense = tensor.detach().to_dense() if tensor.is_sparse else tensor.detach()
    return dense.to(torch.float64, copy=True).reshape(-1)

"""Changes of the gradients: what the optimizer sees of them, and how long they stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer

from babysit.change import Change, Levers
from babysit.changes._groups import is_positive, parameters_of, with_gradients

Clip = Callable[[list[Tensor], float], object]


@dataclass(frozen=True, kw_only=True)
class ClipGradients(Change):
    """Clip the gradient by its norm over all parameters (A3, D8: in recurrent nets at 5 or 15)."""

    max_norm: float

    def __post_init__(self) -> None:
        self.require(max_norm=(is_positive(self.max_norm), "a number above 0"))

    def apply(self, levers: Levers) -> None:
        clip_before_steps(levers, clip_grad_norm_, self.max_norm)


@dataclass(frozen=True, kw_only=True)
class ClipGradientValues(Change):
    """Clip each element of the gradient to a largest absolute value (C9: by value or norm)."""

    max_value: float

    def __post_init__(self) -> None:
        self.require(max_value=(is_positive(self.max_value), "a number above 0"))

    def apply(self, levers: Levers) -> None:
        clip_before_steps(levers, clip_grad_value_, self.max_value)


@dataclass(frozen=True, kw_only=True)
class ClearGradients(Change):
    """Clear the gradients after each step, so that none adds to those of the next.

    Several backwards within one step add up as before.
    """

    def apply(self, levers: Levers) -> None:
        def clear(optimizer: Optimizer) -> None:
            for parameter in parameters_of(optimizer):
                parameter.grad = None

        levers.after_step(clear)


def clip_before_steps(levers: Levers, clip: Clip, limit: float) -> None:
    """Clip the gradients of each optimizer once they are there, also those of a closure."""

    def act(optimizer: Optimizer) -> None:
        clip(parameters_of(optimizer), limit * gradient_scale(optimizer))

    def meet(optimizer: Optimizer) -> None:
        levers.in_the_end(optimizer.register_step_pre_hook(with_gradients(act)).remove)

    levers.on_optimizer(meet)


def gradient_scale(optimizer: Optimizer) -> float:
    """By how much gradients are too large: a GradScaler leaves it to fused steps to unscale."""
    scale = getattr(optimizer, "grad_scale", None)
    return 1.0 if scale is None else float(scale)

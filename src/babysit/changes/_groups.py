"""What changes of optimizers share: altering options for a step, and catching the gradients."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from babysit.change import Act, Levers, is_number

Undo = Callable[[], None]


def is_positive(value: object) -> bool:
    """Whether a value is a finite number above 0."""
    return is_number(value, above=0) and math.isfinite(value)  # type: ignore[arg-type]  # a number


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def nominal_rate(group: dict[str, Any]) -> float:
    """What schedules start from: the peak of a one-cycle, the initial rate, or the rate itself."""
    return float(group.get("max_lr", group.get("initial_lr", group["lr"])))


def set_option(group: dict[str, Any], name: str, value: Any) -> Undo:
    """Set an option of a group; a tensor that steps may have captured is changed in place."""
    old = group[name]
    if not isinstance(old, Tensor):
        group[name] = value
        return functools.partial(group.__setitem__, name, old)
    kept = old.detach().clone()
    with torch.no_grad():
        old.copy_(torch.as_tensor(value))

    def restore() -> None:
        with torch.no_grad():
            old.copy_(kept)

    return restore


def during_steps(levers: Levers, alter: Callable[[Optimizer], list[Undo]]) -> None:
    """Alter optimizers while they step, and nothing in between: schedules never see it."""
    altered: list[Undo] = []

    def begin(optimizer: Optimizer) -> None:
        altered.extend(alter(optimizer))

    def end(_: Optimizer | None = None) -> None:
        while altered:
            altered.pop()()

    levers.before_step(begin)
    levers.after_step(end)
    levers.in_the_end(end)


def with_gradients(act: Act) -> Callable[[Optimizer, Any, Any], Any]:
    """A hook before a step that acts once its gradients are there.

    They are there already, unless the step has a closure that computes them.
    """

    def hook(optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if closure is None:
            act(optimizer)
            return None

        def compute() -> Any:
            loss = closure()
            act(optimizer)
            return loss

        if "closure" in kwargs:
            return args, {**kwargs, "closure": compute}
        return (args[0], compute, *args[2:]), kwargs

    return hook

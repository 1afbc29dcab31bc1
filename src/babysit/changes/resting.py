"""A change that ends the learning before the training ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import LBFGS, Optimizer

from babysit.change import CannotApplyError, Change, Levers, is_count
from babysit.changes._groups import parameters_of
from babysit.changes._models import while_models_run


@dataclass(frozen=True, kw_only=True)
class Rest(Change):
    """Learn nothing any more from a step on, with the model in evaluation mode (D11).

    What is noted from there on is what the model has come to, without the noise of dropout: so
    trainings with and without it can be compared. After each call the modules have the modes
    again that the script gave them.

    Args:
        after: steps that are trained as they are.
    """

    after: int

    def __post_init__(self) -> None:
        self.require(after=(is_count(self.after), "a number of steps, 1 or more"))

    def apply(self, levers: Levers) -> None:
        def refuse(optimizer: Optimizer) -> None:
            if isinstance(optimizer, LBFGS):
                raise CannotApplyError("LBFGS evaluates the loss several times in each step")

        def hold(optimizer: Optimizer) -> None:
            if levers.step >= self.after:
                for parameter in parameters_of(optimizer):
                    parameter.grad = None  # what has no gradient is left alone

        @contextmanager
        def evaluated(model: nn.Module) -> Iterator[None]:
            if levers.step < self.after or not torch.is_grad_enabled():
                yield
                return
            modes = [(one, one.training) for one in model.modules()]
            model.eval()
            try:
                yield
            finally:
                for one, mode in modes:
                    one.training = mode

        levers.on_optimizer(refuse)
        levers.before_step(hold)
        while_models_run(levers, evaluated)

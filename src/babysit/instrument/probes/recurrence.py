"""Gradients of recurrent weights, at every step: their spikes are rare."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.instrument.probe import Probe


class Recurrence(Probe):
    """The norm of the first recurrent weight's gradient, as the optimizer receives it.

    One small tensor a step; programs without a recurrent layer pay nothing.
    """

    sleeps = ("on_step",)

    def attach(self) -> None:
        """Nothing to watch: recurrent layers are met in the calls of sampled steps."""
        self._weights: dict[int, weakref.ref[Tensor]] = {}

    def on_call(
        self, module: nn.Module, inputs: Sequence[Any], output: Any, is_evaluation: bool
    ) -> None:
        """Remember the recurrent weights of a model."""
        if is_evaluation or not module.training:
            return
        for layer in module.modules():
            if isinstance(layer, (nn.RNNBase, nn.RNNCellBase)):
                weight = getattr(layer, "weight_hh_l0", None)
                weight = getattr(layer, "weight_hh", None) if weight is None else weight
                if isinstance(weight, Tensor):
                    self._weights[id(weight)] = weakref.ref(weight)
                    self.wake("on_step")

    def on_step(self, optimizer: Optimizer) -> None:
        """Note the norm of the first that this optimizer holds."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                known = self._weights.get(id(parameter))
                is_known = known is not None and known() is parameter
                gradient = parameter.grad if is_known else None
                if gradient is not None:
                    norm = torch.linalg.vector_norm(gradient.detach())
                    self.note("recurrent-gradient-norm", norm)
                    return

"""Updates of half-precision parameters that are rounded away."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from babysit.instrument.probe import Probe
from babysit.instrument.trainings import parameters_of

MAX_PARAMETERS: Final = 32
MAX_ELEMENTS: Final = 8192
HALVES: Final = (torch.bfloat16, torch.float16)


class LostUpdates(Probe):
    """Compares half-precision parameters before and after a sampled step, element by element.

    Only elements whose gradient is at least the root mean square of its tensor count, and only
    under PyTorch's own optimizers: others may round at random or keep a remainder.
    """

    sleeps = ("after_step",)

    def attach(self) -> None:
        self._before: list[tuple[Tensor, Tensor, Tensor]] = []

    def on_sampled_step(self, optimizer: Optimizer) -> None:
        """Remember a sample of the elements that are about to move."""
        self._before = []
        if not type(optimizer).__module__.startswith("torch.optim"):
            return
        if not any(group.get("lr") for group in optimizer.param_groups):
            return
        moving = [p for p in parameters_of(optimizer) if p.dtype in HALVES and p.grad is not None]
        for parameter in moving[:: -(-len(moving) // MAX_PARAMETERS) or 1]:
            gradient = parameter.grad
            if gradient is None or gradient.is_sparse or not parameter.is_contiguous():
                continue
            stride = -(-parameter.numel() // MAX_ELEMENTS) or 1
            sizes = gradient.detach().reshape(-1)[::stride].float().abs()
            counts = (sizes >= sizes.square().mean().sqrt()) & (sizes > 0)
            values = parameter.detach().reshape(-1)[::stride].clone()
            self._before.append((parameter, values, counts))
            self.wake("after_step")

    def after_step(self, optimizer: Optimizer) -> None:
        """How many of them stayed where they were, over all parameters."""
        self.rest("after_step")
        lost = total = 0.0
        for parameter, values, counts in self._before:
            stride = -(-parameter.numel() // MAX_ELEMENTS) or 1
            same = parameter.detach().reshape(-1)[::stride] == values
            share = torch.stack([(same & counts).sum(), counts.sum()]).tolist()
            weight = parameter.numel() / len(values)
            lost, total = lost + weight * share[0], total + weight * share[1]
        self._before = []
        if total:
            self.note("lost-share", lost / total)

"""Whether the gradients of different batches point the same way."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from babysit.instrument.parameters import subsample
from babysit.instrument.probe import Probe

MAX_TENSORS = 8


@dataclass
class Last:
    """The gradient of the last sample."""

    vectors: list[Tensor]
    step: int


class GradientAgreement(Probe):
    """Cosine between the gradients of one sampled step and the sampled step before."""

    def attach(self) -> None:
        self._last: weakref.WeakKeyDictionary[Optimizer, Last] = weakref.WeakKeyDictionary()

    def on_sampled_step(self, optimizer: Optimizer) -> None:
        """Compare a bounded part of the gradients of the largest tensors."""
        found = [p.grad for group in optimizer.param_groups for p in group["params"]]
        dense = [g for g in found if g is not None and not g.is_sparse]
        if not dense:
            return
        largest = sorted(dense, key=lambda gradient: -gradient.numel())[:MAX_TENSORS]
        with torch.no_grad():
            now = [subsample(gradient) for gradient in largest]
            before = self._last.get(optimizer)
            self._last[optimizer] = Last(now, self.step)
            if before is None or [v.shape for v in before.vectors] != [v.shape for v in now]:
                return
            products = torch._foreach_mul(now, before.vectors)
            dot = torch.stack([product.sum() for product in products]).sum()
            norms = [torch.stack(torch._foreach_norm(v)).norm() for v in (now, before.vectors)]
            self.note("gradient-agreement", dot / (norms[0] * norms[1]).clamp_min(1e-30))

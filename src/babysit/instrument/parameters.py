"""Weights, gradients and updates of a sampled step, in a handful of batched operations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MAX_PLACES = 256
MAX_ELEMENTS = 65_536
SPREAD_SAMPLES = 16
_ROWS, _COLUMNS = 64, 1024


def subsample(tensor: Tensor) -> Tensor:
    """At most :data:`MAX_ELEMENTS` evenly spaced values, as one flat float32 copy."""
    flat = tensor.detach()
    if flat.is_sparse:
        flat = flat.coalesce().values()
    flat = flat.reshape(-1)
    stride = -(-flat.numel() // MAX_ELEMENTS)
    return flat[:: max(stride, 1)].to(torch.float32, copy=True)


def spaced(items: Sequence[tuple[str, Tensor]]) -> list[tuple[str, Tensor]]:
    """At most :data:`MAX_PLACES` of the items, evenly spaced, first and last among them."""
    if len(items) <= MAX_PLACES:
        return list(items)
    last = len(items) - 1
    picks = sorted({round(i * last / (MAX_PLACES - 1)) for i in range(MAX_PLACES)})
    return [items[index] for index in picks]


def rms(tensors: Sequence[Tensor]) -> list[float]:
    """Root mean square of each tensor; one transfer for all."""
    if not tensors:
        return []
    norms = torch._foreach_norm(list(tensors))
    values = torch.stack([norm.to("cpu") for norm in norms]).tolist()
    return [
        value / max(tensor.numel(), 1) ** 0.5 for value, tensor in zip(values, tensors, strict=True)
    ]


def total_norm(gradients: Sequence[Tensor]) -> Tensor:
    """L2 norm of all gradients together, as a tensor that has not left its device."""
    detached = [gradient.detach() for gradient in gradients]
    norms = torch._foreach_norm([g.coalesce().values() if g.is_sparse else g for g in detached])
    device = norms[0].device
    sizes = [norm.to(device=device, dtype=torch.float32) for norm in norms]
    return torch.stack(sizes).square().sum().sqrt()


class UpdateSampler:
    """Statistics of one optimizer step: created before it, asked after it."""

    def __init__(
        self,
        named: Sequence[tuple[str, Tensor]],
        *,
        with_spread: bool,
        gradients: Sequence[Tensor | None] = (),
    ) -> None:
        self._named = spaced(named)
        self._before = [subsample(tensor) for _, tensor in self._named]
        self.values: dict[str, dict[str, float]] = {}
        self._keep("weight-rms", [name for name, _ in self._named], rms(self._before))
        given = dict(zip((name for name, _ in named), gradients, strict=False))
        found = [(name, given.get(name, tensor.grad)) for name, tensor in self._named]
        graded = [(name, gradient) for name, gradient in found if gradient is not None]
        sizes = rms([subsample(gradient) for _, gradient in graded])
        self._keep("gradient-rms", [name for name, _ in graded], sizes)
        if with_spread:
            self._spread()

    def _keep(self, signal: str, names: list[str], values: list[float]) -> None:
        self.values[signal] = dict(zip(names, values, strict=True))

    def _spread(self) -> None:
        """How much a weight's units differ: 0 when all are equal.

        Units are the rows of a layer's weight and the columns in hand-written ``x @ w``: the
        smaller spread of the two counts. Either parts with the first honest update.
        """
        names, spreads = [], []
        for name, tensor in self._named:
            if tensor.dim() >= 2 and tensor.shape[0] >= 2 and tensor[0].numel() >= 2:
                flat = tensor.detach()[:_ROWS].reshape(min(_ROWS, tensor.shape[0]), -1)
                flat = flat[:, :_COLUMNS].float()
                largest = flat.abs().amax().clamp_min(torch.finfo(torch.float32).tiny)
                rows, columns = (flat - flat[:1]).abs().amax(), (flat - flat[:, :1]).abs().amax()
                names.append(name)
                spreads.append((torch.minimum(rows, columns) / largest).to("cpu"))
        if spreads:
            self._keep("unit-spread", names, torch.stack(spreads).tolist())

    @property
    def tensors(self) -> list[Tensor]:
        return [tensor for _, tensor in self._named]

    def replace(self, tensors: Sequence[Tensor]) -> None:
        """The step made new tensors instead of changing these."""
        names = (name for name, _ in self._named)
        self._named = list(zip(names, tensors, strict=True))

    def finish(self) -> dict[str, dict[str, float]]:
        """All values by signal and parameter, now that the step has been taken."""
        after = [subsample(tensor) for _, tensor in self._named]
        if after:
            updates = rms(list(torch._foreach_sub(after, self._before)))
            self._keep("update-rms", [name for name, _ in self._named], updates)
        return self.values

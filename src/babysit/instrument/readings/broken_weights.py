"""Parameters and running statistics that are not finite."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument.reading import Reading, Values
from babysit.instrument.readings.broken_data import non_finite_share
from babysit.instrument.xray import Xray

MAX_TENSORS: Final = 4096
MAX_REPORTED: Final = 64


class BrokenWeights(Reading):
    """Looks through each parameter when it is first seen, and through all when the loss broke."""

    def __init__(self) -> None:
        self._seen: MutableMapping[Tensor, bool] = WeakIdKeyDictionary()

    def read(self, xray: Xray) -> Values:
        """Shares of values that are not finite, by parameter; only where there are any."""
        is_bad = not bool(torch.isfinite(xray.loss.detach()).all())
        parameters = [
            (node.parameter or "", xray.graph[index].variable)
            for index, node in enumerate(xray.wiring.nodes)
            if node.parameter is not None
        ]
        new = [(name, tensor) for name, tensor in parameters if is_bad or tensor not in self._seen]
        if not new:
            return {}
        for _, tensor in new:
            self._seen[tensor] = True
        candidates = [*new[:MAX_TENSORS], *running_statistics(xray.roots)]
        shares = {
            name: non_finite_share(tensor.detach() if is_bad else without_masks(tensor))
            for name, tensor in broken(candidates)
        }
        return {"non-finite-weights": {name: share for name, share in shares.items() if share}}


def without_masks(tensor: Tensor) -> Tensor:
    """With zeros for minus infinity, which forbids by intent as long as the loss is finite."""
    return tensor.detach().masked_fill(tensor.detach() == -torch.inf, 0)


def running_statistics(roots: list[nn.Module]) -> Iterator[tuple[str, Tensor]]:
    """Means and variances that normalisations keep; other buffers may be infinite by right."""
    for root in roots:
        for name, module in root.named_modules():
            if isinstance(module, nn.modules.batchnorm._NormBase):
                for buffer in ("running_mean", "running_var"):
                    tensor = getattr(module, buffer)
                    if tensor is not None:
                        yield f"{name}.{buffer}" if name else buffer, tensor


def broken(named: list[tuple[str, Tensor]]) -> list[tuple[str, Tensor]]:
    """Those whose sum is not finite; one transfer for each device."""
    by_device: dict[torch.device, list[tuple[str, Tensor]]] = {}
    for name, tensor in named:
        if tensor.is_floating_point() and tensor.numel() and not tensor.is_sparse:
            by_device.setdefault(tensor.device, []).append((name, tensor))
    found = []
    for group in by_device.values():
        sums = torch.stack([tensor.detach().float().sum() for _, tensor in group])
        bad = (~torch.isfinite(sums)).nonzero().flatten().tolist()
        found += [group[index] for index in bad]
    return found[:MAX_REPORTED]

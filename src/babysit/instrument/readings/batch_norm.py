"""How many values a batch norm averages, and whether its running statistics fit the data."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray

OPS: Final = frozenset({"NativeBatchNorm", "CudnnBatchNorm", "MiopenBatchNorm"})
MAX_LAYERS: Final = 64
MAX_EXAMPLES: Final = 256
MAX_DIVERGENCE: Final = 100.0
_TINY: Final = 1e-10


class BatchNorms(Reading):
    """Statistics of batches against those that a batch norm keeps for evaluations."""

    def read(self, xray: Xray) -> Values:
        """By layer: values per channel, divergence, and how much of the start is left."""
        values: Values = {
            "batch-norm-values": {}, "batch-norm-mismatch": {}, "batch-norm-start-left": {},
        }  # fmt: skip
        layers = {
            layer.weight.data_ptr(): layer
            for root in xray.roots
            for layer in root.modules()
            if isinstance(layer, _BatchNorm) and layer.weight is not None
        }
        for index in list(xray.wiring.find(OPS))[:MAX_LAYERS]:
            node = xray.wiring.nodes[index]
            place = node.layer or "?"
            if len(node.shape) >= 2 and node.facts.get("training", 1.0):
                channels = max(node.shape[1], 1)
                values["batch-norm-values"][place] = float(
                    torch.Size(node.shape).numel() / channels
                )
            weight = xray.saved(index, "weight")
            layer = layers.get(weight.data_ptr()) if weight is not None else None
            batch = batch_statistics(xray, index)
            if layer is None or batch is None or layer.running_mean is None:
                continue
            values["batch-norm-mismatch"][place] = mismatch(*batch, layer)
            values["batch-norm-start-left"][place] = start_left(layer)
        return values


def batch_statistics(xray: Xray, index: int) -> tuple[Tensor, Tensor] | None:
    """Mean and variance of each channel over the batch that a batch norm was given."""
    mean, inverse = xray.saved(index, "result1"), xray.saved(index, "result2")
    if mean is not None and inverse is not None and mean.numel():
        epsilon = getattr(xray.graph[index], "_saved_eps", 1e-5)
        return mean.double(), (inverse.double() ** -2 - epsilon).clamp_min(0)
    batch = xray.saved(index, "input")
    if batch is None or batch.dim() < 2 or batch.shape[0] < 2:
        return None
    channels = batch[:MAX_EXAMPLES].double().transpose(0, 1).flatten(1)
    return channels.mean(dim=1), channels.var(dim=1, correction=0)


def mismatch(mean: Tensor, variance: Tensor, layer: _BatchNorm) -> float:
    """Mean over living channels of KL(batch, running), both taken as normal, in nats."""
    assert layer.running_mean is not None
    assert layer.running_var is not None
    kept_mean, kept = layer.running_mean.double(), layer.running_var.double().clamp_min(_TINY)
    is_alive = variance > _TINY
    ratio = variance.clamp_min(_TINY) / kept
    divergence = 0.5 * (ratio + (mean - kept_mean).square() / kept - 1 - ratio.log())
    living = divergence.clamp(0, MAX_DIVERGENCE)[is_alive]
    return living.mean().item() if living.numel() else 0.0


def start_left(layer: _BatchNorm) -> float:
    """How much of mean 0 and variance 1 is left: after n updates, (1 - momentum) to the n."""
    assert layer.running_mean is not None
    assert layer.running_var is not None
    if not layer.training:
        at_start = (layer.running_mean == 0).all() & (layer.running_var == 1).all()
        return float(at_start)
    if layer.momentum is None or layer.num_batches_tracked is None:
        return 0.0
    return float((1 - layer.momentum) ** int(layer.num_batches_tracked))

"""How the scale of activations runs through the layers while the weights are as initialised."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from babysit.instrument.reading import Reading, Values
from babysit.instrument.readings.inputs import DATA
from babysit.instrument.xray import Xray, weight_of
from babysit.wiring import PARAMETER

FIRST_STEPS: Final = 1
MAX_EXAMPLES: Final = 64
MAX_ELEMENTS: Final = 65_536
MAX_LAYERS: Final = 256


class Scales(Reading):
    """Scale of what every linear layer reads, and how much its weights enlarge it."""

    def read(self, xray: Xray) -> Values:
        """Root mean squares by layer, in the order of the forward pass; of the first step."""
        if xray.wiring.step >= FIRST_STEPS:
            return {}
        layers: list[str] = []
        parts: list[Tensor] = []
        for index, node in enumerate(xray.wiring.nodes):
            if node.op not in DATA or "Rnn" in node.op or len(layers) >= MAX_LAYERS:
                continue
            weight = weight_of(xray, index)
            data = xray.saved(index, DATA[node.op])
            layer = owner(xray, index)
            if weight is None or data is None or layer is None or layer in layers:
                continue
            if not data.is_floating_point() or data.numel() == 0:
                continue
            fan_in = weight[0].numel()
            if node.op == "Convolution" and node.facts.get("transposed"):
                fan_in = weight.shape[0] * weight[0, 0].numel()
            layers.append(layer)
            parts.append(scale(data[:MAX_EXAMPLES]))
            parts.append(scale(weight) * fan_in**0.5)
        if not layers:
            return {}
        values = torch.stack([part.to("cpu") for part in parts]).tolist()
        return {
            "activation-rms": dict(zip(layers, values[::2], strict=True)),
            "layer-gain": dict(zip(layers, values[1::2], strict=True)),
        }


def owner(xray: Xray, index: int) -> str | None:
    """The layer whose weight an operation reads, or the weight's name if it is a bare tensor."""
    nodes = xray.wiring.nodes
    for source in nodes[index].inputs:
        leaf = xray.wiring.source(source)
        if leaf is not None and nodes[leaf].op == PARAMETER and len(nodes[leaf].shape) >= 2:
            return nodes[leaf].layer or nodes[leaf].parameter
    return None


def scale(tensor: Tensor) -> Tensor:
    """Root mean square of a bounded part of a tensor."""
    flat = tensor.detach().reshape(-1)
    flat = flat[:: -(-flat.numel() // MAX_ELEMENTS)].float()
    return flat.square().mean().sqrt()

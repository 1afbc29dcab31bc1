"""NaN and Inf in the plain data that the graph reads."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray

MAX_ELEMENTS: Final = 1 << 20
# Where each operand is kept whose gradient nobody wants: data or targets.
_KEPT: Final[dict[str, dict[int, str]]] = {
    "Addmm": {1: "mat1"}, "Mm": {0: "self"}, "Bmm": {0: "self"}, "Linear": {0: "input"},
    "Convolution": {0: "input"}, "MkldnnRnnLayer": {0: "input"}, "CudnnRnn": {0: "input"},
    "NativeBatchNorm": {0: "input"}, "NativeLayerNorm": {0: "input"}, "Addmv": {2: "vec"},
    "MseLoss": {0: "self", 1: "target"}, "SmoothL1Loss": {0: "self", 1: "target"},
    "HuberLoss": {0: "self", 1: "target"}, "BinaryCrossEntropy": {1: "target"},
    "BinaryCrossEntropyWithLogits": {1: "target"}, "KlDiv": {1: "target"},
}  # fmt: skip


class BrokenData(Reading):
    """Share of values that are not finite in what layers and losses are given."""

    def read(self, xray: Xray) -> Values:
        """Shares by label of the operation, where there are any."""
        found = {}
        for index, node in enumerate(xray.wiring.nodes):
            for position, name in _KEPT.get(node.op, {}).items():
                if position < len(node.inputs) and node.inputs[position] is not None:
                    continue
                data = xray.saved(index, name)
                share = non_finite_share(data) if data is not None else 0.0
                if share:
                    found[xray.wiring.labels[index]] = share
        return {"non-finite-share": found}


def non_finite_share(values: Tensor) -> float:
    """Share of NaN and Inf among the (first) values."""
    if not values.is_floating_point() or values.numel() == 0:
        return 0.0
    flat = values.reshape(-1)[:MAX_ELEMENTS]
    if bool(torch.isfinite(flat.sum())):  # the cheap look: any of them makes the sum so
        return 0.0
    return 1 - torch.isfinite(flat).float().mean().item()

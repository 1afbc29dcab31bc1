"""ReLU units that stay silent, over the recent batches."""

from __future__ import annotations

from collections import deque
from collections.abc import MutableMapping
from typing import Final

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray, leaf_of
from babysit.wiring import LINEARS, PARAMETER

WINDOW_BATCHES: Final = 8
WINDOW_EXAMPLES: Final = 256
MAX_EXAMPLES: Final = 512


class Silence(Reading):
    """Which ReLU units no recent example activated, by the weight that feeds them."""

    def __init__(self) -> None:
        self._recent: MutableMapping[Tensor, deque[tuple[int, Tensor]]] = WeakIdKeyDictionary()

    def read(self, xray: Xray) -> Values:
        """Share of silent units by layer: in this batch, and in all recent ones."""
        inactive: dict[str, float] = {}
        dead: dict[str, float] = {}
        for index in xray.wiring.find({"Relu", "Hardtanh", "Threshold"}):
            feeding = feeding_layer(xray, index)
            weight = leaf_of(xray, feeding) if feeding is not None else None
            result = xray.saved(index, "result")
            if result is None:
                result = xray.saved(index, "self")
            if feeding is None or weight is None or result is None or result.dim() < 2:
                continue
            node = xray.wiring.nodes[feeding]
            axis = 1 if result.dim() == 2 or node.op == "Convolution" else result.dim() - 1
            active = active_units(result, axis)
            place = node.layer or "?"
            inactive[place] = 1 - active.float().mean().item()
            share = self._follow(weight, result.shape[0], active)
            if share is not None:
                dead[place] = share
        return {"inactive-share": inactive, "dead-share": dead}

    def _follow(self, weight: Tensor, size: int, active: Tensor) -> float | None:
        """Share of units silent in the last batches; ``None`` before enough were seen."""
        recent = self._recent.setdefault(weight, deque(maxlen=4 * WINDOW_BATCHES))
        if recent and recent[-1][1].shape != active.shape:
            recent.clear()
        recent.append((size, active))
        examples = 0
        ever = torch.zeros_like(active)
        for batches, (number, units) in enumerate(reversed(recent), start=1):
            ever |= units
            examples += number
            if batches >= WINDOW_BATCHES and examples >= WINDOW_EXAMPLES:
                return 1 - ever.float().mean().item()
        return None


def feeding_layer(xray: Xray, index: int) -> int | None:
    """The linear layer or convolution whose units an activation switches."""
    nodes = xray.wiring.nodes
    for _ in range(12):
        inputs = [i for i in nodes[index].inputs if i is not None]
        if not inputs:
            return None
        index = inputs[0] if nodes[inputs[0]].op != PARAMETER else inputs[-1]
        if nodes[index].op in LINEARS:
            return index
    return None


def active_units(result: Tensor, axis: int) -> Tensor:
    """For each unit whether any of the (first) examples has it above zero; on the CPU."""
    positive = result[:MAX_EXAMPLES] > 0
    axes = [dim for dim in range(positive.dim()) if dim != axis]
    return positive.any(dim=axes).to("cpu") if axes else positive.to("cpu")

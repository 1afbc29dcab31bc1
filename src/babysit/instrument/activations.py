"""What the forward pass saved: ReLU units that stay silent, inputs, accuracy on the batch."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import MutableMapping
from typing import Final

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument.xray import Xray
from babysit.wiring import LINEARS, PARAMETER, Node

WINDOW_BATCHES: Final = 8
WINDOW_EXAMPLES: Final = 256
MAX_EXAMPLES: Final = 512
_RNNS: Final = frozenset({"MkldnnRnnLayer", "CudnnRnn", "MiopenRnn"})
_DATA: Final = {"Addmm": "mat1", "Mm": "self", "Convolution": "input", "Linear": "input",
                "Addmv": "vec", "MkldnnRnnLayer": "input", "CudnnRnn": "input"}  # fmt: skip


class Silence:
    """Which ReLU units no recent example activated, by the weight that feeds them."""

    def __init__(self) -> None:
        self._recent: MutableMapping[Tensor, deque[tuple[int, Tensor]]] = WeakIdKeyDictionary()

    def read(self, xray: Xray) -> dict[str, dict[str, float]]:
        inactive: dict[str, float] = {}
        dead: dict[str, float] = {}
        for index in xray.wiring.find({"Relu", "Hardtanh", "Threshold"}):
            feeding = feeding_layer(xray, index)
            weight = weight_of(xray, feeding) if feeding is not None else None
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


def read_inputs(xray: Xray) -> dict[str, dict[str, float]]:
    """Scale of the plain data that enters first layers, and of what those layers make of it."""
    values: dict[str, dict[str, float]] = defaultdict(dict)
    for index, node in enumerate(xray.wiring.nodes):
        if node.op not in _DATA or node.layer is None or not reads_plain_data(xray, node):
            continue
        data = xray.saved(index, _DATA[node.op])
        weight = weight_of(xray, index)
        if data is None or weight is None or not data.is_floating_point() or data.numel() == 0:
            continue
        data = data[:MAX_EXAMPLES].float()
        scale = data.square().mean().sqrt().item()
        fan_in = weight[0].numel()
        values["input-rms"][node.layer] = scale
        weight_scale = weight.detach().float().square().mean().sqrt().item()
        values["preactivation-rms"][node.layer] = scale * fan_in**0.5 * weight_scale
        columns = data.square().mean(dim=0).sqrt() if data.dim() == 2 else None
        if columns is not None and columns.numel() > 1:
            middle = columns.median().item()
            if middle > 0:
                values["input-scale"][node.layer] = columns.max().item() / middle
    return dict(values)


def reads_plain_data(xray: Xray, node: Node) -> bool:
    """Whether every operand with a gradient is a parameter, so that the rest is data."""
    nodes = xray.wiring.nodes
    operands = [source for source in node.inputs if source is not None]
    return bool(operands) and None in node.inputs and all(
        nodes[source].op == PARAMETER or xray.wiring.weight(source) is not None
        for source in operands
    )  # fmt: skip


def weight_of(xray: Xray, index: int) -> Tensor | None:
    """The first weight matrix that a layer's operation reads."""
    wiring = xray.wiring
    for source in wiring.nodes[index].inputs:
        leaf = wiring.source(source)
        if leaf is not None and wiring.nodes[leaf].op == PARAMETER:
            tensor: Tensor = xray.graph[leaf].variable
            if tensor.dim() >= 2:
                stored_by_rows = wiring.nodes[index].op not in ("Mm", "Addmm") or source != leaf
                return tensor if stored_by_rows else tensor.detach().t()
    return None


def read_accuracy(xray: Xray) -> dict[str, dict[str, float]]:
    """Share of the batch that the training's own classification gets right."""
    for index in xray.wiring.find({"NllLoss"}):
        source = xray.wiring.source(xray.wiring.nodes[index].inputs[0])
        target = xray.saved(index, "target")
        if source is None or target is None or xray.wiring.nodes[source].op != "LogSoftmax":
            continue
        scores = xray.saved(source, "result")
        if scores is not None and scores.dim() == 2 and target.shape == scores.shape[:1]:
            right = scores[:MAX_EXAMPLES].argmax(dim=1) == target[:MAX_EXAMPLES]
            return {"train-accuracy": {"": right.float().mean().item()}}
    return {}

"""LSTM layers: what their forget gates begin with, and how long their sequences are."""

from __future__ import annotations

from typing import Any, Final

from torch import Tensor

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray
from babysit.wiring import PARAMETER

OPS: Final = ("MkldnnRnnLayer", "CudnnRnn", "MiopenRnn")


class Memory(Reading):
    """Facts about LSTM layers, from the first step's graph."""

    def read(self, xray: Xray) -> Values:
        """Leaves the fact ``lstms``: forget bias and sequence length by layer."""
        if xray.wiring.step:
            return {}
        for index in xray.wiring.find(OPS):
            node = xray.wiring.nodes[index]
            bias = forget_bias(xray, index)
            if bias is None or node.layer is None or len(node.shape) != 3:
                continue
            is_turned = node.op != "MkldnnRnnLayer" and xray.graph[index]._saved_batch_first
            fact: dict[str, Any] = {"bias": bias, "length": node.shape[1 if is_turned else 0]}
            xray.facts.setdefault("lstms", {}).setdefault(node.layer, fact)
        return {}


def forget_bias(xray: Xray, index: int) -> float | None:
    """Mean of the forget gates' bias, input and recurrent part together; LSTMs only."""
    nodes = xray.wiring.nodes
    leaves: list[Tensor] = [
        xray.graph[leaf].variable.detach()
        for source in nodes[index].inputs
        if (leaf := xray.wiring.source(source)) is not None and nodes[leaf].op == PARAMETER
    ]
    hidden = [t.shape[1] for t in leaves if t.dim() == 2 and t.shape[0] == 4 * t.shape[1]]
    biases = [t for t in leaves if t.dim() == 1 and hidden and t.shape[0] == 4 * hidden[-1]]
    if len(biases) < 2:
        return None
    size = hidden[-1]
    return float(sum(bias[size : 2 * size].float().mean() for bias in biases[:2]))

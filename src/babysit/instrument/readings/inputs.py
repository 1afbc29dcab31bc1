"""The plain data that enters first layers."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray, weight_of
from babysit.wiring import PARAMETER, Node

MAX_EXAMPLES: Final = 512
# Where an operation keeps the data that it multiplied with its weight.
DATA: Final = {"Addmm": "mat1", "Mm": "self", "Convolution": "input", "Linear": "input",
               "Addmv": "vec", "MkldnnRnnLayer": "input", "CudnnRnn": "input"}  # fmt: skip


class Inputs(Reading):
    """Scale of the plain data that enters first layers, and of what those layers make of it."""

    def read(self, xray: Xray) -> Values:
        """Scales by layer."""
        values: dict[str, dict[str, float]] = defaultdict(dict)
        for index, node in enumerate(xray.wiring.nodes):
            if node.op not in DATA or node.layer is None or not reads_plain_data(xray, node):
                continue
            data = xray.saved(index, DATA[node.op])
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

"""Which operation made a loss that is not finite: a look through what the forward saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

from babysit.instrument.xray import Xray
from babysit.wiring import PARAMETER, RESHAPES

# Operations that hand a bad value on and are never where it was born.
_CARRIERS: Final = RESHAPES | {"Mean", "Sum", "Neg", "NllLoss", "NllLoss2D", "Add", "Sub", "Mul"}
_POSITIONS: Final = {"self": 0, "input": 0, "other": 1, "mat2": 1, "exponent": 1, "weight": 1}
# Operands outside the domain of an operation whose result the graph does not keep.
_OUTSIDE: Final[dict[str, tuple[str, Callable[[Tensor], Tensor]]]] = {
    "Log": ("self", lambda x: x <= 0),
    "Log2": ("self", lambda x: x <= 0),
    "Log10": ("self", lambda x: x <= 0),
    "Log1P": ("self", lambda x: x <= -1),
    "Div": ("other", lambda x: x == 0),
    "Acos": ("self", lambda x: x.abs() > 1),
    "Asin": ("self", lambda x: x.abs() > 1),
}
_RESULTS: Final = ("result", "result0", "out", "output")


def origin(xray: Xray) -> dict[str, Any] | None:
    """The first place with a value that is not finite: an operation, the data, a parameter.

    Returns the fields of a place; ``op`` is ``data`` or ``parameter`` where no operation made it.
    """
    wiring = xray.wiring
    for index, node in enumerate(wiring.nodes):
        if node.op == PARAMETER:
            if is_bad(xray.graph[index].variable):
                return {"op": "parameter", "layer": node.layer}
            continue
        if node.op in _OUTSIDE:
            operand, is_outside = _OUTSIDE[node.op]
            value = xray.saved(index, operand)
            if value is not None and bool(is_outside(value).any()):
                return {**place(xray, index), "operand": value[is_outside(value)][0].item()}
        for name in (attribute for attribute in dir(xray.graph[index]) if "_saved_" in attribute):
            short = name.removeprefix("_saved_")
            value = xray.saved(index, short)
            if value is None or not is_bad(value):
                continue
            if short in _RESULTS:
                return place(xray, index)
            position = _POSITIONS.get(short, 1 if short == "mat1" and node.op == "Addmm" else 0)
            source = node.inputs[position] if position < len(node.inputs) else None
            if source is not None:
                return place(xray, back_to_birth(xray, source))
            if value.isnan().any():  # infinite constants are masks
                return {"op": "data", "layer": node.layer}
    return place(xray, back_to_birth(xray, len(wiring.nodes) - 1))


def is_bad(value: Tensor) -> bool:
    return value.is_floating_point() and not bool(torch.isfinite(value.detach()).all())


def back_to_birth(xray: Xray, index: int) -> int:
    """From a bad value back through what only carries it, as long as there is one way back."""
    nodes = xray.wiring.nodes
    while nodes[index].op in _CARRIERS:
        inputs = [i for i in nodes[index].inputs if i is not None and nodes[i].op != PARAMETER]
        if len(inputs) != 1:
            break
        index = inputs[0]
    return index


def place(xray: Xray, index: int) -> dict[str, Any]:
    node = xray.wiring.nodes[index]
    return {**vars(node.place), "node": index}

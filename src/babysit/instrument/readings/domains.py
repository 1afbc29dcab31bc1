"""Operands of operations that are not defined everywhere, or overflow."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray

MAX_OPERATIONS: Final = 64
MAX_ELEMENTS: Final = 1 << 18
# What an operation keeps, and the value in it that is closest to the edge of its domain.
EDGES: Final[dict[str, tuple[str, Callable[[Tensor], Tensor]]]] = {
    "Log": ("self", torch.amin),
    "Log2": ("self", torch.amin),
    "Log10": ("self", torch.amin),
    "Log1P": ("self", torch.amin),
    "Sqrt": ("result", lambda result: result.amin().square().nan_to_num(nan=-1.0)),  # below 0
    "Rsqrt": ("result", lambda result: result.abs().amax().pow(-2)),
    "Div": ("other", lambda other: other.abs().amin()),
    "Reciprocal": ("result", lambda result: 1 / result.abs().amax()),
    "Exp": ("result", lambda result: result.amax().log()),
    "Expm1": ("result", lambda result: result.amax().log1p()),
    "Acos": ("self", lambda operand: operand.abs().amax()),
    "Asin": ("self", lambda operand: operand.abs().amax()),
    "Atanh": ("self", lambda operand: operand.abs().amax()),
}


class Domains(Reading):
    """The operand of each log, exp, root, division … that came closest to trouble."""

    def read(self, xray: Xray) -> Values:
        """Operands by label of the operation; exponents as if in single precision."""
        labels: list[str] = []
        values: list[Tensor] = []
        for index, node in enumerate(xray.wiring.nodes):
            if len(values) >= MAX_OPERATIONS:
                break
            value = root(xray, index) if node.op == "Pow" else closest(xray, index, node.op)
            if value is not None:
                labels.append(xray.wiring.labels[index])
                values.append(value)
        if not values:
            return {}
        found = torch.stack([value.to(values[0].device) for value in values]).tolist()
        finite = {name: one for name, one in zip(labels, found, strict=True) if not math.isnan(one)}
        return {"closest-operand": finite}


def closest(xray: Xray, index: int, op: str) -> Tensor | None:
    """The operand closest to the edge; ``None`` for other operations and constants."""
    if op not in EDGES:
        return None
    name, edge = EDGES[op]
    saved = xray.saved(index, name)
    if saved is None or not saved.is_floating_point() or saved.numel() == 0:
        return None
    if op == "Div" and saved.dim() == 0 and xray.wiring.nodes[index].inputs[1:] in ((), (None,)):
        return None  # by a number of the script
    value = edge(some(saved).float())
    if op.startswith("Exp") and saved.dtype != torch.float32:
        room = math.log(torch.finfo(saved.dtype).max)
        value = value * (math.log(torch.finfo(torch.float32).max) / room)
    return value


def root(xray: Xray, index: int) -> Tensor | None:
    """The smallest base of a power whose slope is infinite at zero."""
    exponent = getattr(xray.graph[index], "_saved_exponent", None)
    base = xray.saved(index, "self")
    if not isinstance(exponent, float) or base is None or base.numel() == 0:
        return None
    return some(base).float().abs().amin() if exponent < 1 and exponent != 0 else None


def some(values: Tensor) -> Tensor:
    """All values, or evenly spaced ones of a very large tensor."""
    flat = values.reshape(-1)
    return flat[:: -(-flat.numel() // MAX_ELEMENTS)]

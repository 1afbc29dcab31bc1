"""What a graph computes in float16 or bfloat16, and how close it comes to float16's limit."""

from __future__ import annotations

import math
from typing import Any, Final

import torch
from torch import Tensor

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray
from babysit.wiring import PARAMETER

MAX_TENSORS: Final = 128
MAX_ELEMENTS: Final = 1 << 16
# Masks are infinite or very negative by right: only what carries a gradient is looked at, and
# only upwards.
_KEPT: Final = {"self": 0, "other": 1, "input": 0, "mat1": 1, "mat2": 2, "result": -1}


class HalfPrecision(Reading):
    """Share of half-precision operations, and the largest float16 value that each of them made."""

    def read(self, xray: Xray) -> Values:
        """The share, and the largest values by label of the operation."""
        nodes = xray.wiring.nodes
        dtypes = [dtype_of(node) for node in xray.graph]
        operations = [i for i, node in enumerate(nodes) if node.op != PARAMETER]
        halves = [i for i in operations if dtypes[i] in (torch.float16, torch.bfloat16)]
        values: Values = {"half-share": {"": len(halves) / max(len(operations), 1)}}
        if torch.float16 in dtypes:
            peaks = values["half-peak"] = self._peaks(xray, dtypes)
            was_fine = all(math.isfinite(peak) for peak in peaks.values())
            if xray.loss.dtype == torch.float16 and was_fine and not xray.loss.isfinite().all():
                peaks[xray.wiring.labels[-1]] = math.inf  # a sum or quotient that saved nothing
        return values

    def _peaks(self, xray: Xray, dtypes: list[Any]) -> dict[str, float]:
        labels: list[str] = []
        peaks: list[Tensor] = []
        for index, node in enumerate(xray.wiring.nodes):
            sources = [dtypes[i] for i in node.inputs if i is not None]
            if torch.float16 not in (dtypes[index], *sources) or node.op == PARAMETER:
                continue
            for name, usual in _KEPT.items():
                position = usual - (name == "mat2" and node.op in ("Mm", "Bmm"))
                carries = position < 0 or node.inputs[position : position + 1] not in ((), (None,))
                saved = xray.saved(index, name) if carries else None
                if saved is None or saved.dtype != torch.float16 or not saved.numel():
                    continue
                flat = saved.reshape(-1)
                made_by = index if position < 0 else node.inputs[position]
                labels.append(xray.wiring.labels[index if made_by is None else made_by])
                peaks.append(flat[:: -(-flat.numel() // MAX_ELEMENTS)].amax().float())
            if len(peaks) >= MAX_TENSORS:
                break
        found: dict[str, float] = {}
        if peaks:
            numbers = torch.stack([peak.to(peaks[0].device) for peak in peaks]).tolist()
            for label, peak in zip(labels, numbers, strict=True):
                found[label] = max(found.get(label, 0.0), math.inf if math.isnan(peak) else peak)
        return found


def dtype_of(node: Any) -> Any:
    """Type of the values that a node of the graph makes."""
    metadata = node._input_metadata
    return metadata[0].dtype if metadata else None

"""Columns and channels of the input that never change."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument.reading import Reading, Values
from babysit.instrument.readings.inputs import DATA, reads_plain_data
from babysit.instrument.xray import Xray, leaf_of

MAX_EXAMPLES: Final = 128
MAX_COLUMNS: Final = 4096
MIN_EXAMPLES: Final = 200
MIN_BATCHES: Final = 5


class Columns(Reading):
    """Follows the range of every input column over the sampled batches."""

    def __init__(self) -> None:
        self._seen: MutableMapping[Tensor, tuple[Tensor, Tensor, int, int]] = WeakIdKeyDictionary()

    def read(self, xray: Xray) -> Values:
        """Number of columns, of those that never changed, and of those that rest at a floor."""
        looked_at: dict[str, Tensor] = {}
        for index, node in enumerate(xray.wiring.nodes):
            if node.op not in ("Addmm", "Mm", "Linear", "Convolution") or node.layer is None:
                continue
            if not reads_plain_data(xray, node):
                continue
            data, weight = xray.saved(index, DATA[node.op]), leaf_of(xray, index)
            if data is None or weight is None or not data.is_floating_point():
                continue
            if data.dim() < 2 or 0 in data.shape or not 2 <= data.shape[1] <= MAX_COLUMNS:
                continue
            self._follow(weight, data[:MAX_EXAMPLES])
            looked_at[node.layer] = weight
        values: Values = {}
        for layer, weight in looked_at.items():
            low, high, examples, batches = self._seen[weight]
            if examples < MIN_EXAMPLES or batches < MIN_BATCHES:
                continue
            is_constant = low == high
            constant = is_constant.nonzero().flatten()
            is_one = len(constant) == 1 and float(low[constant[0]]) == 1
            rests = (
                float((low[~is_constant] == 0).float().mean()) if len(constant) < len(low) else 1
            )
            values.setdefault("input-columns", {})[layer] = float(len(low))
            values.setdefault("constant-columns", {})[layer] = float(0 if is_one else len(constant))
            values.setdefault("columns-at-zero", {})[layer] = rests
            if len(constant) and not is_one:
                values.setdefault("first-constant-column", {})[layer] = float(constant[0])
        return values

    def _follow(self, weight: Tensor, data: Tensor) -> None:
        low, high = torch.aminmax(data.movedim(1, 0).reshape(data.shape[1], -1), dim=1)
        low, high = low.to("cpu"), high.to("cpu")
        known = self._seen.get(weight)
        examples, batches = data.shape[0], 1
        if known is not None and known[0].shape == low.shape:
            low, high = torch.minimum(low, known[0]), torch.maximum(high, known[1])
            examples, batches = examples + known[2], batches + known[3]
        self._seen[weight] = (low, high, examples, batches)

"""Sigmoid and tanh units that stand at their ends, over the recent batches."""

from __future__ import annotations

from collections import deque
from collections.abc import MutableMapping
from typing import Final

from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument.reading import Reading, Values
from babysit.instrument.readings.silence import feeding_layer
from babysit.instrument.xray import Xray, leaf_of

WINDOW_BATCHES: Final = 8
WINDOW_EXAMPLES: Final = 128
MAX_EXAMPLES: Final = 256
MAX_ELEMENTS: Final = 131_072
# Where the slope has fallen to two per cent of its best.
ENDS: Final = {"Tanh": (-0.99, 0.99), "Sigmoid": (0.005, 0.995)}
STUCK: Final = 0.9

Counts = deque[tuple[int, Tensor]]


class Saturation(Reading):
    """Which hidden sigmoid and tanh units nearly always stand at their ends."""

    def __init__(self) -> None:
        self._recent: MutableMapping[Tensor, Counts] = WeakIdKeyDictionary()

    def read(self, xray: Xray) -> Values:
        """Share of stuck units by the layer that feeds them."""
        shares: dict[str, float] = {}
        hidden = xray.wiring.hidden_squashes()
        fed = [feeding_layer(xray, index) for index in hidden]
        weights = [leaf_of(xray, index) if index is not None else None for index in fed]
        for index, source, weight in zip(hidden, fed, weights, strict=True):
            result = xray.saved(index, "result")
            is_unrolled = sum(other is weight for other in weights) > 1
            if result is None or weight is None or source is None or is_unrolled:
                continue
            feeding = xray.wiring.nodes[source]
            share = self._follow(weight, at_ends(result, index, xray, feeding.op))
            if share is not None:
                shares[feeding.layer or "?"] = share
        return {"saturated-share": shares}

    def _follow(self, weight: Tensor, counted: tuple[int, Tensor]) -> float | None:
        """Share of units stuck in the last batches; ``None`` before enough were seen."""
        recent = self._recent.setdefault(weight, deque(maxlen=WINDOW_BATCHES))
        if recent and recent[-1][1].shape != counted[1].shape:
            recent.clear()
        recent.append(counted)
        examples = sum(number for number, _ in recent)
        if examples < WINDOW_EXAMPLES:
            return None
        total = recent[0][1].clone()
        for _, counts in list(recent)[1:]:
            total += counts
        return float((total / examples >= STUCK).float().mean())


def at_ends(result: Tensor, index: int, xray: Xray, feeding: str) -> tuple[int, Tensor]:
    """How many values were looked at per unit, and how many of them stand at an end."""
    low, high = ENDS[xray.wiring.nodes[index].op]
    axis = 1 if result.dim() == 2 or feeding == "Convolution" else result.dim() - 1
    most = max(1, min(MAX_EXAMPLES, MAX_ELEMENTS // max(result[0].numel(), 1)))
    stride = -(-result.shape[0] // most)
    units = result[::stride].movedim(axis, -1).reshape(-1, result.shape[axis])
    units = units[:: max(1, len(units) // (4 * MAX_EXAMPLES))]
    return len(units), ((units <= low) | (units >= high)).sum(dim=0).float().to("cpu")

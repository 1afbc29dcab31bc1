"""What the data themselves allow: how well an example's neighbours foretell its class."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument import rows
from babysit.instrument.reading import Reading, Values
from babysit.instrument.readings.inputs import DATA, reads_plain_data
from babysit.instrument.readings.purity import MAX_CLASSES
from babysit.instrument.xray import Xray

MAX_ROWS: Final = 400
MAX_FEATURES: Final = 1024
MIN_ROWS: Final = 100
MAX_COLUMNS: Final = 256
NUM_NEIGHBOURS: Final = 5
GROWTH: Final = 2


@dataclass
class Sample:
    """Different examples of a training with their classes."""

    inputs: dict[int, Tensor] = field(default_factory=dict)
    labels: dict[int, int] = field(default_factory=dict)
    judged: int = 0
    share: float = 0.0


class Neighbours(Reading):
    """Share of examples whose class most of their nearest other examples have.

    It needs no model: where it is far above a training's own accuracy, noise in the labels is
    not what holds the training back.
    """

    def __init__(self) -> None:
        self._samples: MutableMapping[Tensor, Sample] = WeakIdKeyDictionary()

    def read(self, xray: Xray) -> Values:
        """The share among the examples gathered so far, once there are enough."""
        found = pairs(xray)
        if found is None or not xray.leaves:
            return {}
        sample = self._samples.setdefault(xray.leaves[0], Sample())
        inputs, labels = found
        if any(one.shape != inputs[0].shape for one in list(sample.inputs.values())[:1]):
            sample = self._samples[xray.leaves[0]] = Sample()  # a layer below was thawed
        if len(sample.labels) < MAX_ROWS:
            for mark, one, label in zip(
                rows.mark(rows.cells(inputs)).tolist(), inputs, labels.tolist(), strict=True
            ):
                if mark not in sample.labels and len(sample.labels) < MAX_ROWS:
                    sample.inputs[mark], sample.labels[mark] = one, label
            if len(sample.labels) >= max(MIN_ROWS, GROWTH * sample.judged):
                sample.judged = len(sample.labels)
                sample.share = agreement(
                    torch.stack(list(sample.inputs.values())),
                    torch.tensor(list(sample.labels.values())),
                )
        return {"neighbour-accuracy": {"": sample.share}} if sample.judged else {}


def agreement(inputs: Tensor, labels: Tensor) -> float:
    """Leave-one-out accuracy of nearest neighbours; every feature weighs the same."""
    inputs = inputs.float()
    spread = inputs.std(dim=0, correction=0)
    inputs = (inputs - inputs.mean(dim=0)) / torch.where(spread > 0, spread, torch.ones(()))
    distances = torch.cdist(inputs, inputs)
    distances.fill_diagonal_(float("inf"))
    nearest = labels[distances.topk(NUM_NEIGHBOURS, largest=False).indices]
    return float((nearest.mode(dim=1).values == labels).float().mean().item())


def pairs(xray: Xray) -> tuple[Tensor, Tensor] | None:
    """Inputs and classes of a batch, where one plain tensor enters and one class comes out."""
    nodes = xray.wiring.nodes
    ends = list(xray.wiring.find({"NllLoss", "BinaryCrossEntropy", "BinaryCrossEntropyWithLogits"}))
    starts = [i for i, node in enumerate(nodes) if node.op in DATA and reads_plain_data(xray, node)]
    if len(ends) != 1 or len(starts) != 1:
        return None
    target, data = xray.saved(ends[0], "target"), xray.saved(starts[0], DATA[nodes[starts[0]].op])
    if target is None or data is None or not data.is_floating_point() or data.dim() < 2:
        return None
    size, width = target.shape[0] if target.dim() else 0, max(1, data[:1].numel())
    if target.numel() != size or data.shape[0] != size or size < 2 or width > MAX_FEATURES:
        return None
    stride = -(-size // MAX_ROWS)
    labels = target.reshape(-1)[::stride].to("cpu")
    if labels.is_floating_point() and bool((labels != labels.round()).any()):
        return None
    labels = labels.to(torch.int64)
    if int(labels.min()) < 0 or int(labels.max()) >= MAX_CLASSES:
        return None
    inputs = data[::stride].reshape(len(labels), -1)[:, :: -(-width // MAX_COLUMNS)]
    return inputs.to("cpu", torch.float32).clone(), labels

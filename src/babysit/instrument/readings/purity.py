"""Whether batches are sorted by their labels."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray

MAX_EXAMPLES: Final = 512
MIN_BATCH: Final = 8
MAX_CLASSES: Final = 4096


class Purity(Reading):
    """How much of a batch belongs to one class, and how much of all batches so far.

    A sampled batch stands for all since the sample before it: early steps are sampled densely.
    """

    def __init__(self) -> None:
        self._counts: MutableMapping[Tensor, tuple[int, Tensor]] = WeakIdKeyDictionary()

    def read(self, xray: Xray) -> Values:
        """Shares of the commonest class, for classifications of one label an example."""
        labels = labels_of(xray)
        if labels is None or not xray.leaves:
            return {}
        counts = torch.bincount(labels, minlength=2)
        step = xray.wiring.step
        last, overall = self._counts.get(xray.leaves[0], (step - 1, torch.zeros(2)))
        width = max(len(overall), len(counts))
        overall = pad(overall, width) + max(1, step - last) * pad(counts / len(labels), width)
        self._counts[xray.leaves[0]] = (step, overall)
        return {
            "label-purity": {"": counts.max().item() / len(labels)},
            "label-majority": {"": overall.max().item() / overall.sum().item()},
            "label-leader": {"": float(counts.argmax())} if len(labels) >= MIN_BATCH else {},
        }


def pad(counts: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(counts, (0, width - len(counts)))


def labels_of(xray: Xray) -> Tensor | None:
    """The class of every example of the step: all losses of one kind together; on the CPU."""
    found: list[Tensor] = []
    for index in xray.wiring.find(
        {"NllLoss", "BinaryCrossEntropy", "BinaryCrossEntropyWithLogits"}
    ):
        target = xray.saved(index, "target")
        if target is None or target.numel() < 2:
            continue
        if xray.wiring.nodes[index].op != "NllLoss":
            if target.dim() > 2 or (target.dim() == 2 and target.shape[1] != 1):
                continue
            if bool(((target - target.round()).abs().amax() > 0).item()):
                return None
        elif target.dim() != 1:
            continue
        found.append(
            target.reshape(-1)[:: -(-target.numel() // MAX_EXAMPLES)].to("cpu", torch.int64)
        )
    if not found:
        return None
    labels = torch.cat(found)
    labels = labels[labels >= 0]
    return labels if len(labels) > 1 and int(labels.max()) < MAX_CLASSES else None

"""How often each class occurs in the sampled batches, and whether the training learns it."""

from __future__ import annotations

from collections import deque
from collections.abc import MutableMapping
from typing import Final

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from babysit.criteria import BINARY, NLLS, Criterion, criteria
from babysit.instrument.reading import Reading, Values
from babysit.instrument.readings.targets import operands_of
from babysit.instrument.xray import Xray

MAX_CLASSES: Final = 64
MAX_ROWS: Final = 4096
WINDOW: Final = 32
MIN_LABELS: Final = 5
LATER, LATE = 3, 8  # a recall is that of the steps after a third, or for rare classes an eighth


class Labels(Reading):
    """Counts labels and right answers by class over the sampled batches of a training."""

    def __init__(self) -> None:
        self._totals: MutableMapping[Tensor, Tensor] = WeakIdKeyDictionary()
        self._recent: MutableMapping[Tensor, deque[tuple[int, Tensor]]] = WeakIdKeyDictionary()

    def read(self, xray: Xray) -> Values:
        """Shares and recalls by class, for a loss over classes or a single binary output."""
        found = [c for c in criteria(xray.wiring) if c.kind in NLLS or c.kind in BINARY]
        if len(found) != 1 or not xray.leaves:
            return {}
        counted = count(xray, found[0])
        if counted is None:
            return {}
        key = xray.leaves[0]
        known = self._totals.get(key)
        if known is None or known.shape != counted[0].shape:
            known = torch.zeros_like(counted[0])
            self._recent[key] = deque(maxlen=WINDOW)
        self._totals[key] = known = known + counted[0]
        self._recent[key].append((xray.wiring.step, counted))
        late, later = (
            [part for step, part in self._recent[key] if since * step >= xray.wiring.step]
            for since in (LATE, LATER)
        )
        shares = (known / known.sum().clamp_min(1)).tolist()
        return {
            "label-share": {str(label): share for label, share in enumerate(shares)},
            "class-recall": recalls(torch.stack(late)) | recalls(torch.stack(later)),
        }


def recalls(recent: Tensor) -> dict[str, float]:
    """Recall by class over the later batches; of classes with enough labels there."""
    seen, right = recent.sum(dim=0).tolist()
    return {
        str(label): right[label] / number
        for label, number in enumerate(seen)
        if number >= MIN_LABELS
    }


def count(xray: Xray, criterion: Criterion) -> Tensor | None:
    """Labels and right answers of a batch by class, two rows; on the CPU."""
    operands = operands_of(xray, criterion)
    if operands is None:
        return None
    scores, target = operands
    if criterion.kind in NLLS:
        if scores.dim() != 2 or target.dim() != 1 or not 2 <= scores.shape[1] <= MAX_CLASSES:
            return None
        num_classes, answers = scores.shape[1], scores[:MAX_ROWS].argmax(dim=1)
        labels = target[:MAX_ROWS].to(torch.int64)
    else:
        if scores.shape != target.shape or scores[0].numel() != 1:
            return None
        border = 0.0 if criterion.kind.endswith("Logits") else 0.5
        hard = target.reshape(-1)[:MAX_ROWS]
        if not ((hard == 0) | (hard == 1)).all():
            return None
        num_classes, labels = 2, hard.to(torch.int64)
        answers = (scores.reshape(-1)[:MAX_ROWS] > border).to(torch.int64)
    inside = (labels >= 0) & (labels < num_classes)
    labels, answers = labels[inside], answers[inside]
    right = labels[labels == answers]
    counts = [torch.bincount(part, minlength=num_classes) for part in (labels, right)]
    return torch.stack(counts).float().to("cpu")

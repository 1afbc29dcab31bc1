"""How often each class occurs among the labels of evaluations."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

MAX_CLASSES: Final = 64
MAX_LABELS: Final = 2048


class LabelCounts:
    """Counts labels by evaluation, on their device; told once, and again when they change."""

    def __init__(self) -> None:
        self._counts: dict[str, Tensor] = {}
        self._told: dict[str, dict[str, float]] = {}

    def add(self, stream: str, labels: Tensor) -> None:
        """Count a batch's labels; only whole numbers, one an example."""
        if labels.dtype != torch.int64 or labels.dim() != 1:
            return
        known = labels.detach()[:MAX_LABELS].clamp(-1, MAX_CLASSES) + 1  # outside: first and last
        counts = torch.zeros(MAX_CLASSES + 2, device=labels.device)
        counts.scatter_add_(0, known, torch.ones_like(known, dtype=counts.dtype))
        before = self._counts.get(stream)
        self._counts[stream] = counts if before is None else before + counts

    def take(self) -> dict[str, dict[str, float]]:
        """Shares by class of every evaluation that differs from what was told of it before."""
        changed = {}
        for stream, counts in self._counts.items():
            inside = counts[1:-1]
            shares = (inside / inside.sum().clamp_min(1)).tolist()
            found = {str(label): round(share, 3) for label, share in enumerate(shares) if share}
            if found and found != self._told.get(stream):
                self._told[stream] = changed[stream] = found
        self._counts.clear()
        return changed

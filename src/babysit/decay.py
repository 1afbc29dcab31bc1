"""How hard weight decay pulls at the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from babysit.measures import before_norms, weights
from babysit.run import Training


def strongest_decay(training: Training) -> tuple[float, Mapping[str, Any]]:
    """The strongest weight decay among all groups, and its group."""
    groups = [group for optimizer in training.optimizers for group in optimizer.groups]
    group = max(groups, key=lambda group: float(group.get("weight_decay") or 0.0), default={})
    return float(group.get("weight_decay") or 0.0), group


def share_and_pull(training: Training) -> tuple[float, float] | None:
    """What is left of the weights' first size, and decay against gradient; medians over matrices.

    The decay stands against a step of full size where it is decoupled. Matrices before a
    normalisation may shrink freely and are left out; ``None`` where nothing remains.
    """
    decay, _ = strongest_decay(training)
    is_decoupled = training.optimizers[0].kind == "AdamW"
    free, shares, pulls = before_norms(training), [], []
    for name in weights(training):
        size, gradient = training.series("weight-rms", name), training.series("gradient-rms", name)
        if name in free or len(size) < 4 or len(size) != len(gradient) or size.first <= 0:
            continue
        late = slice(len(size) // 2, None)
        against = 1.0 if is_decoupled else np.maximum(gradient.values[late], 1e-30)
        shares.append(float(np.median(size.values[-2:])) / size.first)
        pulls.append(float(np.median(decay * size.values[late] / against)))
    return (float(np.median(shares)), float(np.median(pulls))) if shares else None

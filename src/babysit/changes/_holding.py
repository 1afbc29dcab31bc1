"""Which examples are held out, and how many of them are right; for all changes that ask."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def places(inputs: Tensor) -> Tensor:
    """A number from 0 to 1 for each example, drawn by its values, shape (examples,).

    Whole numbers are exact in any order: an example's is the same in every batch. Zeros at the
    end, as in padding, do not change it.
    """
    if inputs.is_complex():
        inputs = torch.view_as_real(inputs)
    rows = inputs.detach().reshape(len(inputs), -1)
    is_real = rows.is_floating_point()
    values = ((rows.float() + 0.0).view(torch.int32) if is_real else rows).long()  # -0 becomes 0
    numbers = mixed(torch.arange(1, values.shape[1] + 1, device=rows.device)) | 1
    return (mixed((values * numbers).sum(dim=1)) & 0xFFFFFF).float() / 2**24


def mixed(numbers: Tensor) -> Tensor:
    """Whole numbers whose every bit hangs on all bits of what is given (splitmix64)."""
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        numbers = (numbers ^ (numbers >> shift)) * factor
    return numbers ^ (numbers >> 31)


def rightness(call: Any, wanted: Tensor) -> float | None:
    """The share of rightly classified rows, where the loss is one of classes."""
    scores = call.prediction
    if call.function in ("cross_entropy", "nll_loss") and scores.dim() >= 2:
        classes = wanted if wanted.dim() == scores.dim() - 1 else wanted.argmax(dim=1)
        counts = classes != call.options.get("ignore_index", -100)
        right = (scores.argmax(dim=1) - classes) == 0  # no comparison that looks like an evaluation
        return float(right[counts].float().mean()) if counts.any() else None
    if call.function.startswith("binary_") and scores.shape == wanted.shape:
        border = 0.0 if call.function.endswith("logits") else 0.5
        return float((((scores > border).float() - (wanted > 0.5).float()) == 0).float().mean())
    return None


def wrong_by_sureness(call: Any, wanted: Tensor) -> tuple[float, float] | None:
    """The shares that are labelled otherwise, of the quarter a model is surest of and the next."""
    scores = call.prediction.detach()
    if call.function == "cross_entropy" and scores.dim() == 2 and wanted.dim() == 1:
        top, guess = scores.softmax(dim=1).max(dim=1)
        is_wrong = (guess - wanted) != 0
    elif call.function.startswith("binary_") and scores.shape == wanted.shape:
        chances = scores.sigmoid() if call.function.endswith("logits") else scores
        top = torch.maximum(chances, 1 - chances).reshape(-1)
        is_wrong = ((chances > 0.5) != (wanted > 0.5)).reshape(-1)
    else:
        return None
    quarter = len(top) // 4
    if not quarter:
        return None
    ordered = is_wrong[top.argsort(descending=True)].float()
    return float(ordered[:quarter].mean()), float(ordered[quarter : 2 * quarter].mean())

"""Whether weights are still as PyTorch's random initialisation left them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from babysit.instrument.parameters import subsample

MIN_ELEMENTS: Final = 64
# Largest over root mean square is 3 ** 0.5 for a uniform distribution around zero; training
# gives every weight tails. Of 64 uniform values it lies within 8 per cent of that.
_UNIFORM: Final = (0.92 * 3**0.5, 1.08 * 3**0.5)
_NORMAL_KURTOSIS: Final = (2.6, 3.4)


def is_fresh(parameters: Sequence[Tensor]) -> bool:
    """Whether a layer looks newly made: uniform or standard normal weights, or an exact zero bias.

    Small layers tell nothing and count as not fresh.
    """
    with torch.no_grad():
        return any(looks_drawn(parameter) for parameter in parameters)


def looks_drawn(tensor: Tensor) -> bool:
    """Whether a weight matrix has the distribution of one of the default initialisations."""
    if tensor.dim() < 2 or tensor.numel() < MIN_ELEMENTS or not tensor.is_floating_point():
        return False
    values = subsample(tensor)
    scale = values.square().mean().sqrt()
    if not scale > 0 or values.mean().abs() > 0.25 * scale:
        return False
    largest = (values.abs().amax() / scale).item()
    if _UNIFORM[0] <= largest <= _UNIFORM[1]:
        return True
    is_unit = abs(scale.item() - 1) < 0.1
    kurtosis = ((values / scale) ** 4).mean().item()
    is_normal = _NORMAL_KURTOSIS[0] <= kurtosis <= _NORMAL_KURTOSIS[1]
    return is_unit and is_normal and largest > 2

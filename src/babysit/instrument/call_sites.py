"""Who called a model, with what, and whether its answer was used."""

from __future__ import annotations

import dis
import sys
from collections.abc import Sequence
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, Final

import torch
from torch import Tensor, nn

from babysit.instrument import sources

_MACHINERY: Final = ("torch/nn/modules/", "torch\\nn\\modules\\")
_ELEMENTS: Final = 65_536
MAX_NODES: Final = 20_000
_ROWS: Final = 512
_OURS: Final = sources._OURS


def outer_frame() -> FrameType | None:
    """The innermost frame that is not ours: what called a function that we watch."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((_OURS, "<babysit")):
        frame = frame.f_back
    return frame


def caller_frame() -> FrameType | None:
    """The frame that called a module: the first one outside of ours and of ``nn.Module``'s."""
    frame = outer_frame()
    while frame is not None and any(part in frame.f_code.co_filename for part in _MACHINERY):
        frame = frame.f_back
    return frame


def recomputes(frame: FrameType) -> bool:
    """Whether activation checkpointing runs a part of the model that it will run again."""
    return frame.f_code.co_filename.endswith("checkpoint.py")


def site_of(frame: FrameType | None) -> tuple[str, dict[str, Any]]:
    """The user's line that leads to a frame, as a name and as the fields of a place."""
    user = sources.user_frame(frame)
    if user is None:
        return "?", {}
    place = sources.place(user.f_code.co_filename, user.f_lineno)
    return f"{place['file']}:{place['line']}", place


def is_discarded(frame: FrameType) -> bool:
    """Whether the value of the call that a frame is busy with goes nowhere.

    A forward pass for its side effect alone re-estimates batch norm, or warms something up.
    """
    return _drops_result(frame.f_code, frame.f_lasti)


@lru_cache(maxsize=256)
def _drops_result(code: CodeType, offset: int) -> bool:
    for instruction in dis.get_instructions(code):
        if instruction.offset > offset and instruction.opname != "CACHE":
            is_underscore = instruction.opname.startswith("STORE") and instruction.argval == "_"
            return instruction.opname == "POP_TOP" or is_underscore
    return False


def fingerprint(inputs: Sequence[Any]) -> tuple[Any, ...] | None:
    """Shapes and weighted sums of a call's inputs: the same for the same data, wherever it lies."""
    tensors = [value for value in inputs if isinstance(value, Tensor) and value.numel()]
    sums = []
    for tensor in tensors[:2]:
        flat = tensor.detach().reshape(-1)[:_ELEMENTS].double()
        sums.append((tuple(tensor.shape), (flat @ weights_for(flat)).item()))
    return tuple(sums) or None


def weights_for(values: Tensor) -> Tensor:
    """Weights that no two sets of values are likely to agree in."""
    order = torch.arange(1, values.shape[-1] + 1, dtype=torch.float64, device=values.device)
    return order.sqrt()


def repeats_rows(inputs: Sequence[Any]) -> bool:
    """Whether a batch holds each of its examples several times, as ``x.repeat(20, 1)`` does."""
    batch = next((value for value in inputs if isinstance(value, Tensor)), None)
    if batch is None or batch.dim() < 2 or not 4 <= batch.shape[0] <= 16_384:
        return False
    rows = batch.detach().reshape(batch.shape[0], -1)[:, :_ROWS].double()
    return int((rows @ weights_for(rows)).unique().numel()) <= batch.shape[0] // 2


def innermost_module(frame: FrameType | None) -> nn.Module | None:
    """The module whose method a frame runs, or the next frames further out."""
    for _ in range(3):
        if frame is None:
            return None
        owner = frame.f_locals.get("self")
        if isinstance(owner, nn.Module):
            return owner
        frame = frame.f_back
    return None


def oldest_number(loss: Tensor) -> int | None:
    """The lowest sequence number in a loss's graph, leaves aside; ``None`` if it is too large."""
    if loss.grad_fn is None:
        return None
    seen, stack, oldest = {loss.grad_fn}, [loss.grad_fn], loss.grad_fn._sequence_nr()
    while stack:
        node = stack.pop()
        for source, _ in node.next_functions:
            if source is not None and source not in seen:
                if source.name() == "torch::autograd::AccumulateGrad":
                    continue
                seen.add(source)
                stack.append(source)
                oldest = min(oldest, source._sequence_nr())
        if len(seen) > MAX_NODES:
            return None
    return int(oldest)

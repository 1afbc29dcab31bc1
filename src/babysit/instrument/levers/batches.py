"""Finding the examples in what a training hands around: which tensors, and which dimension."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

Role = Literal["data", "companion", "target"]
Named = Callable[[Tensor, str], Tensor]

TARGET_KEYS: Final = ("y", "ys", "targ")
TARGETS: Final = ("label", "target")
# Arguments of a model that accompany the data: of the examples as well, or of no example.
COMPANIONS: Final = (
    "mask", "position", "length", "state", "hidden", "hx", "cache", "past_key",
)  # fmt: skip
FIRST: Final = "input"  # what a module's first argument is called here, for it is always data
WRAPPED: Final = ("_orig_mod", "module")  # the model in what compiles it or spreads it


def is_tensor(value: Any) -> bool:
    """Whether a value may have examples in it: no weights' making, at least one dimension."""
    return isinstance(value, Tensor) and value.dim() > 0 and value.grad_fn is None


def is_data(value: Any) -> bool:
    """Whether a value is data that can be exchanged: numbers that no gradient is asked of."""
    return is_tensor(value) and value.dtype != torch.bool and not value.requires_grad


def role(name: str) -> Role:
    """What a tensor is to a model by its name, as ``batch.attention_mask``."""
    parts = [part.lower() for part in name.split(".")]
    if any(part in TARGET_KEYS or any(word in part for word in TARGETS) for part in parts):
        return "target"
    is_companion = any(word in part for part in parts for word in COMPANIONS)
    return "companion" if is_companion else "data"


def argument_names(module: nn.Module) -> list[str]:
    """What a module's positional arguments are called, also where it is wrapped."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [one.name for one in parameters if one.kind in kinds]
    inner = next(filter(None, map(module._modules.get, WRAPPED)), None)
    return argument_names(inner) if inner is not None and not names else names


def tensors(value: Any, name: str) -> Iterator[tuple[Tensor, str]]:
    """The tensors of a structure of lists, tuples and mappings, each with its name."""
    if isinstance(value, Tensor):
        yield value, name
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from tensors(one, f"{name}.{index}")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from tensors(one, f"{name}.{key}")


def mapped(value: Any, turn: Named, name: str) -> Any:
    """A structure of lists, tuples and mappings with every tensor turned."""
    if isinstance(value, Tensor):
        return turn(value, name)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(one, turn, f"{name}.{i}") for i, one in enumerate(value)))
    if type(value) in (list, tuple):
        return type(value)(mapped(one, turn, f"{name}.{i}") for i, one in enumerate(value))
    if isinstance(value, Mapping):
        return updated(value, {k: mapped(one, turn, f"{name}.{k}") for k, one in value.items()})
    return value


def split(batch: Any) -> tuple[Any, Any, Callable[[Any, Any], Any]] | None:
    """Inputs and targets of a loader's batch, and how to put them together again.

    The last part of a tuple or list is the target, or what a mapping calls so.
    """
    if type(batch) in (list, tuple) and len(batch) > 1:
        kind = type(batch)
        return batch[:-1], batch[-1], lambda inputs, target: kind([*inputs, target])
    if isinstance(batch, Mapping):
        named = {key: one for key, one in batch.items() if role(str(key)) == "target"}
        others = {key: one for key, one in batch.items() if key not in named}
        if named and others:
            return others, named, lambda inputs, targets: updated(batch, {**inputs, **targets})
    return None


def updated(mapping: Mapping[Any, Any], values: Mapping[Any, Any]) -> Any:
    """A mapping with other values, of the same kind where it can be copied."""
    if not hasattr(mapping, "__setitem__"):
        return dict(values)
    result: Any = copy.copy(mapping)
    for key, value in values.items():
        result[key] = value
    return result


class Rows:
    """Presents tensors with the examples in their first dimension, and puts them back.

    Recurrent nets take (time, batch, …), language models flatten (batch, time) in front of the
    loss: which it is shows when the targets arrive, so the first step may be read wrongly.
    """

    def __init__(self) -> None:
        self._inputs: Tensor | None = None
        self._is_second = False

    def next_step(self) -> None:
        self._inputs = None

    @property
    def inputs(self) -> Tensor | None:
        """The data that entered the model last, examples first."""
        inputs = self._inputs
        is_second = self._is_second and inputs is not None and inputs.dim() > 1
        return inputs.transpose(0, 1) if is_second and inputs is not None else inputs

    def enter(self, tensor: Tensor | None) -> None:
        """Data enter a model."""
        self._inputs = tensor

    def leave(self, target: Tensor) -> None:
        """Targets arrive at the loss: are there as many as in the data's second dimension?

        Only sequences have time first: of vectors, or of whole numbers.
        """
        inputs = self._inputs
        if inputs is None or inputs.dim() < 2 + inputs.is_floating_point():
            return
        first, second = inputs.shape[:2]
        if first not in (1, second) and target.shape[0] in (first, second):
            self._is_second = target.shape[0] == second

    def count(self, tensor: Tensor) -> int:
        """How many examples data have."""
        return tensor.shape[1 if self._is_second and tensor.dim() > 1 else 0]

    def first(self, tensor: Tensor, turn: Callable[[Tensor], Tensor]) -> Tensor:
        """Turn data with the examples first."""
        if self._is_second and tensor.dim() > 1:
            return turn(tensor.transpose(0, 1)).transpose(0, 1)
        return turn(tensor)

    def like_inputs(self, target: Tensor, turn: Callable[[Tensor], Tensor]) -> Tensor:
        """Turn targets with the examples first, also where time was flattened into them."""
        size = 0 if self._inputs is None else self.count(self._inputs)
        length = target.shape[0]
        if not size or length == size or length % size:
            return turn(target)
        if self._is_second:
            parts = target.reshape(length // size, size, *target.shape[1:]).transpose(0, 1)
            return turn(parts).transpose(0, 1).reshape(target.shape)
        return turn(target.reshape(size, length // size, *target.shape[1:])).reshape(target.shape)

    def spread(self, marks: Tensor, length: int) -> Tensor | None:
        """Marks of the examples, shape (examples,), for so many rows of a prediction."""
        size = len(marks)
        if length == size:
            return marks
        if not size or length % size:
            return None
        times = length // size
        return marks.repeat(times) if self._is_second else marks.repeat_interleave(times)

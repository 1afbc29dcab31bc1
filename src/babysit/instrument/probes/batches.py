"""Sizes: of the training's batches, of its data set, and the passes over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from babysit.instrument.probe import Probe

MAX_DEPTH = 3


class Batches(Probe):
    """Batch size and passes from the DataLoader; without one from the model's own input."""

    sleeps = ("on_backward",)

    def attach(self) -> None:
        self._passes: dict[int, int] = {}
        self._begun: tuple[int, int | None] | None = None
        self._loaded: tuple[Any, ...] | None = None
        self._entered: tuple[Any, ...] | None = None
        self._last: tuple[Any, ...] | None = None
        self._noted = -1

    def on_batch(self, loader: Any, batch: Any) -> None:
        """Keep the size of what the loader gave until it is known that it is trained on."""
        self.wake("on_backward")
        if loader._num_yielded <= 1:
            dataset = loader._dataset
            size = len(dataset) if hasattr(dataset, "__len__") else None
            self._begun = (id(dataset), size)
        self._loaded = look(batch) if self.is_sampled else None

    def on_call(
        self, module: nn.Module, inputs: Sequence[Any], output: Any, is_evaluation: bool
    ) -> None:
        """The first input of the model, for programs that batch by hand."""
        if self._entered is None and torch.is_grad_enabled() and not is_evaluation:
            self._entered = look(inputs)
            self.wake("on_backward")

    def on_backward(self, loss: Tensor) -> None:
        """What was loaded, or entered the model, is the training's."""
        self.rest("on_backward")
        begun, self._begun = self._begun, None
        found, self._loaded, self._entered = self._loaded or self._entered, None, None
        if begun is not None:
            dataset, size = begun
            self._passes[dataset] = self._passes.get(dataset, 0) + 1
            self.note("epoch", float(self._passes[dataset]))
            if size is not None:
                self.fact("num_examples", size)
        if self.is_sampled and found is not None and self.step != self._noted:
            self._noted = self.step
            self.note("batch-size", float(found[0]))
            self.note("batch-repeats", float(found == self._last))
            self._last = found


def look(batch: Any) -> tuple[Any, ...] | None:
    """Size and a few values of the first tensor of a batch: enough to know it again."""
    tensor = first_tensor(batch)
    if tensor is None or tensor.dim() == 0 or tensor.numel() == 0 or tensor.layout != torch.strided:
        return None
    flat = tensor.detach().view(-1) if tensor.is_contiguous() else tensor.detach()[0].reshape(-1)
    return (tensor.shape[0], *flat[:: flat.numel() // 32 | 1][:32].tolist())


def first_tensor(values: Any, depth: int = 0) -> Tensor | None:
    """The first tensor in nested lists and dictionaries of data."""
    if isinstance(values, Tensor):
        return values
    if isinstance(values, Mapping):
        values = list(values.values())
    if depth < MAX_DEPTH and isinstance(values, (list, tuple)):
        for value in values:
            found = first_tensor(value, depth + 1)
            if found is not None:
                return found
    return None

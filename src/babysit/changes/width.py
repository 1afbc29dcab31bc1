"""How wide a model is: its hidden units and channels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.optim import Optimizer

from babysit.change import CannotApplyError, Change, Levers, is_number
from babysit.changes._models import Fresh, apart, inside
from babysit.changes._ways import Link, find_links, width_of


@dataclass(frozen=True, kw_only=True)
class ScaleWidth(Change):
    """Give the model more or fewer hidden units: too small underfits, too large overfits (E9).

    Each linear or convolutional layer whose output goes, unit by unit, into exactly one next such
    layer gets ``factor`` times its units, one at least; what the model takes and gives keeps its
    width. Layers whose shape changes are drawn anew. In the end they have their old shapes
    and are drawn anew once more: what a layer of another width has learnt does not fit them.
    """

    factor: float

    def __post_init__(self) -> None:
        is_right = is_number(self.factor, above=0, to=1e3) and self.factor != 1
        self.require(factor=(is_right, "a number above 0 other than 1, up to 1000"))

    def apply(self, levers: Levers) -> None:
        fresh, reasons = Fresh(levers), list[str]()
        resized: list[Resizing] = []

        def scale(model: nn.Module) -> None:
            if not fresh.of(model):
                return
            try:
                links = find_links(inside(model))
            except CannotApplyError as error:
                reasons.append(str(error))
                return
            resizing = Resizing(model)
            resized.append(resizing)
            levers.in_the_end(resizing.undo)
            with apart(model):
                for link in links:
                    resizing.scale(link, self.factor)
                resizing.finish()

        def look(optimizer: Optimizer) -> None:
            if reasons and not resized:
                why = f"the width of this model cannot be changed: {reasons[0]}"
                raise CannotApplyError(why)
            if resized and not any(one.shapes for one in resized):
                raise CannotApplyError(f"{self.factor:g} times its width is the same width")
            for resizing in resized:
                resizing.fit(optimizer)

        levers.on_model(scale)
        levers.on_optimizer(look)


class Resizing:
    """Layers of other shapes, in the same parameters, and the way back.

    Attributes:
        shapes: the old shape of each parameter and buffer that has another now.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._attributes: list[tuple[nn.Module, str, Any]] = []
        self._layers: dict[nn.Module, None] = {}
        self._states: list[tuple[dict[str, Any], str, Tensor]] = []
        self._optimizers: list[Optimizer] = []
        self.shapes: dict[Tensor, torch.Size] = {}

    def scale(self, link: Link, factor: float) -> None:
        """Change the number of units between two layers; :meth:`finish` makes it true."""
        old = width_of(link.source)
        new = max(1, math.floor(old * factor + 0.5))
        is_linear = isinstance(link.source, nn.Linear)
        self._set(link.source, "out_features" if is_linear else "out_channels", new)
        for norm in link.norms:
            is_layer_norm = isinstance(norm, nn.LayerNorm)
            size = (new,) if is_layer_norm else new
            self._set(norm, "normalized_shape" if is_layer_norm else "num_features", size)
        if isinstance(link.target, nn.Linear):  # a flattening makes several of each unit
            self._set(link.target, "in_features", link.target.in_features // old * new)
        else:
            self._set(link.target, "in_channels", new)

    def _set(self, layer: nn.Module, name: str, value: Any) -> None:
        """Set a size that a layer knows of itself."""
        if getattr(layer, name) != value:
            self._attributes.append((layer, name, getattr(layer, name)))
            setattr(layer, name, value)
            self._layers[layer] = None

    def finish(self) -> None:
        """Give the layers' tensors the shapes that fit, and draw them anew."""
        for layer in self._layers:
            for tensor, shape in fitting_shapes(layer):
                self.shapes.setdefault(tensor, tensor.shape)
                tensor.data, tensor.grad = tensor.data.new_empty(shape), None
        for layer in self._layers:
            layer.reset_parameters()  # type: ignore[operator]  # all kinds that we resize have it

    def fit(self, optimizer: Optimizer) -> None:
        """What an optimizer keeps from the beginning on, such as Adagrad's sums."""
        self._optimizers.append(optimizer)
        for tensor, old in self.shapes.items():
            state = optimizer.state.get(tensor, {})
            for key, value in state.items():
                if isinstance(value, Tensor) and value.shape == old != tensor.shape:
                    self._states.append((state, key, value))
                    state[key] = value.new_full(tensor.shape, float(value.flatten()[0]))

    def undo(self) -> None:
        for layer, name, value in reversed(self._attributes):
            setattr(layer, name, value)
        with apart(self._model):
            self.finish()
        for state, key, value in self._states:
            state[key] = value
        for optimizer in self._optimizers:
            for tensor in self.shapes:
                kept = optimizer.state.get(tensor, {}).values()
                if any(one.shape != tensor.shape for one in kept if has_dims(one)):
                    optimizer.state.pop(tensor)


def has_dims(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dim() > 0


def fitting_shapes(layer: Any) -> Iterator[tuple[Tensor, tuple[int, ...]]]:
    """A layer's parameters and buffers with the shapes that go with its sizes."""
    if isinstance(layer, nn.Linear):
        weight: tuple[int, ...] = (layer.out_features, layer.in_features)
    elif isinstance(layer, _ConvNd):
        weight = (layer.out_channels, layer.in_channels, *layer.kernel_size)
    elif isinstance(layer, nn.LayerNorm):
        weight = tuple(layer.normalized_shape)
    else:
        weight = (layer.num_features,)
    for name, tensor in (*layer.named_parameters(), *layer.named_buffers()):
        if tensor.dim():
            yield tensor, weight if name == "weight" else weight[:1]

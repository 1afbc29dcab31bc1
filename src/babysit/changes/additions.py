"""What is put between a model's layers: batch normalisation, dropout."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import Optimizer

from babysit.change import CannotApplyError, Change, Levers, is_number
from babysit.changes._models import Fresh, inside, traced

SLOT: Final = "babysit_batch_norm"
NORMS: Final = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, nn.RMSNorm)
CONTAINERS: Final = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
NO_HIDDEN_ACTIVATIONS: Final = (
    nn.MultiheadAttention, nn.Softmax, nn.Softmin, nn.LogSoftmax, nn.Softmax2d,
)  # fmt: skip
IsOne = Callable[[nn.Module], bool]


@dataclass(frozen=True, kw_only=True)
class AddBatchNorm(Change):
    """Normalise each hidden layer's output over the batch, before its activation (B6).

    After every ``nn.Linear`` and convolution that leads to a later layer with weights and is not
    normalised yet. Scale and shift are trained by the optimizer that holds the layer's weight,
    in the same group, so that schedules reach them. Where a batch leaves one value per unit, the
    running averages normalise it.
    """

    def apply(self, levers: Levers) -> None:
        norms = AddedNorms()
        fresh = Fresh(levers)

        def add(model: nn.Module) -> None:
            for layer, followers in fresh_hidden(model, fresh, is_normalisable):
                if not any(isinstance(one, NORMS) for one in followers):
                    norms.add(layer)

        def join(optimizer: Optimizer) -> None:
            if not norms.layers:
                raise CannotApplyError("the model has no hidden layer that lacks a norm")
            norms.join(optimizer)

        levers.in_the_end(norms.undo)
        levers.on_model(add)
        levers.on_optimizer(join)


class AddedNorms:
    """Batch norms as children of the layers that they follow.

    So they share the layers' modes, devices, copies and checkpoints.
    """

    def __init__(self) -> None:
        self.layers: list[nn.Linear | nn.Conv1d | nn.Conv2d] = []
        self._handles: list[Any] = []
        self._optimizers: WeakSet[Optimizer] = WeakSet()

    def add(self, layer: Any) -> None:
        weight = layer.weight
        kind = nn.BatchNorm2d if isinstance(layer, nn.Conv2d) else nn.BatchNorm1d
        with torch.inference_mode(False):
            norm = kind(weight.shape[0], device=weight.device, dtype=weight.dtype)
        layer.add_module(SLOT, norm.train(layer.training))
        self.layers.append(layer)
        self._handles.append(layer.register_forward_hook(normalised))
        for optimizer in self._optimizers:
            self.join(optimizer)

    def join(self, optimizer: Optimizer) -> None:
        """Train them with the layers' weights; a group of their own would break schedulers."""
        self._optimizers.add(optimizer)
        for group in optimizer.param_groups:
            held = {id(parameter) for parameter in group["params"]}
            for layer in self.layers:
                if id(layer.weight) in held:
                    own = layer.get_submodule(SLOT).parameters()
                    group["params"].extend(one for one in own if id(one) not in held)

    def undo(self) -> None:
        for handle in self._handles:
            handle.remove()
        ours = {one for layer in self.layers for one in layer.get_submodule(SLOT).parameters()}
        for layer in self.layers:
            delattr(layer, SLOT)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["params"][:] = [one for one in group["params"] if one not in ours]
            for parameter in ours:
                optimizer.state.pop(parameter, None)


def is_normalisable(layer: nn.Module) -> bool:
    """Whether batch norm can follow a layer and be of use: its weights are trained."""
    kinds = nn.Linear | nn.Conv1d | nn.Conv2d
    return isinstance(layer, kinds) and layer.weight.requires_grad


def normalised(layer: nn.Module, _: Any, output: Tensor) -> Tensor | None:
    """A layer's output, normalised by its child; hook."""
    norm = layer.get_submodule(SLOT)
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    is_linear = isinstance(layer, nn.Linear)
    num_dims = 2 if is_linear else layer.weight.dim()  # type: ignore[operator]  # a tensor
    if output.dim() < num_dims:
        return None  # one example without a batch
    rows = output.reshape(-1, output.shape[-1]) if is_linear else output
    if norm.training and rows.numel() == rows.shape[1]:
        averages = norm.running_mean, norm.running_var
        made = functional.batch_norm(rows, *averages, norm.weight, norm.bias, False, 0.0, norm.eps)
    else:
        made = norm(rows)
    return made.reshape(output.shape)


@dataclass(frozen=True, kw_only=True)
class AddDropout(Change):
    """Put dropout after each hidden activation: 0.5 first, 0.2 for simple models (D11).

    After every activation layer, such as ``nn.ReLU``, that leads to a later layer with weights;
    active in training mode only.
    """

    p: float

    def __post_init__(self) -> None:
        is_rate = is_number(self.p, above=0) and self.p < 1
        self.require(p=(is_rate, "a number between 0 and 1"))

    def apply(self, levers: Levers) -> None:
        handles: list[Any] = []
        fresh = Fresh(levers)

        def add(model: nn.Module) -> None:
            for layer, _ in fresh_hidden(model, fresh, is_activation):
                handles.append(layer.register_forward_hook(functools.partial(dropped, p=self.p)))
                levers.in_the_end(handles[-1].remove)

        def look(_: Optimizer) -> None:
            if not handles:
                raise CannotApplyError("the model has no hidden activation layer, such as nn.ReLU")

        levers.on_model(add)
        levers.on_optimizer(look)


def is_activation(layer: nn.Module) -> bool:
    is_known = type(layer).__module__ == "torch.nn.modules.activation"
    return is_known and not isinstance(layer, NO_HIDDEN_ACTIVATIONS)


def dropped(layer: nn.Module, _: Any, output: Tensor, *, p: float) -> Tensor:
    """A layer's output after dropout; hook."""
    return functional.dropout(output, p, training=layer.training)


# -- what is hidden ----------------------------------------------------------------------


def fresh_hidden(
    model: nn.Module, fresh: Fresh, is_one: IsOne
) -> Iterator[tuple[nn.Module, list[nn.Module]]]:
    """The hidden layers of a kind that are met for the first time; see :func:`hidden_layers`."""
    new = fresh.of(model)
    for layer, followers in hidden_layers(inside(model), is_one).items() if new else ():
        if layer in new:
            yield layer, followers


def hidden_layers(model: nn.Module, is_one: IsOne) -> dict[nn.Module, list[nn.Module]]:
    """Layers of a kind that lead to a later one with weights, each with what directly follows.

    As the forward goes, if it can be traced; else what comes before the last in the order of
    registration.
    """
    found: dict[nn.Module, list[nn.Module]] = {}
    try:
        graph = traced(model)
    except Exception:  # whatever a forward does with what is no tensor
        layers = list(leaves(model))
        last = max((i for i, layer in enumerate(layers) if has_weights(layer)), default=0)
        pairs = itertools.pairwise(layers[: last + 1])
        return {layer: [follower] for layer, follower in pairs if is_one(layer)}
    modules = dict(model.named_modules(remove_duplicate=False))
    leads: set[fx.Node] = set()
    for node in reversed(graph.nodes):
        followers = [modules[str(one.target)] for one in node.users if one.op == "call_module"]
        if any(one in leads for one in node.users) or any(map(has_weights, followers)):
            leads.add(node)
            if node.op == "call_module" and is_one(modules[str(node.target)]):
                found.setdefault(modules[str(node.target)], []).extend(followers)
    return dict(reversed(found.items()))


def leaves(module: nn.Module) -> Iterator[nn.Module]:
    """The layers of a model in the order of registration, without what is inside PyTorch's."""
    is_whole = type(module).__module__.startswith("torch.nn.modules.")
    if not module._modules or (is_whole and not isinstance(module, CONTAINERS)):
        yield module
    else:
        for child in module.children():
            yield from leaves(child)


def has_weights(layer: nn.Module) -> bool:
    """Whether a layer has weights, other than a norm's scale and shift."""
    return any(parameter.dim() > 1 for parameter in layer.parameters())

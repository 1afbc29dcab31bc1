"""A model's weights before the first step: drawn anew, forget gates opened, another precision."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import UninitializedParameter
from torch.optim import Optimizer
from torch.utils._pytree import tree_map

from babysit.change import CannotApplyError, Change, Levers, is_number
from babysit.changes._models import Fresh, apart, is_trained, no_such_module, plain

SCHEMES: Final[dict[str, Callable[[Tensor], object]]] = {
    "xavier": nn.init.xavier_uniform_,
    "kaiming": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
}
USUAL_SCALE: Final = 0.02
RECURRENT: Final = (nn.RNNBase, nn.RNNCellBase)
EMBEDDINGS: Final = (nn.Embedding, nn.EmbeddingBag)
WEIGHTED: Final = (nn.Linear, _ConvNd, *EMBEDDINGS, nn.MultiheadAttention)
NORMS: Final = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
DTYPES: Final = {name: getattr(torch, name) for name in ("float32", "float64", "bfloat16")}
# PyTorch's other losses convert the target themselves.
ALIKE: Final = ("binary_cross_entropy", "huber_loss")


@dataclass(frozen=True, kw_only=True)
class Reinitialise(Change):
    """Draw the weights anew before the first step: by fan-in (B5, E1), or 0.02·randn (D7).

    Those of linear, convolutional, recurrent and attention layers, gate by gate; their biases
    become zero. Norms keep theirs; embeddings too, except under "normal", as Xavier's suits them
    badly (E1). The random numbers of everything else in the training stay the same. What was
    trained is kept in the end.

    Attributes:
        scheme: "xavier" (uniform), "kaiming" (normal, for ReLU), "orthogonal", "normal", or
            "default": as each module draws its own.
        scale: standard deviation under "normal"; 0.02 if not given.
        layers: names of modules; these alone, with all that is in them.
    """

    scheme: str
    scale: float | None = None
    layers: Sequence[str] | None = None

    def __post_init__(self) -> None:
        schemes = (*SCHEMES, "normal", "default")
        is_scale = self.scheme == "normal" and is_number(self.scale, above=0, to=1e6)
        given = self.layers
        are_names = isinstance(given, list | tuple) and all(isinstance(one, str) for one in given)
        self.require(
            scheme=(self.scheme in schemes, f"one of {', '.join(schemes)}"),
            scale=(self.scale is None or is_scale, "a number above 0, with the scheme normal only"),
            layers=(given is None or (are_names and len(given) > 0), "a list of modules' names"),
        )

    def apply(self, levers: Levers) -> None:
        fresh = Fresh(levers)
        names: set[str] = set()
        drawn: list[int] = []

        def draw(model: nn.Module) -> None:
            if is_trained(levers):
                return
            new = fresh.of(model)
            own = {plain(name): layer for name, layer in model.named_modules() if layer in new}
            names.update(own)
            tables = [one for one in new if isinstance(one, EMBEDDINGS)]
            embeddings = {id(table.weight) for table in tables}
            with apart(model):
                for name, layer in reversed(own.items()):  # a layer may draw for its children
                    if self._is_meant(name):
                        drawn.append(self._draw(layer, embeddings))

        def look(_: Optimizer) -> None:
            for wanted in self.layers or ():
                if wanted not in names:
                    raise CannotApplyError(no_such_module(wanted, names))
            if not sum(drawn):
                raise CannotApplyError(f"the model has no weights that {self.scheme} is for")

        levers.on_model(draw)
        levers.on_optimizer(look)

    def _is_meant(self, name: str) -> bool:
        meant = self.layers
        return meant is None or any(name == one or name.startswith(f"{one}.") for one in meant)

    def _draw(self, layer: nn.Module, embeddings: set[int]) -> int:
        """Draw a layer's own weights; how many."""
        own = dict(layer.named_parameters(recurse=False))
        if not own or isinstance(layer, NORMS):
            return 0
        if any(isinstance(one, UninitializedParameter) for one in own.values()):
            return 0
        if self.scheme == "default":
            reset = getattr(layer, "reset_parameters", getattr(layer, "_reset_parameters", None))
            if reset is not None:
                reset()
            return int(reset is not None)
        if not isinstance(layer, (*RECURRENT, *WEIGHTED)):
            return 0
        if self.scheme != "normal" and any(id(one) in embeddings for one in own.values()):
            return 0
        for name, parameter in own.items():
            self._draw_one(layer, name, parameter)
        return len(own)

    def _draw_one(self, layer: nn.Module, name: str, parameter: Tensor) -> None:
        if "bias" in name:
            nn.init.zeros_(parameter)
            return
        if self.scheme == "normal":
            nn.init.normal_(parameter, std=self.scale or USUAL_SCALE)
            padding = getattr(layer, "padding_idx", None)
            if padding is not None:
                nn.init.zeros_(parameter[padding])
            return
        num_gates = 1
        if isinstance(layer, RECURRENT) and name.startswith(("weight_ih", "weight_hh")):
            num_gates = parameter.shape[0] // layer.hidden_size
        elif name == "in_proj_weight":  # query, key and value
            num_gates = 3
        for gate in parameter.chunk(num_gates):
            SCHEMES[self.scheme](gate)


@dataclass(frozen=True, kw_only=True)
class RaiseForgetBias(Change):
    """Begin with a larger bias in the forget gates of an LSTM: it remembers for longer (D8).

    What was trained is kept in the end.

    Attributes:
        value: of both biases of the gate together.
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        is_right = is_number(self.value) and math.isfinite(self.value)
        self.require(value=(is_right, "a finite number"))

    def apply(self, levers: Levers) -> None:
        fresh = Fresh(levers)
        num_raised: list[int] = []

        def raise_biases(model: nn.Module) -> None:
            for layer in () if is_trained(levers) else fresh.of(model):
                if isinstance(layer, nn.LSTM | nn.LSTMCell):
                    num_raised.append(self._raise(layer))

        def look(_: Optimizer) -> None:
            if not num_raised:
                raise CannotApplyError("the model has no LSTM")
            if not sum(num_raised):
                raise CannotApplyError("the model's LSTM has no biases")

        levers.on_model(raise_biases)
        levers.on_optimizer(look)

    @torch.no_grad()
    def _raise(self, layer: nn.LSTM | nn.LSTMCell) -> int:
        biases = [pair for pair in layer.named_parameters() if pair[0].startswith("bias_")]
        for name, bias in biases:  # the gates' order is input, forget, cell, output
            share = self.value if name.startswith("bias_ih") else 0.0
            bias[layer.hidden_size : 2 * layer.hidden_size] = share
        return len(biases)


@dataclass(frozen=True, kw_only=True)
class SetDtype(Change):
    """Train in another floating-point precision: weights, buffers, inputs and targets.

    In the end weights, buffers and the optimizer's state are what was trained, in their old
    precision.
    """

    dtype: str

    def __post_init__(self) -> None:
        self.require(dtype=(self.dtype in DTYPES, f"one of {', '.join(DTYPES)}"))

    def apply(self, levers: Levers) -> None:
        conversion = Conversion(DTYPES[self.dtype])

        def look(optimizer: Optimizer) -> None:
            conversion.of_optimizer(optimizer)
            if not conversion.tensors:
                raise CannotApplyError(f"the model is in {self.dtype} already")

        levers.in_the_end(conversion.undo)
        levers.on_model(conversion.of_model)
        levers.on_optimizer(look)
        for name in ALIKE:
            loss = getattr(functional, name)
            levers.replace(functional, name, functools.wraps(loss)(functools.partial(alike, loss)))


class Conversion:
    """Another precision in the place of the old one, tensor by tensor.

    Attributes:
        tensors: weights and buffers converted, with their old precision.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._models: WeakSet[nn.Module] = WeakSet()
        self._optimizers: WeakSet[Optimizer] = WeakSet()
        self._handles: list[Any] = []
        self.tensors: list[tuple[Tensor, torch.dtype]] = []

    def of_model(self, model: nn.Module) -> None:
        """A model's weights and buffers, which stay the tensors that optimizers hold."""
        self._models.add(model)
        hook = functools.partial(given_in, self._dtype)
        self._handles.append(model.register_forward_pre_hook(hook, with_kwargs=True))
        new = [one for one in (*model.parameters(), *model.buffers()) if one.is_floating_point()]
        changed = [(one, one.dtype) for one in new if one.dtype != self._dtype]
        self.tensors.extend(changed)
        self._turn([(one, self._dtype) for one, _ in changed])

    def of_optimizer(self, optimizer: Optimizer) -> None:
        """What an optimizer keeps of the tensors, now and in the end."""
        self._optimizers.add(optimizer)
        for tensor, old in self.tensors:
            turn_state(optimizer, tensor, old, self._dtype)

    def undo(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._turn(self.tensors)
        for optimizer in self._optimizers:
            for tensor, old in self.tensors:
                turn_state(optimizer, tensor, self._dtype, old)

    def _turn(self, tensors: list[tuple[Tensor, torch.dtype]]) -> None:
        with torch.inference_mode(False), torch.no_grad():
            for tensor, dtype in tensors:
                gradient, tensor.grad = tensor.grad, None
                tensor.data = tensor.data.to(dtype)
                tensor.grad = None if gradient is None else gradient.to(dtype)
        for model in self._models:
            for layer in model.modules():
                if isinstance(layer, nn.RNNBase):
                    layer.flatten_parameters()


def given_in(dtype: torch.dtype, _: nn.Module, args: Any, kwargs: Any) -> Any:
    """A module's arguments in a precision; hook."""

    def turn(value: Any) -> Any:
        is_other = isinstance(value, Tensor) and value.is_floating_point()
        return value.to(dtype) if is_other else value

    return tree_map(turn, (args, kwargs))


def turn_state(optimizer: Optimizer, tensor: Tensor, old: torch.dtype, new: torch.dtype) -> None:
    """Convert what an optimizer keeps of a tensor."""
    state = optimizer.state.get(tensor, {})
    for key, value in state.items():
        if isinstance(value, Tensor) and value.shape == tensor.shape and value.dtype == old:
            state[key] = value.to(new)


def alike(loss: Any, input: Tensor, target: Tensor, *args: Any, **kwargs: Any) -> Any:
    """A loss that wants both operands in the same precision: the prediction's."""
    if target.is_floating_point():
        target = target.to(input.dtype)
    return loss(input, target, *args, **kwargs)

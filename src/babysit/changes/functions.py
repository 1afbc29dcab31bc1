"""What PyTorch's functions do while a model runs: activations, normalisation, dropout.

Nothing is hung on the model, so that it can be copied, saved and loaded as ever; layers of
``torch.nn`` and calls by hand are met alike, since a layer calls the function too.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakIdKeyDictionary

from babysit.change import CannotApplyError, Change, Levers, is_number
from babysit.changes._models import eagerly, while_models_run

Answer = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
ACTIVATIONS: Final[dict[str, tuple[type[nn.Module], Callable[..., Tensor]]]] = {
    "relu": (nn.ReLU, functional.relu),
    "leaky_relu": (nn.LeakyReLU, functional.leaky_relu),
    "elu": (nn.ELU, functional.elu),
    "gelu": (nn.GELU, functional.gelu),
    "silu": (nn.SiLU, functional.silu),
    "tanh": (nn.Tanh, torch.tanh),
    "sigmoid": (nn.Sigmoid, torch.sigmoid),
    "softplus": (nn.Softplus, functional.softplus),
}
OTHER_NAMES: Final = {"sigmoid": ("expit", "special_expit")}
NORMS: Final = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")
DROPOUTS: Final = (
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
    "feature_dropout",
)  # fmt: skip
# Frames between a call and the code that wants it.
PASSED_FRAMES: Final = (
    "babysit.", "torch.overrides", "torch._tensor", "torch.nn.functional",
    "torch.nn.modules.module", "torch.nn.modules.container",
)  # fmt: skip


class WhileModelsRun(TorchFunctionMode):
    """Has an answer of ours given to calls of PyTorch while an outermost module runs.

    Args:
        answer: called with function, arguments and keyword arguments in place of the function.
        finish: shown what the outermost module returns; returns what it gives instead.
    """

    def __init__(self, answer: Answer, finish: Callable[[Any], Any] | None = None) -> None:
        super().__init__()
        self._answer, self._finish = answer, finish
        self._running: list[nn.Module] = []

    def attach(self, levers: Levers) -> None:
        while_models_run(levers, self._enter)
        if self._finish is not None:  # a hook, since those of others are to see what comes of it
            handle = torch.nn.modules.module.register_module_forward_hook(self._leave)
            levers.in_the_end(handle.remove)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return self._answer(function, args, kwargs or {})

    @contextmanager
    def _enter(self, model: nn.Module) -> Iterator[None]:
        self._running.append(model)
        try:
            if len(self._running) > 1:
                yield
            else:
                with eagerly(), self:
                    yield
        finally:
            self._running.pop()

    def _leave(self, module: nn.Module, args: Any, output: Any) -> Any:
        is_outermost = self._running == [module] and torch._C._current_graph_task_id() == -1
        if self._finish is None or not is_outermost:
            return None
        with torch._C.DisableTorchFunction():
            return self._finish(output)


@dataclass(frozen=True, kw_only=True)
class ReplaceActivation(Change):
    """Use another activation between the layers: ReLU rather than sigmoid, says B3.

    Layers and functions called in the model's forward are met alike. What the outermost module
    returns directly, the output's activation, stays; so does what layers of ``torch.nn``, such as
    ``nn.LSTM``, do inside. The new activation has PyTorch's default parameters.
    """

    old: str
    new: str

    def __post_init__(self) -> None:
        names = ", ".join(ACTIVATIONS)
        self.require(
            old=(self.old in ACTIVATIONS, f"one of {names}"),
            new=(self.new in ACTIVATIONS and self.new != self.old, f"another one of {names}"),
        )

    def apply(self, levers: Levers) -> None:
        exchange = Exchange(self.old, self.new)
        WhileModelsRun(exchange.answer, exchange.finish).attach(levers)

        def look(_: Optimizer) -> None:
            if exchange.num_met == exchange.num_outputs:
                alone = " except for its output" if exchange.num_met else ""
                raise CannotApplyError(f"the model uses no {self.old}{alone}")

        levers.on_optimizer(look)


class Exchange:
    """Answers calls of one activation with another, except for the model's output.

    Attributes:
        num_met: calls of the old one.
        num_outputs: those among them that gave the output.
    """

    def __init__(self, old: str, new: str) -> None:
        self._layer, self._old = ACTIVATIONS[old]
        self._new = ACTIVATIONS[new][1]
        self._names = (old, *OTHER_NAMES.get(old, ()))
        self._given = WeakIdKeyDictionary()  # result: how to make what the script asked for
        self.num_met = self.num_outputs = 0

    def answer(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        name = name_of(function)
        if name.rstrip("_") not in self._names or "out" in kwargs or is_library(self._layer):
            return function(*args, **kwargs)
        self.num_met += 1
        tensor = given_tensor(args, kwargs)
        is_in_place = name.endswith("_") or kwargs.get("inplace", False)
        before = tensor.clone() if is_in_place else tensor
        result = self._new(before)
        if is_in_place:
            result = tensor.copy_(result)
        options = {key: one for key, one in kwargs.items() if key not in ("input", "inplace")}
        self._given[result] = (
            version_of(result),
            functools.partial(self._old, before, *args[1:], **options),
        )
        return result

    def finish(self, output: Any) -> Any:
        """What the model returns, with the activation that it had for the output itself."""
        output = tree_map(self._as_asked, output)
        self._given.clear()
        return output

    def _as_asked(self, value: Any) -> Any:
        made = self._given.get(value) if isinstance(value, Tensor) else None
        if made is None or version_of(value) != made[0]:
            return value
        self.num_outputs += 1
        return made[1]()


@dataclass(frozen=True, kw_only=True)
class DropNormalisation(Change):
    """Run the model without its batch, layer, group, instance and RMS norms."""

    def apply(self, levers: Levers) -> None:
        met: set[str] = set()

        def answer(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            name = name_of(function)
            if name not in NORMS:
                return function(*args, **kwargs)
            met.add(name)
            # A copy: an activation in place that follows must not reach what came before.
            return given_tensor(args, kwargs).clone()

        def look(_: Optimizer) -> None:
            if not met:
                raise CannotApplyError("the model has no normalisation")

        WhileModelsRun(answer).attach(levers)
        levers.on_optimizer(look)


@dataclass(frozen=True, kw_only=True)
class SetDropout(Change):
    """Set the rate of all dropout: 0.5 is a good first value, 0.2 enough for simple models (D11).

    Layers, functions called in the model's forward, and the dropout inside of recurrent layers
    and attention. When it is active stays as the script has it.
    """

    p: float

    def __post_init__(self) -> None:
        self.require(p=(is_rate(self.p), "a number from 0 to below 1"))

    def apply(self, levers: Levers) -> None:
        met: set[str] = set()

        def answer(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            name = name_of(function)
            if name in DROPOUTS:
                met.add(name)
                return function(*with_argument(args, kwargs, 1, "p", self.p), **kwargs)
            if name == "scaled_dot_product_attention" and self._has_dropout(args, kwargs):
                met.add(name)
                args = with_argument(args, kwargs, 4, "dropout_p", self.p)
            return function(*args, **kwargs)

        def set_attributes(model: nn.Module) -> None:
            for layer in model.modules():
                is_deep = isinstance(layer, nn.RNNBase) and layer.num_layers > 1
                if is_deep or isinstance(layer, nn.MultiheadAttention):
                    met.add("dropout")
                    levers.replace(layer, "dropout", float(self.p))

        def look(_: Optimizer) -> None:
            if not met:
                raise CannotApplyError("the model has no dropout")

        WhileModelsRun(answer).attach(levers)
        levers.on_model(set_attributes)
        levers.on_optimizer(look)

    @staticmethod
    def _has_dropout(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Without any it may be an evaluation, which the function is not told otherwise."""
        return bool(args[4] if len(args) > 4 else kwargs.get("dropout_p", 0.0))


def version_of(tensor: Tensor) -> int:
    """How often a tensor was changed in place; inference mode does not count."""
    return 0 if tensor.is_inference() else tensor._version


def name_of(function: Any) -> str:
    """A function's name: of ``torch.relu``, ``F.relu`` and ``Tensor.relu`` the same."""
    module = getattr(function, "__module__", None) or "torch"
    return str(getattr(function, "__name__", "")) if module.startswith("torch") else ""


def given_tensor(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The tensor that a function is to work on."""
    return args[0] if args else kwargs["input"]


def with_argument(
    args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str, value: Any
) -> tuple[Any, ...]:
    """Arguments with one of them changed, wherever the call has it."""
    if len(args) > position:
        return (*args[:position], value, *args[position + 1 :])
    kwargs[name] = value
    return args


def is_rate(value: object) -> bool:
    """Whether a value can be a dropout's rate."""
    return is_number(value) and 0 <= value < 1  # type: ignore[operator]  # a number by now


def is_library(layer: type[nn.Module]) -> bool:
    """Whether a layer of ``torch.nn`` makes the call, for ends of its own.

    Args:
        layer: layers of this class make it for the model's.
    """
    frame = sys._getframe(2)
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(PASSED_FRAMES) and not isinstance(frame.f_locals.get("self"), layer):
            return bool(name.startswith("torch.nn.modules."))
        frame = frame.f_back
    return False

"""The way of the data: from the loader into the model, and from there into the loss."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.weak import WeakTensorKeyDictionary

from babysit.instrument import losses
from babysit.instrument.levers.batches import (
    FIRST,
    Rows,
    argument_names,
    is_data,
    is_tensor,
    mapped,
    role,
    split,
    tensors,
)
from babysit.instrument.levers.loss_call import LossCall
from babysit.instrument.levers.points import Points

DATA: Final = ("on_inputs", "selected_inputs", "on_targets", "selected_targets")
AT_LOSS: Final = ("on_targets", "selected_targets", "on_loss", "on_evaluation")


class _Here(threading.local):
    """What goes on in one thread."""

    def __init__(self) -> None:
        self.depth = 0
        self.in_loss = False
        self.trains = True  # what ran with gradients last was in training mode
        self.rows = Rows()


class Flow:
    """Lets changes turn inputs, targets and losses of a training, and of nothing else.

    What selects examples is asked from the second step on, when it is known which of the calls
    belong to a step, and which dimension is the examples'.

    Args:
        by_loader: turn the data as loaders give them, instead of at module and loss.
    """

    def __init__(self, points: Points, *, by_loader: bool) -> None:
        self._points, self._by_loader = points, by_loader
        self._here = _Here()
        self._models: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._loaders: weakref.WeakSet[DataLoader[Any]] = weakref.WeakSet()
        self._given = WeakTensorKeyDictionary()  # by_loader: targets before they were turned
        self._modes: set[bool] = set()  # of the models that ran with gradients since the last step
        self._trains_in_eval_mode = False
        self._evaluated: list[Tensor] = []

    def attach(self) -> None:
        points, patches = self._points, self._points.patches
        if points.has("on_model", "on_loader", *DATA, *AT_LOSS):
            patches.replace(nn.Module, "__call__", self._wrap_call)
        if points.has(*AT_LOSS):
            for name in losses.FUNCTIONS:
                make = functools.partial(self._wrap_loss, name)
                patches.replace(torch.nn.functional, name, make)
        if points.has("on_loader") or (points.has(*DATA) and self._by_loader):
            patches.replace(DataLoader, "__iter__", self._wrap_loader)

    def next_step(self) -> None:
        """A step is done: what comes belongs to the next."""
        self._here.rows.next_step()
        if self._modes:
            self._trains_in_eval_mode = self._modes == {False}
            self._modes.clear()

    # -- modules -------------------------------------------------------------------------

    def _wrap_call(self, original: Any) -> Any:
        @functools.wraps(original)
        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling():
                return original(module, *args, **kwargs)
            here = self._here
            if here.depth or not is_model(module) or self._is_fed(module):
                return original(module, *args, **kwargs)
            here.depth += 1
            try:
                if module not in self._models:
                    self._models.add(module)
                    self._points.act("on_model", module)
                args, kwargs = self._fed(module, args, kwargs, trains=self._is_trained(module))
                return original(module, *args, **kwargs)
            finally:
                here.depth -= 1

        return call

    def _is_fed(self, module: nn.Module) -> bool:
        """Whether a checkpoint computes an inner module anew: what it gets was turned before."""
        return torch._C._current_graph_task_id() != -1 and module not in self._models

    def _is_trained(self, module: nn.Module) -> bool:
        """Whether a call belongs to the training; what does not learn leaves no mark."""
        if not torch.is_grad_enabled():
            return False
        trains = module.training or self._trains_in_eval_mode
        if any(one.requires_grad for one in module.parameters()):
            self._here.trains = trains
            self._modes.add(module.training)
        return trains

    def _fed(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], *, trains: bool
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of an outermost call, with the data among them turned."""
        inputs, at_loss = self._input_points(trains), trains and self._points.has(*AT_LOSS)
        if not (self._points.has(*inputs) or at_loss):
            return args, kwargs
        names = argument_names(module)
        first = names[0] if names else ""
        places = [*names[: len(args)], *map(str, range(len(names), len(args)))]
        keys = [FIRST if key == first else key for key in (*places, *kwargs)]
        values = self._turned([*args, *kwargs.values()], keys, trains=trains)
        return tuple(values[: len(args)]), dict(zip(kwargs, values[len(args) :], strict=True))

    def _input_points(self, trains: bool) -> tuple[str, ...]:
        return ("selected_inputs", "on_inputs") if trains else ("evaluated_inputs",)

    def _turned(self, values: list[Any], names: list[str], *, trains: bool) -> list[Any]:
        """Inputs, each with its name, after all who wait for them."""
        rows, named = self._here.rows, [*zip(values, names, strict=True)]
        main = main_data(named)
        if main is None:
            return values
        size = rows.count(main)
        acts = self._by_loader == (not self._here.depth)
        for point in self._input_points(trains):
            if point == "on_inputs":
                rows.enter(main_data(named))
            is_early = point == "selected_inputs" and not (self._by_loader or self._points.step)
            if acts and self._points.has(point) and not is_early:
                turn = self._input_turn(point, size)
                named = [(mapped(value, turn, name), name) for value, name in named]
        return [value for value, _ in named]

    def _input_turn(self, point: str, size: int) -> Callable[[Tensor, str], Tensor]:
        rows, points = self._here.rows, self._points

        def turn(tensor: Tensor, name: str) -> Tensor:
            is_examples = is_tensor(tensor) and rows.count(tensor) == size
            if point == "selected_inputs":
                is_wanted = is_examples and not tensor.requires_grad and role(name) != "target"
            else:
                # Integers that are not one to an example point at something, as edges do.
                is_wanted = is_data(tensor) and role(name) == "data"
                is_wanted = is_wanted and (is_examples or tensor.is_floating_point())
            if not is_wanted:
                return tensor
            return rows.first(tensor, lambda one: points.turn(point, one, place=name))

        return turn

    # -- losses --------------------------------------------------------------------------

    def _wrap_loss(self, name: str, original: Any) -> Any:
        @functools.wraps(original)
        def loss(*args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or self._here.in_loss:
                return original(*args, **kwargs)
            call = LossCall.of(name, original, args, kwargs)
            if call is None:
                return original(*args, **kwargs)
            self._here.in_loss = True
            try:
                has_gradient = torch.is_grad_enabled() and call.prediction.requires_grad
                trains = has_gradient and self._here.trains
                return self._train(call) if trains else self._evaluate(call)
            finally:
                self._here.in_loss = False

        return loss

    def _train(self, call: LossCall) -> Any:
        rows, points = self._here.rows, self._points
        if is_data(call.target):
            rows.leave(call.target)
            if self._by_loader:
                call.given = self._given.get(call.target, call.target)
            else:
                call.given, call.target = self._turned_target(call.target, rows.like_inputs)
        call.trains, call.rows = True, rows
        return points.nest("on_loss", call)

    def _turned_target(self, target: Tensor, shape: Any, name: str = "") -> tuple[Tensor, Tensor]:
        """Targets as the examples' selection leaves them, and as they are trained on."""
        points = self._points
        if self._by_loader or points.step:
            target = shape(target, lambda one: points.turn("selected_targets", one, place=name))
        return target, shape(target, lambda one: points.turn("on_targets", one, place=name))

    def _evaluate(self, call: LossCall) -> Any:
        result = self._points.nest("evaluated_loss", call)
        if self._points.has("on_evaluation") and isinstance(result, Tensor) and result.numel():
            self._evaluated.append(result.detach().mean())
        return result

    def end_evaluation(self) -> None:
        """A step begins: what was evaluated before it is complete."""
        if self._evaluated:
            mean = torch.stack([one.float() for one in self._evaluated]).mean().item()
            self._evaluated.clear()
            self._points.act("on_evaluation", mean)

    # -- loaders -------------------------------------------------------------------------

    def _wrap_loader(self, original: Any) -> Any:
        @functools.wraps(original)
        def iterate(loader: DataLoader[Any]) -> Iterator[Any]:
            if self._is_training() and loader not in self._loaders:
                self._loaders.add(loader)
                self._points.act("on_loader", loader)
            batches = original(loader)
            is_turned = self._by_loader and self._points.has(*DATA)
            return map(self._turned_batch, batches) if is_turned else batches

        return iterate

    def _is_training(self) -> bool:
        """Whether what is drawn now is trained on, as far as the models' modes tell."""
        if not torch.is_grad_enabled():
            return False
        modes = {model.training for model in self._models}
        return True in modes or not modes or self._trains_in_eval_mode

    def _turned_batch(self, batch: Any) -> Any:
        """A loader's batch with its inputs and targets turned."""
        trains, parts = self._is_training(), split(batch)
        if parts is None:
            return self._turned([batch], ["batch"], trains=trains)[0]
        inputs, targets, join = parts
        turned = self._turned([inputs], ["batch"], trains=trains)[0]
        return join(turned, mapped(targets, self._target_in_batch, "target") if trains else targets)

    def _target_in_batch(self, tensor: Tensor, name: str) -> Tensor:
        if not is_data(tensor):
            return tensor
        given, turned = self._turned_target(tensor, lambda one, turn: turn(one), name)
        self._given[turned] = given
        return turned


def is_model(module: nn.Module) -> bool:
    """Whether a module that is called is a model, and called by the script.

    A loss function called as a module learns nothing; a replica on another device was fed
    already.
    """
    is_replica = getattr(module, "_is_replica", False)
    return next(module.parameters(), None) is not None and not is_replica


def main_data(named: list[tuple[Any, str]]) -> Tensor | None:
    """The first tensor of data: how many examples it has, all have."""
    every = (pair for value, name in named for pair in tensors(value, name))
    return next((one for one, name in every if is_tensor(one) and role(name) == "data"), None)

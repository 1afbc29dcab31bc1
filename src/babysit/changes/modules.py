"""A model's modules as they are: one of them passed by, all of them in another mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.change import CannotApplyError, Change, Levers
from babysit.changes._models import (
    Fresh,
    eagerly,
    no_such_module,
    plain,
    untouched,
    while_models_run,
)


@dataclass(frozen=True, kw_only=True)
class DropModule(Change):
    """Run the model without one module: what enters it passes on as it is.

    Only what gives the shape that it takes can be dropped; that shows in its first call.
    """

    layer: str

    def __post_init__(self) -> None:
        is_name = isinstance(self.layer, str) and bool(self.layer)
        self.require(layer=(is_name, "the name of a module, such as features.3"))

    def apply(self, levers: Levers) -> None:
        fresh = Fresh(levers)
        names: dict[str, str] = {}
        bypasses: list[Bypass] = []

        def drop(model: nn.Module) -> None:
            if not fresh.of(model):
                return
            own = {plain(name): name for name, _ in model.named_modules() if name}
            names.update(own)
            name = own.get(plain(self.layer))
            if name is not None:
                path, _, slot = name.rpartition(".")
                bypass = Bypass(self.layer, model.get_submodule(path), slot)
                bypasses.append(bypass)
                levers.in_the_end(bypass.undo)

        def look(_: Optimizer) -> None:
            if not bypasses:
                raise CannotApplyError(no_such_module(self.layer, names))
            if not any(bypass.is_tried for bypass in bypasses):
                raise CannotApplyError(f"`{self.layer}` is not called as a module")
            reasons = [bypass.why_not for bypass in bypasses]
            if all(reasons):
                raise CannotApplyError(str(reasons[0]))

        def during(_: nn.Module) -> AbstractContextManager[Any]:
            return nullcontext() if all(one.is_tried for one in bypasses) else eagerly()

        levers.on_model(drop)
        while_models_run(levers, during)
        levers.on_optimizer(look)


class Bypass(nn.Identity):
    """Stands in a module's place and gives back what it is given.

    Attributes:
        is_tried: it ran, so that it is known whether the module can be dropped.
        why_not: the module cannot be dropped, and has its place again.
    """

    def __init__(self, name: str, parent: nn.Module, slot: str) -> None:
        super().__init__()
        self._name, self._slot = name, slot
        self._parent, self._original = (parent,), (parent._modules[slot],)  # no children of ours
        self.is_tried = False
        self.why_not: str | None = None
        self.train(parent.training)
        parent._modules[slot] = self

    def undo(self) -> None:
        """Give the module its place again."""
        if self._parent[0]._modules.get(self._slot) is self:
            self._parent[0]._modules[self._slot] = self._original[0]

    def __getattr__(self, name: str) -> Any:
        """What others read of the module, such as a tied weight."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("__") or "_original" not in vars(self):
                raise
            return getattr(self._original[0], name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The first argument, if the module would give something of its shape."""
        (original,) = self._original
        assert original is not None
        given = next(iter((*args, *kwargs.values())), None)
        if not self.is_tried:
            self.is_tried = True
            with untouched(original):
                copies = [one.clone() if isinstance(one, Tensor) else one for one in args]
                taken, made = shape_of(given), shape_of(original(*copies, **kwargs))
            if taken != made:
                kind = type(original).__name__
                self.why_not = f"`{self._name}` ({kind}) takes {taken} and gives {made}"
                self.undo()
        return original(*args, **kwargs) if self.why_not else given


@dataclass(frozen=True, kw_only=True)
class SetMode(Change):
    """Put the model into training or evaluation mode for each call of the training.

    That is, for each call with gradients on, whatever the script did; after it, all modules have
    the modes again that the script gave them.
    """

    mode: str

    def __post_init__(self) -> None:
        self.require(mode=(self.mode in ("train", "eval"), "train or eval"))

    def apply(self, levers: Levers) -> None:
        @contextmanager
        def forced(model: nn.Module) -> Iterator[None]:
            if not torch.is_grad_enabled():
                yield
                return
            modes = [(one, one.training) for one in model.modules()]
            model.train(self.mode == "train")
            try:
                yield
            finally:
                for one, mode in modes:
                    one.training = mode

        while_models_run(levers, forced)


def shape_of(value: Any) -> str:
    """A tensor's shape, or what else it is."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    kind = "" if value.is_floating_point() else f" of {str(value.dtype).removeprefix('torch.')}"
    return f"{tuple(value.shape)}{kind}"

"""Applies changes to whatever trains in this process, and takes all of it back."""

from __future__ import annotations

import functools
import random
import sys
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Final

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from babysit.change import Change
from babysit.instrument.levers.flow import Flow
from babysit.instrument.levers.points import Hold, Points, stop_here

STEPS: Final = sys.modules[Optimizer.__module__].__file__


class Levers:
    """The real levers. In one process, one set of them is attached at a time.

    Args:
        raises_stop: raise :class:`~babysit.launch.Stop` when a change wants the end; without it
            whoever watches the steps asks :attr:`stopping`.
        by_loader: take hold of data as the ``DataLoader`` gives them: where the loss is written by
            hand, or no module is called. Else they are met where they enter module and loss.
        seeds_from_start: change every seed, not only from the first module on.

    Attributes:
        refusals: by change, why it does not apply; complete after :meth:`detach`.
        notes: (step, name, value) of what changes noted.
    """

    def __init__(
        self,
        *,
        raises_stop: bool = True,
        by_loader: bool = False,
        seeds_from_start: bool = False,
    ) -> None:
        self._points = Points(by_loader=by_loader)
        self._points.seconds = self._elapsed
        self._flow = Flow(self._points, by_loader=by_loader)
        self._raises_stop = raises_stop
        self._seeds_apply = seeds_from_start
        self._holds: list[Hold] = []
        self._optimizers: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._depth = 0
        self._stepping: Optimizer | None = None
        self._started: float | None = None
        self.refusals = self._points.refusals
        self.notes = self._points.notes

    @property
    def stopping(self) -> bool:
        return self._points.stopping

    @property
    def step(self) -> int:
        return self._points.step

    def attach(self, changes: Iterable[Change]) -> None:
        """Take hold, and let every change act in this order."""
        try:
            self._attach(changes)
        except BaseException:
            self.detach()
            raise

    def _attach(self, changes: Iterable[Change]) -> None:
        patches = self._points.patches
        for change in changes:
            hold = Hold(self._points, change)
            self._holds.append(hold)
            hold.take()
        for handle in (
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ):
            patches.add_undo(handle.remove)
        if self._points.has("on_backward"):
            patches.replace(torch.autograd, "backward", self._wrap_backward)
        self._flow.attach()
        if self._points.has("on_seed"):
            self._attach_seeds()

    def detach(self) -> None:
        """Let go: every hook, patch and act is taken back, the last first."""
        if self._stepping is not None:  # its last step raised
            self._finish(self._stepping)
        for hold in self._holds:
            hold.conclude()
        self._points.clear()
        self._points.patches.undo()

    def _elapsed(self) -> float:
        return 0.0 if self._started is None else time.perf_counter() - self._started

    # -- steps ---------------------------------------------------------------------------

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self._stepping is not None and not is_stepping(self._stepping, below=optimizer):
            self._finish(self._stepping)  # its last step raised
        if self._stepping is not None:
            self._depth += self._stepping is optimizer
            return
        self._stepping, self._depth = optimizer, 1
        if self._started is None:
            self._started = time.perf_counter()
        self._flow.end_evaluation()
        if optimizer not in self._optimizers:
            self._optimizers.add(optimizer)
            self._points.act("on_optimizer", optimizer)
        self._points.act("before_step", optimizer)

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if optimizer is not self._stepping:
            return
        self._depth -= 1
        if self._depth:  # a method of its own that its class's step calls
            return
        self._finish(optimizer)
        self._points.step += 1
        self._flow.next_step()
        if self._raises_stop:
            stop_here(self._points)

    def _finish(self, optimizer: Optimizer) -> None:
        self._stepping = None
        self._points.act("after_step", optimizer)

    def _wrap_backward(self, original: Any) -> Any:
        @functools.wraps(original)
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(tensors, torch.Tensor) and tensors.numel() == 1:
                tensors = self._points.turn("on_backward", tensors)
            return original(tensors, *args, **kwargs)

        return backward

    # -- seeds ---------------------------------------------------------------------------

    def _attach_seeds(self) -> None:
        patches = self._points.patches
        owners: list[tuple[Any, str]] = [
            (torch, "manual_seed"), (torch.random, "manual_seed"), (random, "seed"),
        ]  # fmt: skip
        if "numpy" in sys.modules:
            owners.append((sys.modules["numpy"].random, "seed"))
        for owner, name in owners:
            patches.replace(owner, name, self._wrap_seed)
        if not self._seeds_apply:
            patches.replace(nn.Module, "__init__", self._wrap_first_module)

    def _wrap_seed(self, original: Any) -> Any:
        @functools.wraps(original)
        def seed(number: Any = None, *args: Any, **kwargs: Any) -> Any:
            if self._seeds_apply and isinstance(number, int):
                number = self._points.turn("on_seed", number)
            return original(number, *args, **kwargs) if number is not None else original()

        return seed

    def _wrap_first_module(self, original: Any) -> Any:
        @functools.wraps(original)
        def init(module: Any, *args: Any, **kwargs: Any) -> None:
            if not self._seeds_apply:
                self._seeds_apply = True
                self._seed_anew()
            original(module, *args, **kwargs)

        return init

    def _seed_anew(self) -> None:
        """Whatever was drawn so far: from here on by another seed."""
        number = torch.initial_seed() % 2**32
        seeds: list[Callable[[int], Any]] = [torch.manual_seed, random.seed]
        if "numpy" in sys.modules:
            seeds.append(sys.modules["numpy"].random.seed)
        turned = self._points.turn("on_seed", number)
        if turned != number:
            for seed in seeds:
                getattr(seed, "__wrapped__", seed)(turned)


def use_one_thread() -> None:
    """Compute on one core: other trials use the others."""
    torch.set_num_threads(1)


def is_stepping(optimizer: Optimizer, *, below: Optimizer) -> bool:
    """Whether a step of an optimizer, begun earlier, goes on around another's that begins now."""
    frame = sys._getframe(1)
    num_steps = 0
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename == STEPS and frame.f_code.co_name == "wrapper":
            num_steps += frame.f_locals.get("self") is optimizer
    return num_steps > (optimizer is below)

"""Which module runs when: two light hooks, on a sampled step or during an evaluation."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument import sources

MAX_SPANS: Final = 100_000
OnCall = Callable[[nn.Module, Sequence[Any], Any], None]


@dataclass(frozen=True)
class Entry:
    """How a module was entered: by which line, in which mode, with what kind of input.

    Input given by keyword only is not seen and counts as fed by gradients.
    """

    line: tuple[str, int] | None
    in_training_mode: bool
    has_gradients_on: bool
    is_fed_by_gradients: bool


class Scopes:
    """Sequence numbers of autograd at entry and exit of each forward; outermost calls.

    Attributes:
        spans: first and last sequence number of each call, inner calls first.
        roots: the outermost modules that ran.
        hooked: spans under saved-tensor hooks (checkpointing, offloading).
        dropouts: rate of each dropout by the sequence number of its result.
        entries: for each module one call since the last clearing, in order of the first; rather
            one with gradients on than one without.
        ever_called: every module that was seen to run, of all trainings.
    """

    def __init__(self, on_call: OnCall) -> None:
        self.spans: list[tuple[int, int, nn.Module]] = []
        self.roots: list[nn.Module] = []
        self.hooked: list[tuple[int, int]] = []
        self.dropouts: dict[int, float] = {}
        self.entries: dict[int, tuple[nn.Module, Entry]] = {}
        self.ever_called: MutableMapping[nn.Module, bool] = WeakIdKeyDictionary()
        self._on_call = on_call
        self._open: list[tuple[int, nn.Module]] = []
        self._hooked_since: list[int] = []
        self._handles: list[Any] = []
        self._thread = 0

    @property
    def is_attached(self) -> bool:
        return bool(self._handles)

    def attach(self) -> None:
        if not self._handles:
            module = torch.nn.modules.module
            self._handles = [
                module.register_module_forward_pre_hook(self._enter),
                module.register_module_forward_hook(self._leave),
            ]
        self.clear()

    def detach(self) -> None:
        while self._handles:
            self._handles.pop().remove()
        self.clear()

    def clear(self) -> None:
        self._thread = threading.get_ident()
        self.spans, self.roots, self.hooked, self.dropouts = [], [], [], {}
        self.entries = {}
        self._open, self._hooked_since = [], []

    def _enter(self, module: nn.Module, args: Any) -> None:
        if threading.get_ident() == self._thread:
            if not self._open and not any(root is module for root in self.roots):
                self.roots.append(module)
            self._open.append((sequence_number(), module))
            known = self.entries.get(id(module))
            if known is None or not known[1].has_gradients_on:
                self.entries[id(module)] = (module, entry(module, args))
                self.ever_called[module] = True

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        while self._open:  # a forward that raised has left its entry behind
            start, entered = self._open.pop()
            if entered is module:
                end = sequence_number()
                if end > start:
                    self.spans.append((start, end, module))
                    if len(self.spans) > MAX_SPANS:  # a long evaluation with gradients on
                        del self.spans[: MAX_SPANS // 2]
                if not self._open:
                    self._on_call(module, args, output)
                return

    def saved_tensor_hooks(self, *, entered: bool) -> None:
        """Saved-tensor hooks (checkpointing, offloading) begin or end: hands off in between."""
        if entered:
            self._hooked_since.append(sequence_number())
        elif self._hooked_since:
            self.hooked.append((self._hooked_since.pop(), sequence_number()))

    def dropped(self, result: Any, rate: float) -> None:
        """A dropout gave this result."""
        if isinstance(result, Tensor) and result.grad_fn is not None:
            self.dropouts[result.grad_fn._sequence_nr()] = rate

    def owners(self) -> dict[int, nn.Module]:
        """The innermost module of every sequence number; inner forwards end first."""
        found: dict[int, nn.Module] = {}
        for start, end, module in self.spans:
            for number in range(start, end):
                found.setdefault(number, module)
        return found


def entry(module: nn.Module, args: Sequence[Any]) -> Entry:
    """A call that has just begun."""
    frame = sources.user_frame(sys._getframe(2))
    return Entry(
        line=(frame.f_code.co_filename, frame.f_lineno) if frame is not None else None,
        in_training_mode=module.training,
        has_gradients_on=torch.is_grad_enabled(),
        is_fed_by_gradients=not args or any(requires_gradient(value) for value in args),
    )


def requires_gradient(value: Any) -> bool:
    """Whether an argument is, or holds, a tensor with a graph behind it."""
    if isinstance(value, (list, tuple)):
        return any(isinstance(item, Tensor) and item.requires_grad for item in value)
    return isinstance(value, Tensor) and value.requires_grad


def sequence_number() -> int:
    """The number that the next node of this thread's graph will get."""
    return int(torch._C._autograd._get_sequence_nr())

"""Optimizers made anew over parameters that another one of the kind has trained."""

from __future__ import annotations

import weakref
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument.probe import Probe


@dataclass
class Trained:
    """What the latest optimizer left at the first of its parameters.

    Attributes:
        version: of that tensor after the last step. Another one at the next optimizer's first
            step means that the weights were reset or loaded in between: a new beginning.
    """

    kind: str
    first: weakref.ref[Tensor]
    version: int = -1


class RebuiltOptimizers(Probe):
    """Notes the steps at which a new optimizer begins where the last one of its kind left off."""

    def attach(self) -> None:
        self._trained: MutableMapping[Tensor, Trained] = WeakIdKeyDictionary()
        self._known: weakref.WeakKeyDictionary[Optimizer, Trained] = weakref.WeakKeyDictionary()
        self._new: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self.watch(Optimizer, "__init__", self._made)

    def _made(self, args: Any, kwargs: Any, result: Any) -> None:
        self._new.add(args[0])
        self.wake("on_step")

    def on_step(self, optimizer: Optimizer) -> None:
        """A look at optimizers not seen before."""
        self._new.discard(optimizer)
        if optimizer in self._known:
            if not self._new:
                self.rest("on_step")
            return
        first = next((p for g in optimizer.param_groups for p in g["params"]), None)
        if first is None:
            return
        before = self._trained.get(first)
        kind = type(optimizer).__name__
        if (
            before is not None
            and before.kind == kind
            and before.version == first._version
            and has_memory(optimizer)
            and not optimizer.state
        ):
            self.note("optimizer-rebuilt", 1.0)
        self._trained[first] = self._known[optimizer] = Trained(kind, weakref.ref(first))

    def after_step(self, optimizer: Optimizer) -> None:
        """Remember what it left."""
        known = self._known.get(optimizer)
        first = known.first() if known is not None else None
        if known is not None and first is not None:
            known.version = first._version


def has_memory(optimizer: Optimizer) -> bool:
    """Whether its updates depend on earlier gradients."""
    if type(optimizer).__name__ != "SGD":
        return True
    return any(group.get("momentum") for group in optimizer.param_groups)

"""How gradients are clipped: to what limit, and whether there is anything to clip."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, MutableMapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from babysit.instrument import sources
from babysit.instrument.parameters import subsample
from babysit.instrument.probe import Probe

LARGEST_LIMIT = 1e6
MAX_TENSORS = 32
RECENT = 16


class Clipping(Probe):
    """Limits of ``clip_grad_norm_`` and ``clip_grad_value_``, and calls of them in vain.

    A call is in vain when no backward ran since the parameters' optimizer last stepped. A limit
    beyond reach serves to measure the norm and is left alone.
    """

    sleeps = ("on_backward", "after_step")

    def attach(self) -> None:
        """Watch the two functions, and the scaler's side of them."""
        self._backwards = 0
        self._used: MutableMapping[Optimizer, int] = weakref.WeakKeyDictionary()
        self._members: MutableMapping[Optimizer, frozenset[int]] = weakref.WeakKeyDictionary()
        self._scale: Any = None
        for owner in (torch.nn.utils, torch.nn.utils.clip_grad):
            self.watch(owner, "clip_grad_norm_", self._norm_clipped)
            self.watch(owner, "clip_grad_value_", self._value_clipped)
        self.watch(torch.autograd, "grad", self._gradients_taken)
        self.watch(torch.amp.GradScaler, "scale", self._scaled)
        self.watch(torch.amp.GradScaler, "unscale_", self._unscaled)

    def on_backward(self, loss: Tensor) -> None:
        """There is something to clip again."""
        self._backwards += 1

    def _gradients_taken(self, args: Any, kwargs: Any, result: Any) -> None:
        self._backwards += 1

    def after_step(self, optimizer: Optimizer) -> None:
        """Its gradients have been used."""
        self._used[optimizer] = self._backwards
        self._scale = None

    def _scaled(self, args: Any, kwargs: Any, result: Any) -> None:
        if args[0].is_enabled():
            self._scale = args[0]

    def _unscaled(self, args: Any, kwargs: Any, result: Any) -> None:
        self._scale = None

    def _norm_clipped(self, args: Any, kwargs: Any, result: Any) -> None:
        limit = args[1] if len(args) > 1 else kwargs.get("max_norm")
        self._clipped(args, kwargs, limit, "clip-norm", norm=result)

    def _value_clipped(self, args: Any, kwargs: Any, result: Any) -> None:
        limit = args[1] if len(args) > 1 else kwargs.get("clip_value")
        tensors = self._clipped(args, kwargs, limit, "clip-value")
        if self.is_sampled and tensors and isinstance(limit, (int, float)):
            gradients = [t.grad for t in tensors[:MAX_TENSORS] if t.grad is not None]
            if gradients:
                values = torch.cat([subsample(gradient) for gradient in gradients])
                share = (values.abs() >= 0.999 * limit).float().mean()
                self.note("clipped-share", share)

    def _clipped(
        self, args: Any, kwargs: Any, limit: Any, signal: str, *, norm: Any = 0.0
    ) -> list[Tensor]:
        given = args[0] if args else kwargs.get("parameters")
        if not isinstance(limit, (int, float)) or not 0 < limit <= LARGEST_LIMIT:
            return []
        is_spent = isinstance(given, Iterator)  # a generator, used up by the call
        tensors = [given] if isinstance(given, Tensor) else [] if is_spent else list(given or ())
        self.wake("on_backward")
        self.wake("after_step")
        self.note(signal, float(limit))
        if self._is_in_vain(tensors, norm):
            self._misplaced("clip-in-vain")
        elif self._scale is not None and self._scale.get_scale() > 1:
            self._misplaced("clip-of-scaled-gradients")
        elif "clip_place" not in (self.state.facts if self.state is not None else {}):
            self.fact("clip_place", sources.caller())
        return tensors

    def _is_in_vain(self, tensors: list[Tensor], norm: Any) -> bool:
        """No backward since the step of the optimizer that holds these."""
        if self._backwards == 0:  # unless gradients were set by other means
            return float(norm) == 0
        recent = [o for o, used in list(self._used.items()) if used >= self._backwards - RECENT]
        owners = [owner for owner in recent if not tensors or self._holds(owner, tensors)]
        return bool(owners) and all(self._used[owner] == self._backwards for owner in owners)

    def _holds(self, optimizer: Optimizer, tensors: list[Tensor]) -> bool:
        members = self._members.get(optimizer)
        size = sum(len(group["params"]) for group in optimizer.param_groups)
        if members is None or len(members) != size:
            held = (p for group in optimizer.param_groups for p in group["params"])
            members = self._members[optimizer] = frozenset(id(parameter) for parameter in held)
        return any(id(tensor) in members for tensor in tensors[:4])

    def _misplaced(self, signal: str) -> None:
        self.note(signal, 1.0)
        if "misplaced_clip_place" not in (self.state.facts if self.state is not None else {}):
            self.fact("misplaced_clip_place", sources.caller())

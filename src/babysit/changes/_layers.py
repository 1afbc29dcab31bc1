"""What changes of single layers share: finding them by name, and a place in an optimizer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final
from weakref import WeakSet

from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer

from babysit.change import CannotApplyError, Levers
from babysit.changes._groups import parameters_of
from babysit.text import listing

WRAPPERS: Final = ("module", "_orig_mod", "_fsdp_wrapped_module")
PARALLEL: Final = ("DistributedDataParallel", "FullyShardedDataParallel")
MAX_SHOWN: Final = 6


def plain(name: str) -> str:
    """A dotted name without the parts that wrappers (DataParallel, compile) put in."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


class Selection:
    """The parameters of layers by name, from whichever of a training's models have them."""

    def __init__(self, layers: Iterable[str]) -> None:
        self._layers = {layer: plain(layer) for layer in layers}
        self._missing = set(self._layers)
        self._waiting: list[Tensor] = []
        self._names: dict[str, None] = {}

    def find(self, model: nn.Module) -> list[Tensor]:
        """What is chosen, once every name was found; before that, nothing."""
        if type(model).__name__ in PARALLEL:
            raise CannotApplyError(f"{type(model).__name__} was told already what is trained")
        for name, parameter in model.named_parameters(remove_duplicate=False):
            full = plain(name)
            parts = full.split(".")[:-1]
            self._names.update({".".join(parts[: end + 1]): None for end in range(len(parts))})
            hits = {
                key for key, layer in self._layers.items() if f"{full}.".startswith(f"{layer}.")
            }
            if hits:
                self._waiting.append(parameter)
                self._missing -= hits
        if self._missing:
            return []
        chosen, self._waiting = self._waiting, []
        return chosen

    def check(self) -> None:
        """Say which name none of the models called so far has.

        Raises:
            CannotApplyError: there is one.
        """
        if self._missing and self._names:
            asked = min(self._missing)
            near = difflib.get_close_matches(plain(asked), self._names, n=1)
            known = near or list(self._names)
            hint = "the nearest is" if near else "there are"
            raise CannotApplyError(
                f"there is no layer {asked!r}; {hint} {listing(known, most=MAX_SHOWN)}"
            )


class Joining:
    """Parameters that no optimizer holds join the first one, once they have a gradient.

    Not before: other optimizers, seen at their first step only, may hold them. Should one show up
    later, it keeps what is its own. They share the first group, so that schedulers, which count
    groups, notice nothing.
    """

    def __init__(self, levers: Levers) -> None:
        self._host: Optimizer | None = None
        self._seen: WeakSet[Optimizer] = WeakSet()
        self._waiting: list[Tensor] = []
        self._joined: list[Tensor] = []
        self._has_offer = False
        levers.on_optimizer(self._meet)
        levers.before_step(self._join)
        levers.in_the_end(lambda: self._leave(self._joined))

    @property
    def is_idle(self) -> bool:
        """Whether optimizers hold all that was offered, of themselves."""
        return self._has_offer and not self._waiting and not self._joined

    def offer(self, parameters: Iterable[Tensor]) -> None:
        self._waiting.extend(parameters)
        self._has_offer = True

    def _meet(self, optimizer: Optimizer) -> None:
        self._seen.add(optimizer)
        own = ids(parameters_of(optimizer))
        if self._host is None:
            self._host = optimizer
        elif own & (ids(parameters_of(self._host)) - ids(self._joined)):  # it was made anew
            self._waiting.extend(self._joined)
            self._leave(self._joined)
            self._host = optimizer
        else:
            self._leave([one for one in self._joined if id(one) in own])

    def _join(self, optimizer: Optimizer) -> None:
        if optimizer is not self._host or not self._waiting:
            return
        held = ids(one for seen in self._seen for one in parameters_of(seen))
        self._waiting = [one for one in self._waiting if id(one) not in held]
        ready = [one for one in self._waiting if one.grad is not None]
        self._waiting = [one for one in self._waiting if one.grad is None]
        if ready and isinstance(optimizer, LBFGS):
            raise CannotApplyError("LBFGS cannot take parameters in once it has begun")
        group = optimizer.param_groups[0]
        group["params"].extend(ready)
        if "param_names" in group:
            group["param_names"].extend(f"joined.{id(one)}" for one in ready)
        self._joined.extend(ready)

    def _leave(self, parameters: Iterable[Tensor]) -> None:
        gone = ids(parameters)
        if self._host is None or not gone:
            return
        group = self._host.param_groups[0]
        stays = [id(one) not in gone for one in group["params"]]
        for key in {"params", "param_names"} & group.keys():
            group[key][:] = [one for one, is_in in zip(group[key], stays, strict=True) if is_in]
        for one in self._joined:
            if id(one) in gone:
                self._host.state.pop(one, None)
        self._joined = [one for one in self._joined if id(one) not in gone]


def ids(parameters: Iterable[Tensor]) -> set[int]:
    return {id(one) for one in parameters}

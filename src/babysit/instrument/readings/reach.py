"""Layers that the loss does not reach: never called, or called in vain; and frozen ones."""

from __future__ import annotations

import linecache
import re
from collections.abc import MutableMapping
from typing import Any, Final

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument import sources
from babysit.instrument.freshness import is_fresh
from babysit.instrument.reading import Reading, Values
from babysit.instrument.scopes import Entry
from babysit.instrument.xray import Xray

MAX_MODULES: Final = 2000
FIRST_SAMPLES: Final = 8
_CUT: Final = re.compile(r"\.detach\(|\.detach_\(|\.data\b|no_grad\(|\.numpy\(|\.tolist\(|\.item\(")


class Reach(Reading):
    """Which layers with weights the loss has never reached, and whether they ran.

    Facts: ``unreached_layers`` by name (``None`` once a layer has been reached after all), and
    ``frozen_layers`` with whether their weights are as a random initialisation leaves them.
    """

    def __init__(self) -> None:
        self._reached: MutableMapping[Tensor, bool] = WeakIdKeyDictionary()
        self._samples: MutableMapping[nn.Module, int] = WeakIdKeyDictionary()
        self._reported: MutableMapping[nn.Module, bool] = WeakIdKeyDictionary()  # is it fresh?
        self._frozen: MutableMapping[nn.Module, bool] = WeakIdKeyDictionary()

    def read(self, xray: Xray) -> Values:
        """Only facts; no values."""
        if not xray.scopes.is_attached:
            return {}
        for leaf in xray.leaves:
            self._reached[leaf] = True
        reached_now = {id(leaf) for leaf in xray.leaves}
        layers: dict[str, Any] = {}
        for root in xray.roots:
            modules = list(root.modules())
            if len(modules) > MAX_MODULES:
                continue
            self._note_frozen(xray, modules)
            is_trained = any(id(parameter) in reached_now for parameter in root.parameters())
            order = {key: rank for rank, key in enumerate(xray.scopes.entries)}
            if is_trained or self._runs_in_vain(xray, root):
                alternatives = self._alternatives(modules)
                for module in modules:
                    self._look(xray, module, order, alternatives, layers)
        if layers:
            xray.facts["unreached_layers"] = layers
        return {}

    def _runs_in_vain(self, xray: Xray, root: nn.Module) -> bool:
        """A model that ran in training mode, of which nothing has ever been reached."""
        entered = xray.scopes.entries.get(id(root))
        own = list(root.parameters())
        is_running = entered is not None and entered[1].in_training_mode
        return bool(own) and is_running and not any(p in self._reached for p in own)

    def _look(
        self,
        xray: Xray,
        module: nn.Module,
        order: dict[int, int],
        alternatives: set[int],
        layers: dict[str, Any],
    ) -> None:
        own = [p for p in module._parameters.values() if p is not None and p.requires_grad]
        name = xray.names.layer(module)
        if not own or name is None:
            return
        if any(parameter in self._reached for parameter in own):
            if module in self._reported:
                layers[name] = None
                del self._reported[module]
            return
        samples = self._samples[module] = self._samples.get(module, 0) + 1
        entered = xray.scopes.entries.get(id(module))
        if samples & (samples - 1) and samples > FIRST_SAMPLES:
            return  # nothing new to say: after the first samples only at powers of two
        self._reported[module] = is_fresh(own)
        layers[name] = {
            "samples": samples,
            "was_called": module in xray.scopes.ever_called,
            "is_fresh": self._reported[module],
            "is_alternative": id(module) in alternatives,
            "is_whole": all(p not in self._reached for p in module.parameters()),
            **(described(entered[1], order[id(module)]) if entered is not None else {}),
        }

    def _alternatives(self, modules: list[nn.Module]) -> set[int]:
        """Parts of lists and dictionaries of layers of which others are used: experts, heads."""
        found: set[int] = set()
        for container in modules:
            if isinstance(container, (nn.ModuleList, nn.ModuleDict)):
                items = list(container.children())
                used = [any(p in self._reached for p in item.parameters()) for item in items]
                for item, is_used in zip(items, used, strict=True) if any(used) else ():
                    found |= set() if is_used else {id(module) for module in item.modules()}
        return found

    def _note_frozen(self, xray: Xray, modules: list[nn.Module]) -> None:
        for module in modules:
            own = [p for p in module._parameters.values() if p is not None]
            is_layer = type(module).__module__.startswith("torch.nn.")
            if not own or not is_layer or any(p.requires_grad for p in own):
                continue
            name = xray.names.layer(module)
            if module not in self._frozen and name is not None:
                self._frozen[module] = is_fresh(own)
                known = xray.facts.setdefault("frozen_layers", {})
                known[name] = self._frozen[module]


def described(entry: Entry, rank: int) -> dict[str, Any]:
    """How a layer was called, and the line that may have cut its gradient."""
    return {
        "rank": rank,
        "in_training_mode": entry.in_training_mode,
        "has_gradients_on": entry.has_gradients_on,
        "is_fed_by_gradients": entry.is_fed_by_gradients,
        "place": cut_near(*entry.line) if entry.line is not None else None,
    }


def cut_near(path: str, line: int) -> dict[str, Any]:
    """The nearest line around a call that takes a value out of the graph; else the call's."""
    nearby = sorted(range(max(1, line - 4), line + 9), key=lambda number: abs(number - line))
    found = [number for number in nearby if _CUT.search(linecache.getline(path, number))]
    return sources.place(path, found[0] if found else line)

"""Where a model was put into eval mode, for the step that finds it still there."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument import sources
from babysit.instrument.probe import Probe


class Modes(Probe):
    """The first line that took each module out of train mode."""

    def attach(self) -> None:
        """``eval()`` is ``train(False)``, and goes through all modules within."""
        self._places: MutableMapping[nn.Module, Any] = WeakIdKeyDictionary()
        self.watch(nn.Module, "train", self._set)

    def _set(self, args: Any, kwargs: Any, result: Any) -> None:
        module = args[0]
        if not module.training and module not in self._places:
            self._places[module] = sources.caller()
            self._tell()

    def on_sampled_step(self, optimizer: Optimizer) -> None:
        """For models that were set before anything was known of their training."""
        self._tell()

    def _tell(self) -> None:
        """The place, if the trained model is in eval mode now."""
        for reference in self.state.roots if self.state is not None else ():
            root = reference()
            if root is not None and not root.training and self._places.get(root):
                self.fact("eval_place", self._places[root])

"""Weights that came from elsewhere: a checkpoint, a pretrained model."""

from __future__ import annotations

from typing import Any

from torch import nn

from babysit.instrument.probe import Probe


class LoadedWeights(Probe):
    """Notices that a model was given its weights before it was trained."""

    def attach(self) -> None:
        self.watch(nn.Module, "load_state_dict", self._loaded)

    def _loaded(self, args: Any, kwargs: Any, result: Any) -> None:
        if self.state is None or not self.state.is_part_of(args[0]):
            self.fact("has_loaded_weights", True)

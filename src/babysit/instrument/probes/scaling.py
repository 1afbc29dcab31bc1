"""GradScaler: its scale, and the steps that it skips."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from babysit.instrument.probe import Probe
from babysit.instrument.trainings import is_skipped


class Scaling(Probe):
    """A step that the scaler was asked for and the optimizer never began was skipped."""

    sleeps = ("on_step",)

    def attach(self) -> None:
        self._num_steps = self._num_skipped = self._in_a_row = 0
        self._began = self._is_unsure = False
        self.watch(torch.amp.GradScaler, "scale", self._scaled)
        self.watch(torch.amp.GradScaler, "step", self._stepped)
        self.watch(torch.amp.GradScaler, "update", self._updated)

    def _scaled(self, args: Any, kwargs: Any, result: Any) -> None:
        self.wake("on_step")

    def on_step(self, optimizer: Optimizer) -> None:
        """An optimizer began; a fused one may be told to leave the step out."""
        self._began = not is_skipped(optimizer)

    def _stepped(self, args: Any, kwargs: Any, result: Any) -> None:
        began, self._began = self._began, False
        if not args[0].is_enabled():
            return
        self._num_steps += 1
        self.note("scaled-steps", float(self._num_steps))
        if began:
            self._in_a_row = 0
            return
        self._num_skipped += 1
        self._in_a_row += 1
        self.note("skipped-steps", float(self._num_skipped))
        self.note("skipped-in-a-row", float(self._in_a_row))

    def _updated(self, args: Any, kwargs: Any, result: Any) -> None:
        scale = getattr(args[0], "_scale", None)
        if isinstance(scale, Tensor) and (self.is_sampled or self._in_a_row):
            on_cpu = scale.device.type == "cpu"
            self.note("loss-scale", scale.item() if on_cpu else scale.detach().clone())

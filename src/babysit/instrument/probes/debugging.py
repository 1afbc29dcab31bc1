"""Debug switches of autograd that the script left on: anomaly detection and profilers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer

from babysit.instrument.probe import Probe


class Debugging(Probe):
    """Looks at both switches; our own use of them is not the script's."""

    sleeps = ("on_backward",)

    def on_sampled_step(self, optimizer: Optimizer) -> None:
        """Is either on? Then every step from here is looked at."""
        if self._note():
            self.wake("on_backward")

    def on_backward(self, loss: Tensor) -> None:
        """Until both are off."""
        if not self._note():
            self.rest("on_backward")

    def _note(self) -> bool:
        """Note what is on."""
        profiles = torch._C._autograd._profiler_enabled()
        if self.is_anomaly_mode_on:
            self.note("anomaly-mode", 1.0)
        if profiles:
            self.note("profiler", 1.0)
        return profiles or self.is_anomaly_mode_on

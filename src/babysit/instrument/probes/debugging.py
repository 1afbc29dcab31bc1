"""Debug switches of autograd that the script left on: anomaly detection and profilers."""

from __future__ import annotations

import torch
from torch import Tensor

from babysit.instrument.probe import Probe


class Debugging(Probe):
    """Looks at both switches at every backward; our own use of them is not the script's."""

    def on_backward(self, loss: Tensor) -> None:
        """Note what is on. Nothing is noted, and next to nothing spent, when both are off."""
        if self.is_anomaly_mode_on:
            self.note("anomaly-mode", 1.0)
        if torch._C._autograd._profiler_enabled():
            self.note("profiler", 1.0)

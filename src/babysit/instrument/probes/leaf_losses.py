"""Losses that were rebuilt as new tensors, so that nothing is behind them."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Optimizer

from babysit.instrument import sources
from babysit.instrument.probe import Probe


class LeafLosses(Probe):
    """Backward on a tensor that no operation made: its gradient goes nowhere."""

    def on_backward(self, loss: Tensor) -> None:
        """Note a loss without a graph; after one with a graph, rest until the next sample."""
        if loss.grad_fn is not None:
            self.rest("on_backward")
        elif loss.requires_grad:
            self.note("loss-without-graph", 1.0)
            if self.state is None or "backward_place" not in self.state.facts:
                self.fact("backward_place", sources.caller())

    def on_sampled_step(self, optimizer: Optimizer) -> None:
        self.wake("on_backward")

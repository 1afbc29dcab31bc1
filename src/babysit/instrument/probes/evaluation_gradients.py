"""Watching evaluations that build graphs nobody uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from babysit.instrument import call_sites
from babysit.instrument.probe import Probe
from babysit.instrument.scopes import sequence_number

MAX_CALLS: Final = 64


class EvaluationGradients(Probe):
    """Calls of the model in eval mode with gradients on, and no backward that uses them.

    The graph is not held: it is known by the sequence number of its last node, which a backward
    that follows has in its own graph.
    """

    sleeps = ("on_backward",)

    def __init__(self, bench: Any) -> None:
        super().__init__(bench)
        self._open: list[tuple[int, str, dict[str, Any]]] = []

    def attach(self) -> None:
        self.watch(torch.autograd, "grad", self._grad_taken)

    def on_call(
        self, module: nn.Module, inputs: Sequence[Any], output: Any, is_evaluation: bool
    ) -> None:
        if not is_evaluation or module.training or not torch.is_grad_enabled():
            return
        outputs = output if isinstance(output, (tuple, list)) else (output,)
        graphs = [o for o in outputs if isinstance(o, Tensor) and o.grad_fn is not None]
        if not graphs or any(isinstance(i, Tensor) and i.requires_grad for i in inputs):
            return  # saliency and attacks ask for the gradient of an input
        if len(self._open) < MAX_CALLS:
            site, place = call_sites.site_of(call_sites.caller_frame())
            self._open.append((sequence_number(), site, place))
            self.wake("on_backward")

    def on_backward(self, loss: Tensor) -> None:
        """Whatever was called in eval mode before: this backward uses it, or none does."""
        self.rest("on_backward")
        if self._open:
            calls, self._open = self._open, []
            state = self.state
            roots = [root for ref in (state.roots if state else ()) if (root := ref()) is not None]
            if roots and all(root.training for root in roots):
                oldest = call_sites.oldest_number(loss)
                if oldest is not None and oldest >= calls[-1][0]:
                    self._report(calls)

    def finish(self) -> None:
        self._report(self._open)

    def _grad_taken(self, args: Any, kwargs: Any, result: Any) -> None:
        self._open.clear()

    def _report(self, calls: Sequence[tuple[int, str, dict[str, Any]]]) -> None:
        sites = {site: place for _, site, place in calls}
        for site, place in sites.items():
            number = sum(one == site for _, one, _ in calls)
            self.note("evaluation-with-gradients", float(number), site)
            self.fact("gradient_sites", {site: place})

"""PyTorch's switches as the program sets them: gradients, modes, compilation, dropout, hooks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import torch

from babysit.instrument.glances import Glances
from babysit.instrument.lens import Lens
from babysit.instrument.patches import Patches
from babysit.instrument.trainings import Thread

DROPOUTS: Final = (
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout",
)  # fmt: skip


class Switches:
    """Tells the lens what it has to respect, and looks where an evaluation may begin."""

    def __init__(self, lens: Lens, glances: Glances, thread: Thread) -> None:
        self._lens, self._glances, self._thread = lens, glances, thread

    def attach(self, patches: Patches, wrap: Callable[..., Callable[[Any], Any]]) -> None:
        for name in DROPOUTS:
            see = wrap(self._dropped, when=self._is_training_sampled)
            patches.replace(torch.nn.functional, name, see)
        for context in (torch.no_grad, torch.inference_mode):
            patches.replace(context, "__enter__", wrap(self._gradients_off))
        patches.replace(torch.nn.Module, "train", wrap(self._mode_set))
        patches.replace(torch, "compile", wrap(self._compiled))
        patches.replace(torch.nn.Module, "compile", wrap(self._compiled))
        hooks = torch.autograd.graph.saved_tensors_hooks
        patches.replace(hooks, "__enter__", wrap(functools.partial(self._hooked, True)))
        patches.replace(hooks, "__exit__", wrap(functools.partial(self._hooked, False)))
        for kind in (torch.autograd.detect_anomaly, torch.autograd.set_detect_anomaly):
            for name in {"__init__", "__enter__", "__exit__"} & set(vars(kind)):
                sets_mode = name != "__init__" or kind is torch.autograd.set_detect_anomaly
                see = functools.partial(self._anomaly_mode_used, sets_mode)
                patches.replace(kind, name, wrap(see))

    def may_evaluate(self) -> None:
        """An evaluation may begin here."""
        if self._thread.last is not None and not self._thread.pending:
            self._glances.begin()

    def _gradients_off(self, args: Any, kwargs: Any, result: Any) -> None:
        self.may_evaluate()

    def _mode_set(self, args: Any, kwargs: Any, result: Any) -> None:
        if not args[0].training:
            self.may_evaluate()

    def _dropped(self, args: Any, kwargs: Any, result: Any) -> None:
        rate = args[1] if len(args) > 1 else kwargs.get("p", 0.5)
        is_on = args[2] if len(args) > 2 else kwargs.get("training", True)
        if is_on and rate > 0:
            self._lens.scopes.dropped(result, float(rate))

    def _is_training_sampled(self) -> bool:
        return self._lens.is_armed and torch.is_grad_enabled()

    def _compiled(self, args: Any, kwargs: Any, result: Any) -> None:
        self._lens.be_careful()

    def _anomaly_mode_used(self, sets_mode: bool, args: Any, kwargs: Any, result: Any) -> None:
        self._lens.anomaly_mode_used(args[0], sets_mode=sets_mode)

    def _hooked(self, entered: bool, args: Any, kwargs: Any, result: Any) -> None:
        self._lens.scopes.saved_tensor_hooks(entered=entered)

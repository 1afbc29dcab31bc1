"""Watching the calls of loss functions, and comparisons that count right answers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from babysit.instrument import losses
from babysit.instrument.calls import without_gradients
from babysit.instrument.lens import Lens
from babysit.instrument.patches import Patches
from babysit.instrument.stepping import Stepping
from babysit.instrument.trainings import Thread
from babysit.wiring import LossCall


class LossWatch:
    """Tells the training's own losses from those of an evaluation.

    Attributes:
        crashed: the last call, if it raised and nothing went on after it.
        training_datasets: identities of the data sets that trainings draw from.
    """

    def __init__(self, stepping: Stepping, thread: Thread, lens: Lens) -> None:
        self._stepping, self._thread, self._lens = stepping, thread, lens
        self.evaluations = losses.Evaluations()
        self.crashed: LossCall | None = None
        self._scaled: tuple[Tensor, Tensor] | None = None
        self.training_datasets: set[int] = set()

    def attach(self, patches: Patches, wrap: Callable[..., Callable[[Any], Any]]) -> None:
        for name in losses.FUNCTIONS:
            see = functools.partial(self._called, name)
            fail = functools.partial(self._failed, name)
            patches.replace(torch.nn.functional, name, wrap(see, failed=fail))
        patches.replace(torch.amp.GradScaler, "scale", wrap(self._loss_scaled))
        for name in ("__eq__", "eq"):
            patches.replace(Tensor, name, wrap(self._compared, when=without_gradients))

    @property
    def is_quiet(self) -> bool:
        """Whether since the last step there was no evaluation, and no loss was scaled."""
        return self._scaled is None and self.evaluations.is_empty

    def value(self, tensors: list[Tensor]) -> Tensor | float:
        """The loss that a backward starts from, before a scaler multiplied it."""
        scaled, self._scaled = self._scaled, None
        if not tensors:
            return float("nan")
        is_scaled = scaled is not None and scaled[0].data_ptr() == tensors[0].data_ptr()
        return losses.number_of(scaled[1] if scaled is not None and is_scaled else tensors[0])

    def _loss_scaled(self, args: Any, kwargs: Any, result: Any) -> None:
        outputs = args[1] if len(args) > 1 else kwargs.get("outputs")
        if isinstance(result, Tensor) and isinstance(outputs, Tensor):
            self._scaled = (result.detach(), outputs.detach())

    def _called(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        in_eval_mode = self._stepping.is_model_in_eval(self._thread.last)
        if torch.is_grad_enabled() and not in_eval_mode and not self._lens.is_armed:
            target = args[1] if len(args) > 1 else kwargs.get("target")
            self.evaluations.trained_on(target)  # the usual step: nothing else to see
            return
        call = losses.Call.of(name, args, kwargs, result)
        if call is not None:
            self.evaluations.see(
                call,
                is_sampled=self._lens.is_armed,
                in_eval_mode=in_eval_mode,
                repeats_training_data=self._repeats(call.target),
            )

    def _failed(self, name: str, args: Any, kwargs: Any) -> None:
        call = losses.Call.of(name, args, kwargs, torch.zeros(()))
        if call is not None:
            output = self._lens.last_operation(call.prediction)
            self.crashed = replace(call.describe(crashed=1.0), output=output)

    def _compared(self, args: Any, kwargs: Any, result: Any) -> None:
        if len(args) != 2 or not isinstance(result, Tensor):
            return
        if losses.is_agreement(*args):
            repeats = self._repeats(args[1])
            self.evaluations.see_agreement(args[1], result, repeats_training_data=repeats)

    def _repeats(self, target: Tensor) -> bool:
        """Whether an evaluation's labels come with a training data set's latest batch.

        A loader that was left in the middle says nothing of labels that do not fit its batch.
        """
        size = self._thread.batch_rows
        fits = not size or (target.dim() > 0 and target.shape[0] % size == 0)
        return self._thread.dataset in self.training_datasets and fits

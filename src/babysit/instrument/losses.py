"""PyTorch's loss functions, seen as they are called: evaluations, and operands of the training.

Under ``no_grad`` (or with the model in eval mode and no backward to follow) a loss belongs to
an evaluation; evaluations are told apart by the lines that call them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from babysit.instrument import sources
from babysit.instrument.label_counts import LabelCounts
from babysit.wiring import LossCall

FUNCTIONS: Final = (
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div", "poisson_nll_loss",
    "gaussian_nll_loss", "soft_margin_loss", "multi_margin_loss", "multilabel_soft_margin_loss",
)  # fmt: skip
MAX_EXAMPLES: Final = 2048
MAX_KEPT: Final = 65_536


@dataclass
class Call:
    """One observed call of a loss function."""

    function: str
    prediction: Tensor
    target: Tensor
    value: Tensor
    size: int

    @classmethod
    def of(cls, function: str, args: Any, kwargs: Any, result: Any) -> Call | None:
        prediction = args[0] if args else kwargs.get("input")
        target = args[1] if len(args) > 1 else kwargs.get("target")
        tensors = (prediction, target, result)
        if not all(isinstance(tensor, Tensor) for tensor in tensors) or result.numel() == 0:
            return None
        size = prediction.shape[0] if prediction.dim() else 1
        value = result.detach()
        if value.dim():
            value = value.mean()
        elif kwargs.get("reduction") == "sum":
            value = value / max(size, 1)
        return cls(function, prediction, target, value, size)

    def accuracy(self) -> Tensor | None:
        """Share of rightly classified examples, where the loss is a classification's."""
        scores, target = first_rows(self.prediction.detach()), first_rows(self.target)
        if self.function in ("cross_entropy", "nll_loss") and scores.dim() >= 2:
            wanted = target if target.dim() == scores.dim() - 1 else target.argmax(dim=1)
            return (scores.argmax(dim=1) == wanted).float().mean()
        if self.function.startswith("binary_") and scores.shape == target.shape:
            border = 0.0 if self.function.endswith("logits") else 0.5
            return ((scores > border) == (target > 0.5)).float().mean()
        return None

    def describe(self, **more: float) -> LossCall:
        """Shapes, and what the values tell, as data for the rules."""
        place = sources.caller() or {}
        scores = first_rows(self.prediction.detach()).float()
        facts = {**more, "value": self.value.item()}
        if scores.numel():
            facts |= {"min": scores.amin().item(), "max": scores.amax().item()}
        if scores.dim() == 2 and scores.shape[1] > 1:
            facts["row-sum-error"] = (scores.sum(dim=1) - 1).abs().amax().item()
            if self.function == "nll_loss":
                facts["row-exp-sum-error"] = (scores.exp().sum(dim=1) - 1).abs().amax().item()
        return LossCall(
            function=self.function,
            prediction_shape=tuple(self.prediction.shape),
            target_shape=tuple(self.target.shape),
            facts=facts | describe_target(first_rows(self.target.detach())),
            **place,
        )


def number_of(loss: Tensor) -> Tensor | float:
    """A loss as a number; as a tensor where asking for it would wait for a device."""
    if loss.dim() == 0 and loss.device.type == "cpu":
        return torch._C.TensorBase.item(loss)  # past our own watch over what is read
    value = loss.detach().mean()
    return value.item() if value.device.type == "cpu" else value


def first_rows(tensor: Tensor) -> Tensor:
    """At most :data:`MAX_EXAMPLES` of a batch; all of what has no batch."""
    return tensor[:MAX_EXAMPLES] if tensor.dim() else tensor


def describe_target(target: Tensor) -> dict[str, float]:
    """Range, kind and variety of a loss's targets."""
    values = target.double()
    if not values.numel():
        return {}
    found = {
        "target-min": values.amin().item(),
        "target-max": values.amax().item(),
        "target-distinct": float(values.reshape(-1)[:MAX_EXAMPLES].unique().numel()),
        "target-integers": float((values == values.round()).all()),
        "target-is-float": float(target.is_floating_point()),
    }
    if values.dim() == 2 and values.shape[1] > 1:
        is_binary = ((values == 0) | (values == 1)).all()
        found["target-one-hot"] = float(is_binary and (values.sum(dim=1) == 1).all())
    return found


@dataclass
class Mean:
    """A weighted mean that stays on its device until asked."""

    total: Tensor | float = 0.0
    weight: int = 0

    def add(self, value: Tensor, weight: int) -> None:
        self.total = self.total + value * weight
        self.weight += weight

    def value(self) -> float:
        total = self.total.item() if isinstance(self.total, Tensor) else self.total
        return float(total) / max(self.weight, 1)


class Evaluations:
    """Collects the losses of an evaluation until the next training step begins."""

    def __init__(self) -> None:
        self._means: dict[tuple[tuple[str, int], ...], tuple[Mean, Mean]] = {}
        self._open: list[tuple[tuple[tuple[str, int], ...], Call]] = []
        self._trained_on: tuple[int, tuple[int, ...]] | None = None
        self._last_target: Tensor | None = None
        self._with_loss: set[tuple[int, tuple[int, ...]]] = set()
        self.calls: list[LossCall] = []
        self.on_training_data: set[str] = set()
        self.labels = LabelCounts()

    def see(
        self, call: Call, *, is_sampled: bool, in_eval_mode: bool, repeats_training_data: bool
    ) -> None:
        """Sort one call: an evaluation, the training's own loss, or a repetition of it."""
        target = (call.target.data_ptr(), tuple(call.target.shape))
        if not torch.is_grad_enabled():
            if target != self._trained_on:
                self._add(sources.call_chain(), call, repeats_training_data)
        elif call.prediction.requires_grad:
            if in_eval_mode:
                self._open.append((sources.call_chain(), call))
                del self._open[:-64]
            else:
                self.trained_on(call.target)
            if is_sampled:
                self.calls.append(call.describe())

    def trained_on(self, target: Any) -> None:
        """Remember the training's own targets: what repeats them is no evaluation."""
        if isinstance(target, Tensor):
            self._trained_on = (target.data_ptr(), tuple(target.shape))
            self._last_target = target if target.numel() <= MAX_KEPT else None

    def _repeats_batch(self, target: Tensor) -> bool:
        """Whether labels are the training batch's: indexed again, converted or compared."""
        last = self._last_target
        if last is None or last.numel() != target.numel():
            return False
        if target.dtype == last.dtype == torch.int64:
            return bool(torch.equal(target.reshape(-1), last.reshape(-1)))
        if target.dtype == torch.int64:
            return False
        ones = target.reshape(-1).to(last.device) > 0.5
        return bool(torch.equal(ones, last.detach().reshape(-1) > 0.5))

    def _add(self, site: tuple[tuple[str, int], ...], call: Call, repeats: bool) -> None:
        loss, accuracy = self._means.setdefault(site, (Mean(), Mean()))
        loss.add(call.value, call.size)
        self.labels.add(stream_name(site), call.target)
        share = call.accuracy()
        if share is not None:
            accuracy.add(share, call.size)
            self._with_loss.add((call.target.data_ptr(), tuple(call.target.shape)))
        if repeats:
            self.on_training_data.add(stream_name(site))

    def see_agreement(self, target: Tensor, result: Tensor, *, repeats_training_data: bool) -> None:
        """A hand-written accuracy: predictions compared with labels, outside any gradient."""
        key = (target.data_ptr(), tuple(target.shape))
        if key == self._trained_on or key in self._with_loss or self._repeats_batch(target):
            return
        site = sources.call_chain()
        self._means.setdefault(site, (Mean(), Mean()))[1].add(
            result.float().mean(), result.shape[0]
        )
        self.labels.add(stream_name(site), target)
        if repeats_training_data:
            self.on_training_data.add(stream_name(site))

    @property
    def is_empty(self) -> bool:
        """Whether nothing was seen since the last training step."""
        return not self._means and not self._open

    def begin_training(self, *, in_eval_mode: bool) -> None:
        """A backward follows. Losses seen in eval mode were evaluations if that mode is over."""
        if self._open and not in_eval_mode:
            for site, call in self._open:
                self._add(site, call, False)
        self._open.clear()

    def take(self) -> dict[str, dict[str, float]]:
        """The evaluations since the last training step, by name, and forget them."""
        if not self._means:
            return {}
        losses, accuracies = {}, {}
        for site, (loss, accuracy) in self._means.items():
            if loss.weight:
                losses[stream_name(site)] = loss.value()
            if accuracy.weight:
                accuracies[stream_name(site)] = accuracy.value()
        self._means.clear()
        self._with_loss.clear()
        return {"eval-loss": losses, "eval-accuracy": accuracies}


def stream_name(site: tuple[tuple[str, int], ...]) -> str:
    """An evaluation's name: the lines that led to it, outermost first."""
    return " > ".join(f"{sources.shown(path)}:{line}" for path, line in reversed(site)) or "?"


def is_agreement(left: Any, right: Any) -> bool:
    """Whether a comparison looks like predicted classes against labels.

    Two integer vectors, or two vectors of zeros and ones of whatever type: a binary
    classification's ``(scores > 0).float() == labels``. A single column counts as a vector.
    """
    if not isinstance(left, Tensor) or not isinstance(right, Tensor):
        return False
    shape = left.shape
    is_vector = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    if not is_vector or shape != right.shape or shape[0] < 2:
        return False
    if left.dtype == right.dtype == torch.int64:
        return True
    return is_binary(left) and is_binary(right)


def is_binary(values: Tensor) -> bool:
    """Whether a vector's (first) values are all zero or one."""
    if values.dtype == torch.bool:
        return True
    some = values.detach()[:MAX_EXAMPLES]
    return bool(((some - 0.5).abs() - 0.5).abs().amax().item() == 0)

"""Changes of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from babysit.change import CannotApplyError, Change, Levers, is_number

PAIRS: Final = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
LABELS: Final = ("cross_entropy", "nll_loss")
BINARIES: Final = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
RAW: Final = ("cross_entropy", "binary_cross_entropy_with_logits")
LOSSES: Final = (*PAIRS, *LABELS, *BINARIES)


@dataclass(frozen=True, kw_only=True)
class ReplaceLoss(Change):
    """Another loss function of torch.nn.functional, over the same operands (C3)."""

    new: str

    def __post_init__(self) -> None:
        self.require(new=(self.new in LOSSES, f"one of {', '.join(LOSSES)}"))

    def apply(self, levers: Levers) -> None:
        def turn(call: Any) -> Any:
            try:
                return call.compute(target=fitted(call, self.new), function=self.new)
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                reason = str(error).splitlines()[0]
                raise CannotApplyError(
                    f"{self.new} does not take what {call.function} takes ({reason})"
                ) from None

        levers.on_loss(turn, everywhere=True)


def fitted(call: Any, new: str) -> Tensor:
    """A call's target for another loss function.

    Class numbers become one-hot rows where the new loss is one of pairs, and back.

    Raises:
        CannotApplyError: it does not serve the new one.
    """
    target: Tensor = call.target
    scores: Tensor = call.prediction
    are_numbers = target.dim() == scores.dim() - 1 and not target.is_floating_point()
    if new in LABELS and call.function not in LABELS:
        is_hot = target.shape == scores.shape and scores.dim() == 2 and scores.shape[1] > 1
        if not is_hot or not ((target == target.amax(1, keepdim=True)).sum(dim=1) == 1).all():
            raise CannotApplyError(f"{new} takes classes, {call.function} was given none")
        if not ((target == 0) | (target == 1)).all():
            raise CannotApplyError(f"{new} takes classes, {call.function} was given quantities")
        return target.argmax(dim=1)
    if new not in LABELS and are_numbers:
        hot = torch.nn.functional.one_hot(target, scores.shape[1])
        return hot.movedim(-1, 1).to(scores.dtype)
    return target if new in LABELS else target.to(scores.dtype)


@dataclass(frozen=True, kw_only=True)
class ScaleLoss(Change):
    """The loss, times a factor, before backward."""

    factor: float

    def __post_init__(self) -> None:
        self.require(factor=(is_number(self.factor, above=0), "a number above 0"))

    def apply(self, levers: Levers) -> None:
        levers.on_backward(lambda loss: loss * self.factor)


@dataclass(frozen=True, kw_only=True)
class DropSoftmax(Change):
    """Raw scores go into the loss: a softmax or sigmoid right in front of it is left out."""

    def apply(self, levers: Levers) -> None:
        operands = WeakTensorKeyDictionary()
        remember(levers, operands)
        has_begun: list[bool] = []

        def turn(call: Any) -> Any:
            scores = operands.get(call.prediction)
            if scores is not None and call.function in RAW:
                has_begun[:] = [True]
                return call.compute(prediction=scores)
            if has_begun or not call.trains:
                return None  # one more term of the loss, or of an evaluation
            if scores is not None:
                raise CannotApplyError(f"{call.function} does not take raw scores")
            raise CannotApplyError("what goes into the loss is no softmax's or sigmoid's")

        levers.on_loss(turn, everywhere=True)


def remember(levers: Levers, operands: WeakTensorKeyDictionary) -> None:
    """Note what every softmax and sigmoid was made of, as long as its result lives."""
    functional = torch.nn.functional
    for owner, name in (
        (torch, "softmax"), (functional, "softmax"), (Tensor, "softmax"), (torch, "sigmoid"),
        (functional, "sigmoid"), (Tensor, "sigmoid"),
    ):  # fmt: skip
        original = getattr(owner, name)

        def noting(*args: Any, original: Any = original, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            operand = args[0] if args else kwargs.get("input")
            if isinstance(operand, Tensor) and not torch.compiler.is_compiling():
                operands[result] = operand
            return result

        levers.replace(owner, name, noting)

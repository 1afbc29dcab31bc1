"""One call of a loss function, as changes see it."""

from __future__ import annotations

import copy
import inspect
from functools import lru_cache
from typing import Any, Final, Self

import torch
from torch import Tensor

from babysit.instrument.levers.batches import Rows

CLASSES: Final = ("cross_entropy", "nll_loss", "multi_margin_loss")
# What two loss functions both take, and mean the same by.
SHARED: Final = ("reduction", "size_average", "reduce")
BY_EXAMPLE: Final = ("weight", "var")  # options that may have a row for each of the prediction's


class LossCall:
    """A call of a loss function of PyTorch; see :class:`~babysit.change.LossCallData`."""

    def __init__(self, function: str, original: Any, arguments: dict[str, Any]) -> None:
        self.function, self._original = function, original
        self.prediction = arguments.pop("input")
        self.target = self.given = arguments.pop("target")
        self.options = arguments
        self.trains = False
        self.rows: Rows | None = None

    @classmethod
    def of(cls, function: str, original: Any, args: Any, kwargs: Any) -> LossCall | None:
        """The call, or ``None`` for one that PyTorch will not take either."""
        try:
            arguments = signature(original).bind(*args, **kwargs).arguments
        except TypeError:
            return None
        operands = (arguments["input"], arguments["target"])
        if not all(isinstance(one, Tensor) for one in operands):
            return None
        return cls(function, original, dict(arguments))

    @property
    def inputs(self) -> Tensor | None:
        return None if self.rows is None else self.rows.inputs

    def having(self, prediction: Any, target: Any, function: str | None) -> LossCall:
        """The same call with other operands, or of another function."""
        other = copy.copy(self)
        other.prediction = self.prediction if prediction is None else prediction
        other.target = self.target if target is None else target
        if function is not None and function != self.function:
            original = original_of(function)
            taken = signature(original).parameters
            is_akin = (function in CLASSES) == (self.function in CLASSES)
            shared = (*SHARED, "weight", "ignore_index") if is_akin else SHARED
            kept = {key: self.options[key] for key in self.options if key in shared}
            other.options = {key: value for key, value in kept.items() if key in taken}
            other.function, other._original = function, original
        return other

    def part(self, rows: Tensor) -> Self:
        """The same call over some of its rows, shape (rows,), Boolean."""
        other = copy.copy(self)
        other.prediction = self.prediction[rows]
        other.target, other.given = self.target[rows], self.given[rows]
        other.options = {
            key: value[rows] if self._is_by_example(key, value) else value
            for key, value in self.options.items()
        }
        return other

    def _is_by_example(self, option: str, value: Any) -> bool:
        return (
            option in BY_EXAMPLE
            and isinstance(value, Tensor)
            and self.function not in CLASSES
            and value.dim() == self.prediction.dim()
            and value.shape[0] == self.prediction.shape[0]
        )

    def compute(
        self, prediction: Any = None, target: Any = None, *, function: str | None = None
    ) -> Any:
        """The loss, with these operands or that function in place of the script's."""
        one = self.having(prediction, target, function)
        return one._original(one.prediction, one.target, **one.options)

    def spread(self, marks: Any) -> Any:
        """Marks of examples as marks of the prediction's rows."""
        if self.rows is None or not self.prediction.dim():
            return None
        return self.rows.spread(marks, self.prediction.shape[0])


def original_of(function: str) -> Any:
    """A function of :mod:`torch.nn.functional` as PyTorch made it."""
    return inspect.unwrap(getattr(torch.nn.functional, function))


@lru_cache(maxsize=64)
def signature(function: Any) -> inspect.Signature:
    return inspect.signature(function)

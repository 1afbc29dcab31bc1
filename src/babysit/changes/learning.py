"""Changes that end a training once there is nothing more to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from babysit.change import Change, Levers, is_count, is_number


@dataclass(frozen=True, kw_only=True)
class StopWhenLearnt(Change):
    """Stop as soon as the loss is a small part of the first one, for some steps in a row (A6).

    Args:
        left: of the first loss.
        steps: in a row.
    """

    left: float = 0.05
    steps: int = 5

    def __post_init__(self) -> None:
        self.require(
            left=(is_number(self.left, above=0, to=1), "a share above 0 and at most 1"),
            steps=(is_count(self.steps), "a number of steps, 1 or more"),
        )

    def apply(self, levers: Levers) -> None:
        first: list[float] = []
        in_a_row = [0]

        def look(loss: torch.Tensor) -> Any:
            value = float(loss.detach())
            if not first and value > 0:
                first.append(value)
            is_low = bool(first) and value <= self.left * first[0]
            in_a_row[0] = in_a_row[0] + 1 if is_low else 0
            if in_a_row[0] >= self.steps:
                levers.stop()

        levers.on_backward(look)

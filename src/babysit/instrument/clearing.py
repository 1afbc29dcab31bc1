"""Whether gradients were cleared between two steps, told without reading a value.

A gradient tensor carries a version that every in-place change raises. If a gradient is the
same tensor with the same version at the next backward as after the last one, nobody cleared it.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence

from torch import Tensor


class Clearing:
    """Follows a few gradients of one optimizer from step to step."""

    def __init__(self) -> None:
        self._marks: list[tuple[weakref.ref[Tensor], int, int]] = []
        self._was_cleared = True

    def look_before_step(self) -> None:
        """Before a step: were the gradients removed? Changes in place may be a clipping."""
        parameters = [parameter for ref, _, _ in self._marks if (parameter := ref()) is not None]
        if any(parameter.grad is None for parameter in parameters):
            self._was_cleared = True

    def look(self) -> None:
        """Before a backward: were the gradients touched since the last mark?"""
        for reference, identity, version in self._marks:
            parameter = reference()
            gradient = parameter.grad if parameter is not None else None
            if gradient is None or id(gradient) != identity or gradient._version != version:
                self._was_cleared = True

    def mark(self, parameters: Sequence[Tensor]) -> None:
        """After a backward or a step: remember a few gradients as they are."""
        last = len(parameters) - 1
        picks = [parameters[index] for index in sorted({0, last // 2, last})] if last >= 0 else []
        if all(parameter.grad is None for parameter in picks):
            picks = [p for p in parameters if p.grad is not None][:3]
        self._marks = [
            (weakref.ref(parameter), id(parameter.grad), parameter.grad._version)
            for parameter in picks
            if parameter.grad is not None
        ]

    def mark_again(self) -> None:
        """After a step like the one before: the same gradients, as they are now."""
        self._was_cleared = False
        marks, self._marks = self._marks, []
        for reference, _, _ in marks:
            parameter = reference()
            gradient = parameter.grad if parameter is not None else None
            if gradient is not None:
                self._marks.append((reference, id(gradient), gradient._version))

    def replaced(self) -> None:
        """The gradients come from ``autograd.grad``, which adds to none."""
        self._was_cleared = True

    @property
    def is_due(self) -> bool:
        """Whether nobody has cleared the gradients since the last step."""
        return not self._was_cleared

    def finish_step(self, parameters: Sequence[Tensor]) -> None:
        """The optimizer has stepped: from now on a clearing is due."""
        self._was_cleared = False
        self.mark(parameters)

    @property
    def kept(self) -> bool:
        """Whether the gradients of the step at hand still hold those of the step before."""
        return not self._was_cleared and bool(self._marks)

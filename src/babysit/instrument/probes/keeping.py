"""Whether the program keeps weights while it trains, as for early stopping."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from babysit.instrument import sources
from babysit.instrument.probe import Bench, Probe

HELD_OUT = re.compile(
    r"\b\w*(?:val|valid|validation|test|eval|evaluate|held_?out|holdout|dev|score|predict|infer|"
    r"sample|generate|accuracy)(?:\b|_|\d)\w*",
    re.IGNORECASE,
)


class Keeping(Probe):
    """Copies of the weights taken during the training, and whether anything was evaluated."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._keeping: set[int] = set()  # numbers of trainings
        self._evaluating: set[int] = set()
        self._files: set[str | None] = set()

    def attach(self) -> None:
        self.watch(torch, "save", self._kept)
        for name in ("state_dict", "load_state_dict"):
            self.watch(nn.Module, name, self._kept)

    def _kept(self, args: Any, kwargs: Any, result: Any) -> None:
        if self.state is not None and self.state.number not in self._keeping:
            self._keeping.add(self.state.number)
            self.fact("keeps_weights", True)

    def on_backward(self, loss: Tensor) -> None:
        """The first one: where the training loop stands."""
        self.rest("on_backward")
        place = sources.caller()
        main = getattr(sys.modules.get("__main__"), "__file__", None)
        self._files |= {main, place["file"] if place else None}

    def on_call(
        self, module: nn.Module, inputs: Sequence[Any], output: Any, is_evaluation: bool
    ) -> None:
        state = self.state
        if not is_evaluation or torch.is_grad_enabled() or state is None:
            return
        if state.number not in self._evaluating:
            self._evaluating.add(state.number)
            self.fact("runs_evaluations", True)

    def finish(self) -> None:
        if self.state is not None:
            self.fact("speaks_of_evaluation", any(map(speaks_of_evaluation, self._files)))


def speaks_of_evaluation(path: str | None) -> bool:
    """Whether a file's text has a word of held-out data or of use of the trained net.

    What it does with them by other means (NumPy, scikit-learn, another process) is not seen.
    """
    try:
        text = Path(path).read_text() if path else ""
    except (OSError, UnicodeDecodeError):
        return True
    return not text or HELD_OUT.search(text) is not None

"""Whether the program keeps weights while it trains, as for early stopping."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

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
        self._keeps = self._evaluates = False

    def attach(self) -> None:
        self.watch(torch, "save", self._kept)
        for name in ("state_dict", "load_state_dict"):
            self.watch(nn.Module, name, self._kept)

    def _kept(self, args: Any, kwargs: Any, result: Any) -> None:
        if not self._keeps and self.state is not None:
            self._keeps = True
            self.fact("keeps_weights", True)

    def on_call(
        self, module: nn.Module, inputs: Sequence[Any], output: Any, *, is_evaluation: bool
    ) -> None:
        if is_evaluation and not self._evaluates and not torch.is_grad_enabled():
            self._evaluates = True
            self.fact("runs_evaluations", True)

    def finish(self) -> None:
        if self.state is not None:
            self.fact("speaks_of_evaluation", speaks_of_evaluation())


def speaks_of_evaluation() -> bool:
    """Whether the script's text has a word of held-out data or of use of the trained net.

    What it does with them by other means (NumPy, scikit-learn, another process) is not seen.
    """
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        text = Path(path).read_text() if path else ""
    except (OSError, UnicodeDecodeError):
        return True
    return not text or HELD_OUT.search(text) is not None

"""What a user may choose about a watched run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from babysit.errors import BabysitError

Level = Literal["error", "warning", "never"]
STORE_FOLDER = ".babysit"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Options of one watched run.

    Args:
        budget: share of the wall time that watching may cost, 0.02 is two per cent.
        max_steps: stop cleanly after so many optimizer steps.
        stop_on: stop cleanly when a finding of this severity is certain.
        fail_on: exit with 1 when a finding of this severity or worse remains.
        seed: seed Python, NumPy and PyTorch before the script runs.
        keeps_black_box: keep what is needed to make a NaN again beside the stored run.
        folder: where runs are stored; ``None`` stores nothing.
    """

    budget: float = 0.02
    max_steps: int | None = None
    stop_on: Level = "never"
    fail_on: Level = "never"
    seed: int | None = None
    quiet: bool = False
    keeps_black_box: bool = True
    folder: Path | None = field(default_factory=lambda: Path(STORE_FOLDER))

    def __post_init__(self) -> None:
        if not 0 < self.budget <= 1:
            raise BabysitError(
                f"--budget is {self.budget}; it is the share of the training time that watching "
                "may cost. Give a number above 0 and at most 1, such as 0.02."
            )
        if self.max_steps is not None and self.max_steps < 1:
            raise BabysitError(
                f"--steps is {self.max_steps}; it counts optimizer steps. Give 1 or more."
            )
        if self.seed is not None and not 0 <= self.seed < 2**32:
            raise BabysitError(f"--seed is {self.seed}; NumPy takes 0 to {2**32 - 1}.")

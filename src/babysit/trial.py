"""The contract of a trial: a training run again under changes and a budget, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, Protocol, TypeAlias

from babysit.change import Change
from babysit.errors import BabysitError
from babysit.run import Run
from babysit.series import Series

Outcome: TypeAlias = Literal[
    "finished", "stopped", "crashed", "hanging", "out of memory", "cut off"
]
ENDED: Final = ("finished", "stopped")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What to try.

    Args:
        name: for people and folders, such as ``overfit-small-batch-1``.
        changes: applied in this order.
        max_steps: stop cleanly after so many optimizer steps.
        max_seconds: stop cleanly so long after the first step; a trial that does not is killed.
        seed: of all generators before the script runs; what it seeds itself stays.
        is_watched: examine it as closely as `babysit run` does, not only its losses.
        examines_functions: compare the backwards of the script's own autograd functions with
            difference quotients in the end.
    """

    name: str
    changes: tuple[Change, ...] = ()
    max_steps: int
    max_seconds: float = 60.0
    seed: int = 0
    is_watched: bool = False
    examines_functions: bool = False

    def __post_init__(self) -> None:
        if self.max_steps < 1 or not self.max_seconds > 0:
            raise BabysitError(
                f"Trial {self.name}: {self.max_steps} steps in {self.max_seconds} seconds; "
                "it takes 1 step or more and more than 0 seconds."
            )

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for trials that would do the same."""
        return tuple(getattr(self, one.name) for one in fields(self) if one.name != "name")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a trial.

    Attributes:
        outcome: ``hanging`` did not come to its end in time; ``cut off`` was ended by the user.
        seconds: from its start to its end, set-up included.
        set_up_seconds: from its start to its first step.
        why: the end of what it printed, where it crashed.
    """

    trial: Trial
    outcome: Outcome
    seconds: float
    run: Run = field(default_factory=Run)
    why: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether it came to an end of its own, or to that of its budget."""
        return self.outcome in ENDED

    @property
    def refusals(self) -> Mapping[str, str]:
        """By change, why it did not apply."""
        found: Mapping[str, str] = self.run.trial.get("refusals", {})
        return found

    @property
    def refusal(self) -> str | None:
        """Why this trial says nothing: a change that did not apply, or no end; else ``None``."""
        if self.outcome == "crashed":
            last = self.why.strip().splitlines()[-1:]
            return f"the trial crashed ({last[0] if last else 'it said nothing'})"
        if self.refusals:
            change, why = next(iter(self.refusals.items()))
            return f"{change.partition('(')[0]} does not apply: {why}"
        if self.run.trial.get("ran_out") and not self.trial.is_watched:
            done, wanted = self.run.steps, self.trial.max_steps
            return f"a trial was too slow: {done} of {wanted} steps in its time"
        return None if self.has_ended else f"the trial was {self.outcome}"

    @property
    def set_up_seconds(self) -> float:
        found: float = self.run.trial.get("set_up_seconds", self.seconds)
        return found

    def noted(self, name: str) -> Series:
        """What changes noted by this name, over steps."""
        series = Series()
        for step, key, value in self.run.trial.get("notes", ()):
            if key == name:
                series.append(step, value)
        return series

    @property
    def losses(self) -> Series:
        """The training loss of the first training, by step."""
        first = next(iter(self.run.trainings.values()), None)
        return first.series("loss") if first is not None else Series()


class Patient(Protocol):
    """What can be tried again and again: a script, or a model with its loss and data.

    Attributes:
        label: as the user names it.
        argv: of the script, for the record.
    """

    label: str
    argv: tuple[str, ...]

    def train(self, on_end: Callable[[str, int | None, str], None]) -> None:
        """Train once, in this process.

        Args:
            on_end: called with the outcome, the exit code and, after a crash, the error's text.
        """

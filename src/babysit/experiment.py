"""The contract of an experiment: a question, the trials that may answer it, and what follows.

An experiment yields lists of trials and is sent their results; it writes signals and facts into
the training at hand, from which rules conclude, and ends with its own answer in a line.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, TypeAlias

from babysit.change import Change
from babysit.run import Training
from babysit.trial import Result, Trial
from babysit.wiring import LossCall

Verdict: TypeAlias = Literal["sound", "unsound", "told", "not tried"]
Conduct: TypeAlias = Generator[Sequence[Trial], list[Result], "Answer"]
SLOWER: Final = 1.5  # how much longer a step takes in a trial, which is changed and noted
SET_UP_MARGIN: Final = 0.3  # seconds


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an experiment found.

    Args:
        verdict: ``told`` where there is something to know, but nothing to judge.
        text: one line for the user: the answer with its numbers, or why it was not tried.
        data: the numbers behind it, for JSON.
    """

    verdict: Verdict
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


def not_tried(why: str) -> Answer:
    return Answer(verdict="not tried", text=why)


@dataclass(kw_only=True)
class Lab:
    """What experiments know of the patient, and where they write what they learn.

    Args:
        base: the training as it is, watched closely and cut short.
        training: of the base; what is judged.
        tell: takes the events that say what was learnt.
        max_steps: of one trial, unless an experiment needs fewer.
        seconds: what all experiments together may take.
        workers: trials at a time.
        is_thorough: more seeds and longer trials.
    """

    base: Result
    training: Training
    tell: Callable[[dict[str, Any]], None]
    max_steps: int
    seconds: float
    workers: int = 1
    is_thorough: bool = False

    @property
    def ran_through(self) -> bool:
        """Whether the script came to its own end within the steps that trials have."""
        return self.base.outcome == "finished" and self.base.run.steps <= self.max_steps

    @property
    def seconds_per_step(self) -> float:
        """Of the training as it is, without what watching it so closely took."""
        watched: float = self.base.run.ending.get("overhead", {}).get("seconds", 0.0)
        took = self.base.seconds - self.base.set_up_seconds - watched
        return max(took, 1e-3) / max(self.base.run.steps, 1)

    @property
    def batch_size(self) -> int:
        """Rows of the predictions in a step; 64 where no loss function was seen."""
        calls = [call for wiring in self.training.wirings for call in wiring.calls]
        sizes = [call.prediction_shape[0] for call in calls if call.prediction_shape]
        return max(sizes, default=64)

    @property
    def are_classes(self) -> bool:
        """Whether classes are learnt: the loss is one of labels, and not of pairs in a batch."""
        calls = [call for wiring in self.training.wirings for call in wiring.calls]
        return any(
            ("cross_entropy" in call.function or call.function == "nll_loss")
            and not are_pairs(call)
            for call in calls
        )

    def trial(
        self, name: str, *changes: Change, steps: int | None = None, at_least: int = 1,
        seed: int = 0, examines_functions: bool = False,
    ) -> Trial:  # fmt: skip
        """A trial within this lab's means.

        Args:
            steps: fewer than the usual ones, or more where they end early.
            at_least: without so many steps it would say nothing.
        """
        most = max(at_least, min(steps or self.max_steps, self.max_steps))
        return Trial(
            name=name, changes=changes, max_steps=most, seed=seed,
            examines_functions=examines_functions,
            max_seconds=max(5.0, 4 * SLOWER * most * self.seconds_per_step),
        )  # fmt: skip

    def cost(self, trial: Trial) -> float:
        """Seconds that a trial will probably take."""
        step = SLOWER * self.seconds_per_step + 5e-4
        return self.base.set_up_seconds + SET_UP_MARGIN + trial.max_steps * step

    def record(self, signal: str, values: Sequence[float], *, place: str = "") -> None:
        """Write a signal: one value a step, or one a trial."""
        for step, value in enumerate(values):
            one = {place: float(value)} if place else float(value)
            self._tell({"event": "sample", "step": step, "values": {signal: one}})

    def fact(self, name: str, value: Any) -> None:
        """Write a fact."""
        self._tell({"event": "facts", "facts": {name: value}})

    def _tell(self, event: dict[str, Any]) -> None:
        self.tell({**event, "training": self.training.number})


def are_pairs(call: LossCall) -> bool:
    """Whether a loss asks which example of the batch belongs to which, as contrastive ones do."""
    size = call.prediction_shape
    is_square = len(size) == 2 and size[0] == size[1]
    return is_square and call.facts.get("target-distinct") == size[0]


class Experiment(ABC):
    """Tries something out. One class a module below ``babysit.lab.experiments``.

    Attributes:
        question: what it asks, as the user would.
        order: smaller ones begin first; what matters most comes early.
        writes: the signals that rules wait for.
    """

    question: ClassVar[str]
    order: ClassVar[int]
    writes: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def name(cls) -> str:
        return cls.__module__.rpartition(".")[2].replace("_", "-")

    @classmethod
    def summary(cls) -> str:
        """The first sentence of the docstring."""
        return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())

    @abstractmethod
    def cost(self, lab: Lab) -> float:
        """Seconds of one core that it will probably need."""

    @abstractmethod
    def conduct(self, lab: Lab) -> Conduct:
        """Yield trials, be sent their results, return the answer."""

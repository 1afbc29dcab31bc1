"""The contract of a rule, its thresholds and its examples."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, overload

from babysit.findings import Finding, Severity, Unexamined
from babysit.run import Optimizer, Parameter, Training
from babysit.signal import CHECKUP
from babysit.signals import SIGNALS
from babysit.wiring import Wiring

ABSENT = {
    "wiring": "the autograd graph of no step could be read",
    "optimizer": "no torch.optim optimizer was seen",
}
Conclusions = Iterator[Finding | Unexamined]
Numbers = Sequence[float] | Mapping[int, float]


class Threshold:
    """A limit with its unit and the measurement that chose it. Reads as its value on a rule."""

    def __init__(self, *, default: float, unit: str, why: str) -> None:
        self.default, self.unit, self.why = default, unit, why
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, rule: None, owner: type) -> Threshold: ...
    @overload
    def __get__(self, rule: Rule, owner: type) -> float: ...
    def __get__(self, rule: Rule | None, owner: type) -> Threshold | float:
        return self if rule is None else rule.limits.get(self.name, self.default)


threshold = Threshold


class Rule(ABC):
    """Reads a training, yields findings. Pure: no torch, no files, no printing, no clock.

    Attributes:
        severity: of its findings, unless a finding says otherwise.
        needs: signals, ``wiring`` or ``optimizer`` without which it cannot judge.
        remedies: names of the remedies that its findings offer.
        explains: rules whose findings are consequences of this sickness when both are found.
        is_symptom: whether a finding only counts when nothing explains it.
        reads_autopsies: whether an autopsy is enough to judge, whatever else is missing.
    """

    since: ClassVar[str]
    severity: ClassVar[Severity]
    needs: ClassVar[tuple[str, ...]]
    remedies: ClassVar[tuple[str, ...]]
    explains: ClassVar[tuple[str, ...]] = ()
    is_symptom: ClassVar[bool] = False
    reads_autopsies: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]]

    def __init__(self, limits: Mapping[str, float] | None = None) -> None:
        self.limits = dict(limits or {})

    @abstractmethod
    def check(self, run: Training) -> Conclusions:
        """What is wrong with this training; nothing when it is clean."""

    @classmethod
    def name(cls) -> str:
        """The rule's identity: its file's name, with hyphens."""
        return cls.__module__.rpartition(".")[2].replace("_", "-")

    @classmethod
    def group(cls) -> str:
        return cls.__module__.split(".")[-2]

    @classmethod
    def summary(cls) -> str:
        """The one-sentence docstring."""
        return " ".join(inspect.getdoc(cls).split("\n\n")[0].split())  # type: ignore[union-attr]  # every rule has one, tested

    @classmethod
    def sections(cls) -> dict[str, str]:
        """The docstring by heading: ``Why it matters``, ``How it decides`` and so on."""
        parts = re.split(r"^(\S.*):\n", inspect.getdoc(cls) or "", flags=re.MULTILINE)[1:]
        texts = (" ".join(body.split()) for body in parts[1::2])
        return dict(zip(parts[::2], texts, strict=True))

    @classmethod
    def thresholds(cls) -> dict[str, Threshold]:
        return {n: value for n, value in vars(cls).items() if isinstance(value, Threshold)}

    @classmethod
    def needs_checkup(cls) -> bool:
        """Whether it can only judge what experiments wrote."""
        return any(need in SIGNALS and SIGNALS[need].absent == CHECKUP for need in cls.needs)

    def absence(self, run: Training) -> str | None:
        """What it lacks to judge a training; ``None`` when nothing."""
        if self.reads_autopsies and "autopsy" in run.facts:
            return None
        for need in self.needs:
            if not run.has(need):
                why = run.facts.get("untried", {}).get(need)
                return why or ABSENT.get(need) or SIGNALS[need].absent
        return None

    def conclude(self, run: Training) -> Conclusions:
        """:meth:`check`, with the rule's name, the last step and the layers' titles filled in."""
        for conclusion in self.check(run):
            if isinstance(conclusion, Finding):
                last = conclusion.last_step or max(run.steps - 1, conclusion.first_step)
                message = run.titled(conclusion.message)
                yield replace(conclusion, rule=self.name(), last_step=last, message=message)
            else:
                yield conclusion


@dataclass(frozen=True, kw_only=True)
class Example:
    """A training in plain numbers, and whether its rule must find something."""

    is_sick: bool
    training: Training


def sick(**record: Any) -> Example:
    """An example that must be found. See :func:`training_of` for the arguments."""
    return Example(is_sick=True, training=training_of(**record))


def healthy(**record: Any) -> Example:
    """An example that must stay silent. See :func:`training_of` for the arguments."""
    return Example(is_sick=False, training=training_of(**record))


def by_place(numbers: Any) -> dict[str, Numbers]:
    """Numbers of one signal by place; those without a place belong to the whole training."""
    has_places = isinstance(numbers, Mapping) and all(isinstance(key, str) for key in numbers)
    return dict(numbers) if has_places else {"": numbers}


def training_of(
    *,
    steps: int = 0,
    wiring: Wiring | None = None,
    parameters: Sequence[Parameter] = (),
    optimizer: Optimizer | None = None,
    facts: Mapping[str, Any] | None = None,
    **signals: Numbers | Mapping[str, Numbers],
) -> Training:
    """A training from plain numbers.

    Args:
        signals: by name with underscores; a list of values over steps, a dictionary from step
            to value, or one of those for each place.
    """
    made = Training()
    for name, numbers in signals.items():
        for place, values in by_place(numbers).items():
            points = values.items() if isinstance(values, Mapping) else enumerate(values)
            for step, value in points:
                made.record(name.replace("_", "-"), value, step=step, place=place)
                made.steps = max(made.steps, step + 1)
    made.steps = steps or made.steps
    made.wirings = [wiring] if wiring else []
    made.parameters = {parameter.name: parameter for parameter in parameters}
    made.optimizers = (optimizer,) if optimizer else ()
    made.facts = dict(facts or {})
    return made

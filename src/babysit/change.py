"""The contract of a change: one reversible alteration of a training, from outside, as data.

Everything active is made of changes: an experiment is changes and what to look at, a remedy is a
change and advice, a verification is trials with and without one. A change is a frozen dataclass;
its name is its class's (``ScaleLearningRate`` is ``scale-learning-rate``) and its fields are its
parameters, checked when it is made. It acts through :class:`Levers`, which know how PyTorch is
taken hold of; what the levers hold they let go of again.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol

from babysit.errors import BabysitError

# Models, optimizers, loaders and tensors pass through here as Any: this floor knows no torch.
Act = Callable[[Any], None]
Turn = Callable[[Any], Any]


class Levers(Protocol):
    """Where a training can be taken hold of. All that is done here can be undone.

    An act receives the thing itself and changes it; a turn receives a thing and returns what
    takes its place. Acts and turns only reach the training: neither evaluations nor what runs
    without gradients. An exception that one raises as :class:`CannotApplyError` is the answer why
    the change does not apply; the training goes on without it.
    """

    def before_step(self, act: Act) -> None:
        """Before each outermost ``optimizer.step``, with the optimizer."""

    def after_step(self, act: Act) -> None:
        """After each outermost ``optimizer.step``, with the optimizer; also when it raises.

        Acts run in reverse order. :attr:`step` does not count this step yet.
        """

    def on_optimizer(self, act: Act) -> None:
        """Once with every optimizer, before its first step."""

    def on_model(self, act: Act) -> None:
        """Once with every outermost module, before its first call."""

    def on_loader(self, act: Act) -> None:
        """Once with every training ``DataLoader``, before it is iterated for the first time."""

    def on_backward(self, turn: Turn) -> None:
        """Each loss, a scalar tensor, before backward starts from it."""

    def on_inputs(self, turn: Turn, *, everywhere: bool = False, selects: bool = False) -> None:
        """Each tensor of data, shape (examples, …), on its way into the model.

        Args:
            everywhere: in evaluations as well.
            selects: the turn puts other examples in the place of these. It comes before all
                others, gets masks and lengths as well, and begins with the second step.
        """

    def on_targets(self, turn: Turn, *, selects: bool = False) -> None:
        """Each tensor of targets, shape (examples, …), on its way into the loss function.

        Args:
            selects: as for inputs.
        """

    def on_loss(self, turn: Callable[[LossCallData], Any], *, everywhere: bool = False) -> None:
        """Each call of a loss function of PyTorch; returns the loss, or ``None`` for its own.

        Args:
            everywhere: in evaluations as well.
        """

    def on_evaluation(self, act: Callable[[float], None]) -> None:
        """The mean loss of each evaluation, before the first step after it."""

    def replace(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute, and put the old one back in the end."""

    def on_seed(self, turn: Callable[[int], int]) -> None:
        """Each number that a random generator is seeded with, from the first module on."""

    def in_the_end(self, undo: Callable[[], None]) -> None:
        """What takes an act back; run in reverse order when the levers let go."""

    def stop(self) -> None:
        """Stop the training cleanly at the end of this step."""

    def note(self, name: str, value: float) -> None:
        """Keep a number of the current step, of the trial alone."""

    @property
    def place(self) -> str:
        """What the data being turned are to the model, as ``input`` or ``batch.tokens``."""

    @property
    def step(self) -> int:
        """How many optimizer steps are done."""

    @property
    def seconds(self) -> float:
        """How long ago the first step began."""


class LossCallData(Protocol):
    """A call of a loss function.

    Attributes:
        function: its name in :mod:`torch.nn.functional`.
        prediction, target: its operands; the target as changes have turned it.
        given: the target as the script gave it, of the examples that are trained on.
        options: the other arguments by name, of those that the script gives.
        inputs: what entered the model last, examples first, of those that are trained on, before
            changes turned it; ``None`` where no model was seen.
        trains: whether it is the training's, not an evaluation's.
    """

    function: str
    prediction: Any
    target: Any
    given: Any
    options: Mapping[str, Any]
    inputs: Any
    trains: bool

    def compute(
        self, prediction: Any = None, target: Any = None, *, function: str | None = None
    ) -> Any:
        """The loss, with these operands or that function in place of the script's."""

    def part(self, rows: Any) -> LossCallData:
        """The same call over some rows of prediction and target, marked by Booleans."""

    def spread(self, marks: Any) -> Any:
        """Marks of the batch's examples, as marks of the prediction's rows.

        Returns:
            ``None`` where it does not show which rows belong to which example.
        """


class CannotApplyError(BabysitError):
    """A change does not apply to this training; the message says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change(ABC):
    """One alteration. See the module's docstring."""

    @abstractmethod
    def apply(self, levers: Levers) -> None:
        """Take hold of the training.

        Raises:
            CannotApplyError: it is clear already that this cannot be done here.
        """

    @classmethod
    def name(cls) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def summary(cls) -> str:
        """The first sentence of the docstring."""
        return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())

    def to_json(self) -> dict[str, Any]:
        """Name and parameters; those at their default are left out."""
        own = {
            field.name: value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }
        return {"name": self.name(), **own}

    def __str__(self) -> str:
        """As people write it: ``scale-learning-rate(factor=0.333)``."""
        return written(self.to_json())

    def refuse(self, parameter: str, expected: str) -> None:
        """Say that a parameter has no sensible value.

        Raises:
            BabysitError: always.
        """
        value = getattr(self, parameter)
        raise BabysitError(f"{self.name()}: {parameter} is {value!r}; it takes {expected}.")

    def require(self, **expected: tuple[bool, str]) -> None:
        """Check parameters: for each, whether it is right and what it takes.

        Raises:
            BabysitError: one is not.
        """
        for parameter, (is_right, takes) in expected.items():
            if not is_right:
                self.refuse(parameter, takes)


def written(data: Mapping[str, Any]) -> str:
    """A change's JSON as people write it.

    >>> written({"name": "scale-learning-rate", "factor": 1 / 3})
    'scale-learning-rate(factor=0.3333)'
    """
    shown = ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in data.items()
        if key != "name"
    )
    return f"{data['name']}({shown})" if shown else str(data["name"])


def is_number(value: object, *, above: float = float("-inf"), to: float = float("inf")) -> bool:
    """Whether a value is a number above one limit and up to another; no Boolean, no NaN."""
    is_real = isinstance(value, int | float) and not isinstance(value, bool)
    return is_real and above < value <= to and abs(value) != float("inf")  # type: ignore[operator, arg-type]  # a number by now


def is_count(value: object) -> bool:
    """Whether a value counts something: an integer from 1 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@cache
def changes() -> dict[str, type[Change]]:
    """All changes by name, from the modules below ``babysit.changes``."""
    package = importlib.import_module("babysit.changes")
    found: dict[str, type[Change]] = {}
    for info in pkgutil.iter_modules(package.__path__, prefix="babysit.changes."):
        for value in vars(importlib.import_module(info.name)).values():
            is_own = inspect.isclass(value) and value.__module__ == info.name
            if is_own and issubclass(value, Change) and not inspect.isabstract(value):
                found[value.name()] = value
    return dict(sorted(found.items()))


def read_change(data: Mapping[str, Any]) -> Change:
    """A change from its JSON.

    Raises:
        BabysitError: there is none of this name, or it has no such parameters.
    """
    name = data.get("name")
    kind = changes().get(str(name))
    if kind is None:
        raise BabysitError(f"There is no change {name!r}; there are {', '.join(changes())}.")
    known = {field.name for field in dataclasses.fields(kind)}
    given = {key: value for key, value in data.items() if key != "name"}
    if unknown := sorted(set(given) - known):
        takes = ", ".join(sorted(known)) or "no parameters"
        raise BabysitError(f"{name} has no parameter {unknown[0]!r}; it takes {takes}.")
    try:
        return kind(**given)
    except TypeError as error:
        raise BabysitError(f"{name}: {error}.") from None

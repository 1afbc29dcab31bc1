"""Changes of the learning rate: how large it is, and when it falls.

All of them act only while an optimizer steps. Schedulers read and write the rate in between, so
they go on as the script has them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from torch.optim import Optimizer

from babysit.change import Change, Levers, is_count
from babysit.changes._groups import during_steps, is_positive, nominal_rate, set_option

MIN_SWEEP = 2
POSITIVE = "a number above 0"


@dataclass(frozen=True, kw_only=True)
class ScaleLearningRate(Change):
    """Multiply the learning rate, whatever the schedule makes of it (A2: divide it by 3)."""

    factor: float

    def __post_init__(self) -> None:
        self.require(factor=(is_positive(self.factor), POSITIVE))

    def apply(self, levers: Levers) -> None:
        scale(levers, lambda: self.factor)


@dataclass(frozen=True, kw_only=True)
class SetLearningRate(Change):
    """Train at this learning rate, with the script's schedule and warm-up.

    The parameter group with the largest rate gets it, the others keep their ratio to it.
    """

    rate: float

    def __post_init__(self) -> None:
        self.require(rate=(is_positive(self.rate), POSITIVE))

    def apply(self, levers: Levers) -> None:
        largest: WeakKeyDictionary[Optimizer, float] = WeakKeyDictionary()

        def meet(optimizer: Optimizer) -> None:
            largest[optimizer] = max(map(nominal_rate, optimizer.param_groups))

        def rate_in(optimizer: Optimizer, group: dict[str, Any]) -> Any:
            initial = largest[optimizer]
            return group["lr"] * (self.rate / initial) if initial else self.rate

        levers.on_optimizer(meet)
        set_rates(levers, rate_in)


@dataclass(frozen=True, kw_only=True)
class SweepLearningRate(Change):
    """Let the learning rate grow geometrically from low to high, then stop the training.

    The script's schedules are overridden; parameter groups keep their ratio. Noted are
    ``learning-rate`` at each step and, once, ``nominal-rate``: the script's own.
    """

    low: float
    high: float
    steps: int

    def __post_init__(self) -> None:
        is_enough = is_count(self.steps) and self.steps >= MIN_SWEEP
        self.require(low=(is_positive(self.low), POSITIVE))
        self.require(
            high=(is_positive(self.high) and self.high > self.low, f"a number above {self.low}"),
            steps=(is_enough, f"a number of steps, {MIN_SWEEP} or more"),
        )

    def apply(self, levers: Levers) -> None:
        def rate() -> float:
            done = min(1.0, levers.step / (self.steps - 1))
            return self.low * math.pow(self.high / self.low, done)

        def rate_in(optimizer: Optimizer, group: dict[str, Any]) -> float:
            largest = max(map(nominal_rate, optimizer.param_groups))
            return rate() * (nominal_rate(group) / largest if largest else 1.0)

        def follow(_: Optimizer) -> None:
            levers.note("learning-rate", rate())
            if levers.step + 1 >= self.steps:
                levers.stop()

        def meet(optimizer: Optimizer) -> None:
            levers.note("nominal-rate", max(map(nominal_rate, optimizer.param_groups)))

        levers.on_optimizer(meet)
        levers.before_step(follow)
        set_rates(levers, rate_in)


@dataclass(frozen=True, kw_only=True)
class DecayLearningRate(Change):
    """After some steps lower the learning rate, and again every few (A15: by 1.5, after > every).

    It is divided for the first time once ``after`` steps are done.
    """

    after: int
    every: int
    divide_by: float = 1.5

    def __post_init__(self) -> None:
        self.require(every=(is_count(self.every), "a number of steps, 1 or more"))
        is_later = is_count(self.after) and self.after > self.every
        self.require(
            after=(is_later, f"a number of steps above every, which is {self.every}"),
            divide_by=(is_divisor(self.divide_by), "a number above 1"),
        )

    def apply(self, levers: Levers) -> None:
        def factor() -> float:
            since = levers.step - self.after
            return math.pow(self.divide_by, -(since // self.every + 1)) if since >= 0 else 1.0

        scale(levers, factor)


@dataclass(frozen=True, kw_only=True)
class DecayOnPlateau(Change):
    """Lower the learning rate whenever evaluations stop improving (D4: divide by 2 or 5).

    That is when ``patience`` evaluations in a row brought no better loss.
    """

    divide_by: float = 2.0
    patience: int = 2

    def __post_init__(self) -> None:
        self.require(
            divide_by=(is_divisor(self.divide_by), "a number above 1"),
            patience=(is_count(self.patience), "a number of evaluations, 1 or more"),
        )

    def apply(self, levers: Levers) -> None:
        plateau = _Plateau(self.patience)
        levers.on_evaluation(plateau.see)
        scale(levers, lambda: math.pow(self.divide_by, -plateau.num))


class _Plateau:
    """Counts how often a loss stopped improving.

    Attributes:
        num: plateaus so far.
    """

    def __init__(self, patience: int) -> None:
        self._patience, self._best, self._num_worse, self.num = patience, math.inf, 0, 0

    def see(self, loss: float) -> None:
        if loss < self._best:
            self._best, self._num_worse = loss, 0
            return
        self._num_worse += 1
        if self._num_worse >= self._patience:
            self.num, self._num_worse = self.num + 1, 0


def is_divisor(value: float) -> bool:
    return is_positive(value) and value > 1


def scale(levers: Levers, factor: Callable[[], float]) -> None:
    """Multiply the rate of every group, during each step only."""
    set_rates(levers, lambda _, group: group["lr"] * factor())


def set_rates(levers: Levers, rate_in: Callable[[Optimizer, dict[str, Any]], Any]) -> None:
    """Set the rate of every group, during each step only."""

    def alter(optimizer: Optimizer) -> list[Callable[[], None]]:
        groups = optimizer.param_groups
        rates = [rate_in(optimizer, group) for group in groups]
        return [set_option(group, "lr", rate) for group, rate in zip(groups, rates, strict=True)]

    during_steps(levers, alter)

"""When to look closely: the schedule of sampled steps and the budget that bounds it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from babysit.instrument.vigilance import Vigilance

FIRST_STEPS = 3
GROWTH = 1.25
GROWTH_OVER_BUDGET = 1.6
ALLOWANCE_SECONDS = 0.1
SHARE_FOR_SAMPLES = 0.1
LONGEST_GAP_SHARE = 1 / 400


class Pacer:
    """Measures what watching costs and keeps it under its share of the wall time.

    A few steps are always sampled: the first ones, then ever further apart, the faster so when
    they cost more than the budget. What the budget leaves is spent on further samples. A fixed
    allowance lets a training of one second be examined as well.
    """

    def __init__(self, budget: float) -> None:
        self.budget = budget
        self.spent = 0.0
        self.started = time.perf_counter()
        self.sample_cost = 0.002

    def add(self, seconds: float) -> None:
        self.spent += seconds

    def leave_out(self, seconds: float) -> None:
        """Time within a callback of ours that is no part of the training nor of its watching."""
        self.spent -= seconds
        self.started += seconds

    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    def share(self) -> float:
        elapsed = self.elapsed()
        return self.spent / elapsed if elapsed > 0 else 0.0

    def affords(self, seconds: float) -> bool:
        """Whether so much more watching keeps well within the budget.

        Only a part of it is planned: the rest is for what cannot be measured from inside,
        such as caches that our reading cools.
        """
        planned = SHARE_FOR_SAMPLES * self.budget * self.elapsed()
        return self.spent + seconds <= planned + ALLOWANCE_SECONDS

    def learn_sample_cost(self, seconds: float) -> None:
        """A sampled step has cost so much: a slowly moving average plans the next."""
        self.sample_cost += 0.3 * (seconds - self.sample_cost)


class Schedule:
    """Which steps of one training are sampled."""

    def __init__(self) -> None:
        self.due = 0
        self.last = -1
        self._vigilance = Vigilance()

    def heed(self, step: int, sizes: Mapping[str, float]) -> bool:
        """Whether a step's sizes are unusual; the next one is then sampled."""
        if not self._vigilance.heeds(sizes):
            return False
        self.due = step
        return True

    def limit(self, name: str) -> float:
        """Up to which size a value of a step is as usual."""
        return self._vigilance.limit(name)

    def wants(self, step: int, pacer: Pacer) -> bool:
        """Whether ``step`` is to be sampled, by schedule or because the budget allows it."""
        if step >= self.due:
            return True
        gap = max(4, int(step * LONGEST_GAP_SHARE))
        return step - self.last >= gap and pacer.affords(4 * pacer.sample_cost)

    def sampled(self, step: int, pacer: Pacer) -> None:
        self.last = step
        if step >= self.due:
            growth = GROWTH if pacer.affords(pacer.sample_cost) else GROWTH_OVER_BUDGET
            self.due = step + 1 if step < FIRST_STEPS else int(step * growth) + 1

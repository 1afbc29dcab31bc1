"""How a schedule and its training can miss each other: one function a way.

Each reads the fact that the instrument keeps of a scheduler: its ``kind``, how many ``steps`` it
took until optimizer step ``at``, the ``total`` it was planned for if that is known, and where it
was made and stepped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from babysit.findings import Place
from babysit.measures import course, rates_over_steps
from babysit.run import Training
from babysit.text import count, number, percent

if TYPE_CHECKING:
    from babysit.series import Floats

MIN_STEPPED: Final = 20
MIN_FALL: Final = 0.2
EXACT: Final = 1e-5
# Schedules that multiply: they never come to exactly zero, but by a factor of zero.
GEOMETRIC: Final = frozenset({"StepLR", "MultiStepLR", "ExponentialLR", "MultiplicativeLR"})
Scheduler: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Misstep:
    """What happened, what to do about it, where; and the number that shows it."""

    text: str
    advice: str
    place: Mapping[str, Any] | None
    signal: str
    value: float
    limit: float

    @property
    def where(self) -> Place | None:
        return Place(**self.place) if self.place else None


def renewed(run: Training, own: Sequence[Scheduler]) -> Misstep | None:
    """A line that makes schedulers anew, each before it has changed the rate."""
    rates = rates_over_steps(run)
    former = next((a for a, b in pairwise(own) if is_renewed(a, b)), None)
    if former is None or rates.max() > rates.min():
        return None
    return Misstep(
        text=f"schedule {former['kind']} was made anew when it had taken "
        f"{count(former['steps'], 'step')} of its own and had not changed the rate yet: it has "
        f"counted from 0 again, and the rate has stayed at {number(float(rates[0]))}",
        advice="make the scheduler once; for other parameters give its optimizer a new group, or "
        "set last_epoch",
        place=former["place"], signal="schedulers", value=len(own), limit=1,
    )  # fmt: skip


def never_stepped(run: Training, scheduler: Scheduler) -> Misstep | None:
    """A scheduler that nobody stepped, although the training had more than one epoch."""
    rates = rates_over_steps(run)
    is_constant = bool(rates.max() - rates.min() <= 1e-6 * rates.max())
    is_single = int(max(run.series("epoch").values, default=0)) == 1
    if scheduler["steps"] or scheduler["at"] or not is_constant or is_single:
        return None
    return Misstep(
        text=f"the scheduler ({scheduler['kind']}) was never stepped in "
        f"{count(run.steps, 'step')}: the rate stayed at {number(float(rates[0]))}",
        advice="call scheduler.step() once an epoch, or once a batch if its lengths count batches",
        place=scheduler.get("place"), signal="steps", value=0, limit=1,
    )  # fmt: skip


def dead_share(rates: Floats, dead_rate: float) -> float:
    """The share of a training that came after the highest rate, with next to none of it left."""
    is_after = np.arange(len(rates)) > rates.argmax()
    return float((is_after & (rates < dead_rate * rates.max())).mean())


def killed(run: Training, scheduler: Scheduler, dead_rate: float, most: float) -> Misstep | None:
    """A schedule of epochs that was stepped with every batch: the rate is gone at once."""
    rates = rates_over_steps(run)
    dead = dead_share(rates, dead_rate)
    is_factor_zero = scheduler["kind"] in GEOMETRIC and rates[-1] == 0
    if not is_per_batch(scheduler) or dead <= most or is_factor_zero:
        return None
    if scheduler["kind"] == "ReduceLROnPlateau":
        return None
    return Misstep(
        text=f"schedule {scheduler['kind']} is stepped with every batch, and the learning rate was "
        f"below {number(dead_rate)} of its highest value in {percent(dead)} of the "
        f"{count(run.steps, 'step')}",
        advice="call scheduler.step() once an epoch, after the loop over batches, or give its "
        "lengths in batches",
        place=step_place(scheduler), signal="rate-dead-share", value=dead, limit=most,
    )  # fmt: skip


def misled(run: Training, scheduler: Scheduler, dead_rate: float, most: float) -> Misstep | None:
    """A schedule that takes a metric's getting better for getting worse, and kills the rate."""
    rates, mode = rates_over_steps(run), scheduler.get("mode")
    dead = dead_share(rates, dead_rate)
    if mode is None or dead <= most or not is_turned(run, scheduler):
        return None
    best, now = number(scheduler["best"]), number(scheduler["metric"])
    right, way = ("min", "fell") if mode == "max" else ("max", "rose")
    return Misstep(
        text=f'schedule {scheduler["kind"]} with mode="{mode}" took for worse what got better: its '
        f"metric {way} from {best} to {now}, and the learning rate was below {number(dead_rate)} "
        f"of its highest value in {percent(dead)} of the {count(run.steps, 'step')}",
        advice=f'set mode="{right}": "min" belongs to a loss, "max" to an accuracy',
        place=scheduler.get("place"), signal="rate-dead-share", value=dead, limit=most,
    )  # fmt: skip


def is_turned(run: Training, scheduler: Scheduler) -> bool:
    """Whether a metric moved far against the mode of its schedule while the training went well.

    A metric to be raised that fell as the training loss did was a loss; one to be lowered that
    rose and is the very accuracy of an evaluation was none.
    """
    best, now = scheduler["best"], scheduler["metric"]
    loss = course(run.series("loss").values)
    if loss is None or not loss.falls:
        return False
    ends = [series.last for series in run.places("eval-accuracy").values() if len(series)]
    is_accuracy = any(min(abs(now - end), abs(now / 100 - end)) < EXACT for end in ends)
    if scheduler["mode"] == "max":
        fell = 0 < now < (1 - MIN_FALL) * best and loss.drop() > MIN_FALL
        return bool(fell) and not is_accuracy
    return bool(now > best) and is_accuracy


def spent(run: Training, scheduler: Scheduler, most: float) -> Misstep | None:
    """A rate that is exactly zero long before the training ends."""
    series = run.series("learning-rate", "0")
    since = int(series.steps[-1]) if len(series) else 0
    left = (run.steps - since) / run.steps
    if not since or series.last != 0 or left <= most:
        return None
    return Misstep(
        text=f"schedule {scheduler['kind']} has set the learning rate to 0 at step {since:,}: in "
        f"the {count(run.steps - since, 'step')} since then ({percent(left)}) nothing was learnt",
        advice="end the training there, plan the schedule for its whole length, or correct the "
        "factor: a gamma of 1, not 0, leaves the rate alone",
        place=scheduler.get("place"), signal="rate-zero-share", value=left, limit=most,
    )  # fmt: skip


def overran(run: Training, scheduler: Scheduler) -> Misstep | None:
    """A cosine far past its end, where it rises again; in a DataLoader's epochs it counts them."""
    total = scheduler.get("total")
    if scheduler["kind"] != "CosineAnnealingLR" or not total or not is_per_batch(scheduler):
        return None
    passes = int(max(run.series("epoch").values, default=0))
    counts_epochs = passes > 1 and total == passes and run.steps > 2 * total
    if run.steps <= 4 * total and not counts_epochs:
        return None
    return Misstep(
        text=f"schedule CosineAnnealingLR was planned for T_max={total:,} steps and stepped "
        f"{count(run.steps, 'time')}, with every batch: the rate rises again after step {total:,}",
        advice="step it once an epoch, or set T_max to the number of batches",
        place=step_place(scheduler), signal="scheduler-steps", value=run.steps, limit=total,
    )  # fmt: skip


def hardly_stepped(run: Training, scheduler: Scheduler) -> Misstep | None:
    """A schedule planned in batches and stepped with the epochs."""
    steps, total, rates = scheduler["steps"], scheduler.get("total"), rates_over_steps(run)
    every = scheduler["at"] / steps if steps else 0.0
    if not total or every <= 3 or steps >= total / 3 or not 0.9 < total / run.steps < 1.1:
        return None
    taken = round(run.steps / every)
    return Misstep(
        text=f"schedule {scheduler['kind']} was planned for {total:,} steps, about one for each of "
        f"the {run.steps:,} batches, and stepped only {count(taken, 'time')}: the rate stayed "
        f"between {number(float(rates.min()))} and {number(float(rates.max()))}",
        advice="call scheduler.step() after every optimizer.step()",
        place=step_place(scheduler), signal="scheduler-steps", value=taken, limit=total,
    )  # fmt: skip


def raised_by(run: Training) -> Place | None:
    """Where the scheduler was made that brought the rate to its highest value, if one did."""
    rates = rates_over_steps(run)
    places = [one.get("place") for one in run.facts.get("schedulers", {}).values()]
    if not len(rates) or not places or rates.max() < 3 * rates[0]:
        return None
    return Place(**places[0]) if places[0] else None


def is_renewed(former: Scheduler, later: Scheduler) -> bool:
    """Whether the line that made a scheduler made another one when its steps had ended."""
    is_same = former["kind"] == later["kind"] and former.get("place") == later.get("place")
    has_ended = former["steps"] > 0 and former["at"] < later["at"]
    return is_same and former.get("place") is not None and has_ended


def is_per_batch(scheduler: Scheduler) -> bool:
    """Whether it steps about as often as the optimizer."""
    steps = scheduler["steps"]
    return bool(steps >= MIN_STEPPED and 0.5 < scheduler["at"] / steps < 1.5)


def step_place(scheduler: Scheduler) -> Mapping[str, Any] | None:
    return scheduler.get("step_place") or scheduler.get("place")

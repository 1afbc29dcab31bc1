"""What a search for a learning rate has found, and what may honestly be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from babysit.lab import rates
from babysit.lab.race_scores import Measure
from babysit.learning_rate import Lane, RateAnswer, Sweep
from babysit.text import count, number

UNKNOWN_LENGTH: Final = 4.0  # times the race, where the training's own length was not seen


@dataclass
class Known:
    """What the stages have found so far.

    Attributes:
        untrained, ignorant: the loss before any training, and that of the best constant answer.
        diverging: the lowest rate that diverged within its first steps.
        standing: the highest rate below it that did not.
        steps: of a lane.
        whole: steps of the training; ``None`` where its end was not seen.
        stopped: why there is no answer, where a stage saw it.
        is_cut_off: the user ended the search.
    """

    label: str
    measure: Measure = field(default_factory=Measure)
    current: float | None = None
    untrained: float | None = None
    ignorant: float | None = None
    diverging: float | None = None
    standing: float | None = None
    sweeps: list[Sweep] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    num_trials: int = 0
    steps: int = 0
    whole: int | None = None
    stopped: str = ""
    is_cut_off: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether lanes are as long as the training."""
        return self.whole is not None and self.steps >= self.whole

    @property
    def most(self) -> float:
        """The highest rate that may be answered."""
        return rates.limit(self.lanes, self.diverging)


def answer(known: Known, seconds: float) -> RateAnswer:
    """The answer as far as it is known by now."""
    lanes = sorted((lane for lane in known.lanes if lane.scores), key=lambda lane: lane.rate)
    found = judge(known, lanes)
    told = RateAnswer(
        script=known.label, reason=found if isinstance(found, str) else "",
        current=known.current, measure=known.measure.title, border=known.diverging,
        lanes=tuple(lanes), sweeps=tuple(known.sweeps), steps=known.steps,
        is_whole=known.is_whole, seconds=seconds, trials=known.num_trials,
        is_cut_off=known.is_cut_off,
    )  # fmt: skip
    return told if isinstance(found, str) else with_choice(told, known, found)


def judge(known: Known, lanes: Sequence[Lane]) -> rates.Choice | str:
    """The race's choice, or why there is none."""
    if known.stopped:
        return known.stopped
    if not lanes:
        return "it was ended before any rate had raced"
    choice = rates.choose(lanes, border=known.diverging, untrained=known.untrained)
    if choice is None:
        return f"the loss became NaN or exploded at all {count(len(lanes), 'rate')} tried"
    best = min((one for one in lanes if not one.has_diverged), key=lambda one: one.score)
    references = [one for one in (known.untrained, known.ignorant) if one is not None]
    if known.measure.is_error_rate:
        references = [lanes[0].score] if len(lanes) > 2 else []
    if rates.has_learnt(best.score, references, choice.noise):
        return choice
    return (
        f"the {known.measure.title} falls at no rate: it is {number(best.score)} at best (at "
        f"{number(best.rate)}) and {number(min(references))} without learning"
    )


def with_choice(told: RateAnswer, known: Known, choice: rates.Choice) -> RateAnswer:
    """The answer with the race's choice in it; of a short race, with caution."""
    ahead = 1.0
    if not known.is_whole and known.steps:
        times = (known.whole or UNKNOWN_LENGTH * known.steps) / known.steps
        ahead = rates.looks_ahead(rates.drift(told.lanes, choice.rate), times)
    rate = rates.rounded(choice.rate * ahead)
    seeds = max(len(lane.scores) for lane in told.lanes)
    return replace(
        told, lr=rate, score=choice.score, reason=reason(known, choice, seeds, ahead),
        low=min(choice.low * ahead, rate), high=max(choice.high, rate),
        confidence=rates.confidence(
            choice, num_seeds=seeds, is_whole=known.is_whole, num_lanes=len(told.lanes)
        ),
    )  # fmt: skip


def reason(known: Known, choice: rates.Choice, seeds: int, ahead: float) -> str:
    """Why this rate, in a clause with its numbers."""
    steps = count(known.steps, "step")
    length = f"all {steps}" if known.is_whole else f"the first {steps}"
    said = (
        f"best {known.measure.title} of {count(len(known.lanes), 'rate')}: "
        f"{number(choice.score)} after {length} of the training ({count(seeds, 'seed')})"
    )
    if known.is_cut_off:
        said += "; you ended it before the race was over"
    if ahead < 0.95:
        said += f"; lowered {1 / ahead:.2g}-fold, since longer races preferred lower rates"
    return said

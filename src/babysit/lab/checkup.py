"""A checkup: the training as it is, then experiments on it, within a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from babysit import catalogue
from babysit.errors import BabysitError
from babysit.experiment import Answer, Experiment, Lab, not_tried
from babysit.lab.bench import Bench, Progress
from babysit.run import Run, Training
from babysit.trial import Result, Trial
from babysit.trials.pool import Pool

BASE: Final = "base"
STEPS: Final = (1000, 700, 500, 300, 200, 150, 100)  # of a trial, as the time allows
BASE_SHARE: Final = 0.15  # of the time, for the training as it is
MARGIN: Final = 0.7  # of the time left, for what is planned


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a checkup may use.

    Args:
        seconds: all together, the set-up of the script not counted.
        is_thorough: more seeds, longer trials.
        only: names of experiments; without any, all.
        workers: trials at a time; without it, one for each core.
    """

    seconds: float = 90.0
    is_thorough: bool = False
    only: tuple[str, ...] = ()
    workers: int | None = None

    def __post_init__(self) -> None:
        if not self.seconds >= 10:
            raise BabysitError(
                f"--seconds is {self.seconds:g}; a checkup needs 10 or more, better 90."
            )
        known = [one.name() for one in experiments()]
        for name in self.only:
            if name not in known:
                raise BabysitError(
                    f"There is no experiment {name!r}; there are {', '.join(known)}."
                )


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """What a checkup found besides its diagnosis.

    Attributes:
        answers: by experiment, in the order of the experiments.
        seconds: that it took.
    """

    base: Result
    answers: Mapping[str, Answer] = field(default_factory=dict)
    trials: tuple[Result, ...] = ()
    seconds: float = 0.0
    is_cut_off: bool = False

    @property
    def run(self) -> Run:
        """The training as it is, with what the experiments wrote."""
        return self.base.run

    def event(self) -> dict[str, Any]:
        """What the record keeps of it."""
        questions = {one.name(): one.question for one in experiments()}
        return {
            "event": "checkup", "seconds": round(self.seconds, 2),
            "answers": [
                {
                    "name": name, "question": questions[name], "verdict": answer.verdict,
                    "answer": answer.text, "data": dict(answer.data),
                }
                for name, answer in self.answers.items()
            ],
            "trials": [
                {
                    "name": one.trial.name, "changes": [c.to_json() for c in one.trial.changes],
                    "outcome": one.outcome, "steps": one.run.steps,
                    "seconds": round(one.seconds, 2), "refusal": one.refusal,
                }
                for one in (self.base, *self.trials)
            ],
        }  # fmt: skip


def experiments() -> list[type[Experiment]]:
    """Every experiment, in the order in which they begin."""
    found = catalogue.classes("babysit.lab.experiments", Experiment)  # type: ignore[type-abstract]  # a base to compare with
    return sorted(found, key=lambda one: one.order)


def check_up(
    pool: Pool, means: Means, *, tell: Callable[[dict[str, Any]], None],
    on_base: Callable[[Result, str | None], None], on_plan: Callable[[float, int], None],
    show: Callable[[Progress], None],
) -> Checkup:  # fmt: skip
    """Try the training as it is, then conduct the experiments.

    Args:
        tell: takes the events that experiments write, to keep them.
        on_base: called with the training as it is, and why it cannot be experimented with, if so.
        on_plan: called with the seconds that the experiments will take, and their number.
    """
    began = time.monotonic()
    base = the_base(pool, means, show)
    training = main_training(base.run)
    why = hindrance(base, training)
    on_base(base, why)
    chosen = [one() for one in experiments() if not means.only or one.name() in means.only]
    if why is not None or training is None:
        answers = {one.name(): not_tried(why or "no training was seen") for one in chosen}
        return Checkup(base=base, answers=answers, seconds=time.monotonic() - began)
    pool.share_set_up(base)
    lab = the_lab(base, training, means, tell, left=means.seconds - (time.monotonic() - began))
    lab.workers = pool.workers
    on_plan(plan(lab, chosen), len(chosen))
    bench = Bench(pool, lab, show)
    answers = bench.conduct(chosen)
    untried = {
        signal: answers[one.name()].text
        for one in chosen
        for signal in one.writes
        if not training.has(signal)
    }
    lab.fact("untried", untried)
    return Checkup(
        base=base, answers=answers, trials=tuple(bench.results), is_cut_off=bench.is_cut_off,
        seconds=time.monotonic() - began,
    )  # fmt: skip


def the_base(pool: Pool, means: Means, show: Callable[[Progress], None]) -> Result:
    """The training as it is, watched as closely as by `babysit run`, and cut short."""
    seconds = BASE_SHARE * means.seconds
    pool.start(Trial(name=BASE, max_steps=STEPS[0], max_seconds=seconds, is_watched=True))
    progress = Progress(busy=(BASE,), expected=seconds)
    try:
        return pool.wait(lambda: show(progress))
    except KeyboardInterrupt:
        return pool.cut_off()[0]


def main_training(run: Run) -> Training | None:
    """The training that is judged: the one with the most steps."""
    begun = [one for one in run.trainings.values() if one.steps]
    return max(begun, key=lambda one: one.steps, default=None)


def hindrance(base: Result, training: Training | None) -> str | None:
    """Why no experiment can be made; ``None`` where they can."""
    if base.outcome == "cut off":
        return "you ended the checkup before"
    if training is None:
        return base.refusal or "the script took no optimizer step"
    if base.refusal is not None and training.steps < 2:
        return base.refusal
    if training.facts.get("is_adversarial") or is_interleaved(base.run):
        return "several models train against or beside one another in this script"
    return None


def is_interleaved(run: Run) -> bool:
    """Whether trainings of one process take turns, rather than follow one another."""
    turns: int = run.trial.get("turns", 0)
    return turns > 2 * len(run.trainings)


def the_lab(
    base: Result, training: Training, means: Means, tell: Callable[[dict[str, Any]], None],
    *, left: float,
) -> Lab:  # fmt: skip
    def take(event: dict[str, Any]) -> None:
        base.run.apply(event)
        tell(event)

    most = min(STEPS[0], base.run.steps) if base.outcome == "finished" else STEPS[0]
    return Lab(
        base=base, training=training, tell=take, max_steps=max(most, 2), seconds=left,
        is_thorough=means.is_thorough,
    )  # fmt: skip


def plan(lab: Lab, chosen: list[Experiment]) -> float:
    """Make trials as long as the time allows; returns the seconds that all will take."""
    most = lab.max_steps
    for steps in (most, *(steps for steps in STEPS if steps < most)):
        lab.max_steps = steps
        seconds = sum(one.cost(lab) for one in chosen) / max(lab.workers, 1)
        if seconds <= MARGIN * lab.seconds:
            break
    return min(seconds, lab.seconds)

"""The protocol of `babysit lr`: range tests, the border of divergence, and a race.

A generator over lists of trials, as an experiment is: whoever conducts it runs them and sends
their results. What is known at any moment can be asked for, so an end by the user loses nothing.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from babysit.change import Change
from babysit.changes.data import HoldOut
from babysit.changes.rates import ScaleLearningRate, SetLearningRate, SweepLearningRate
from babysit.changes.runs import Reseed
from babysit.errors import BabysitError
from babysit.lab import rates
from babysit.lab.answering_rate import Known, answer
from babysit.lab.race_scores import measure_of
from babysit.learning_rate import Lane, RateAnswer, Sweep, same
from babysit.run import Training
from babysit.text import count, number
from babysit.trial import Result, Trial

Stages: TypeAlias = Generator[Sequence[Trial], list[Result], None]
SWEPT: Final = (1e-7, 10.0)
SWEPT_PLAIN: Final = (1e-6, 100.0)  # without momentum, rates are larger
SWEEP_STEPS: Final = 100
BORDER_STEPS: Final = 100  # A2
MAX_BORDERS: Final = 5  # batches of three
MIN_STEPS: Final = 30  # of a lane; below, a race says nothing
BASE_SHARE: Final = 0.15  # of the time, for the training as it is
SAFETY: Final = 0.9  # of the time, to keep what was promised
SLOWER: Final = 1.3  # a step beside another trial, and noted
MARGIN: Final = 0.3  # seconds to begin and end a process
NEARLY: Final = 0.75  # of the training, and the rest is not worth saving
LANES: Final = 10  # that must be affordable at least
FINALISTS: Final = 4
FOREVER: Final = 10_000_000
RACE, FINALS = "the race", "the finals"


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a search may use: seconds in all, seeds for its finalists."""

    seconds: float = 120.0
    seeds: int = 3

    def __post_init__(self) -> None:
        if not self.seconds >= 1:
            raise BabysitError(f"--seconds is {self.seconds:g}; give 1 or more, such as 120.")
        if self.seeds < 1:
            raise BabysitError(f"--seeds is {self.seeds}; give 1 or more, such as 3.")


@dataclass
class Pace:
    """How long trials take."""

    set_up_seconds: float = 0.0
    step_seconds: float = 0.0

    def cost(self, steps: int) -> float:
        """Seconds that a trial will probably take."""
        return self.set_up_seconds + MARGIN + SLOWER * self.step_seconds * steps


class RateFinder:
    """Finds a learning rate; see the module's docstring.

    Args:
        label: of the script.
        workers: trials at a time.
        clock: seconds, from any moment on.

    Attributes:
        phase: what is being done, for whoever shows it.
    """

    def __init__(
        self, label: str, means: Means, *, workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._label, self._means, self._workers, self._clock = label, means, workers, clock
        self._started = clock()
        self.pace, self.known = Pace(), Known(label)
        self._by_factor, self._numbers = False, itertools.count(1)
        self._base_result: Result | None = None
        self.phase = "the training as it is"

    @property
    def elapsed(self) -> float:
        return self._clock() - self._started

    @property
    def left(self) -> float:
        """Seconds until the time is over."""
        return max(0.0, SAFETY * self._means.seconds - self.elapsed)

    @property
    def is_racing(self) -> bool:
        """Whether it is known by now how long lanes are."""
        return self.phase in (RACE, FINALS)

    @property
    def share_done(self) -> float:
        """How much of the time is over, from 0 to 1."""
        return min(1.0, self.elapsed / (SAFETY * self._means.seconds))

    def answer(self) -> RateAnswer:
        """What is known by now."""
        return answer(self.known, self.elapsed)

    def conduct(self) -> Stages:
        """Yield trials, be sent their results."""
        for stage in (self._base, self._sweep, self._find_border, self._race):
            yield from stage()
            if self.known.stopped:
                return

    # -- stages --------------------------------------------------------------------------

    def _base(self) -> Stages:
        seconds = max(2.0, BASE_SHARE * self._means.seconds)
        (base,) = yield from self._try(
            Trial(name="base", max_steps=FOREVER, max_seconds=seconds, is_watched=True)
        )
        training = next(iter(base.run.trainings.values()), None)
        if training is None or base.run.steps < 2:
            raise BabysitError(f"{self._label} took no optimizer steps to try again{tail(base)}.")
        if base.outcome in ("hanging", "out of memory", "cut off"):
            self.known.stopped = f"the training as it is was {base.outcome}"
            return
        self.known.stopped = several(base)
        took = max(base.seconds - base.set_up_seconds, 1e-3)
        self.pace = Pace(set_up_seconds=base.set_up_seconds, step_seconds=took / base.run.steps)
        self.known.whole = base.run.steps if base.outcome == "finished" else None
        self.known.current = seen_rate(training)
        self._base_result = base
        self._settle_length(training, short_trials=6)

    def _settle_length(self, training: Training, short_trials: int) -> None:
        """How long lanes may be, and what they are compared by.

        Args:
            training: as it is.
            short_trials: how many come before them.
        """
        known = self.known
        known.steps = self._affordable(short_trials)
        known.measure = measure_of(training, known.steps, is_whole=known.is_whole)
        known.steps = known.measure.steps or known.steps
        known.ignorant = known.measure.ignorant(training)

    def _sweep(self) -> Stages:
        self.phase = "range tests"
        current = self.known.current or 1e-2
        low, high = SWEPT_PLAIN if self.known.measure.is_plain_descent else SWEPT
        steps = min(SWEEP_STEPS, self.known.whole or SWEEP_STEPS)
        if steps < 10:
            self.known.stopped = f"the training has only {count(steps, 'step')}"
            return
        change = SweepLearningRate(low=min(low, current / 1e3), high=max(high, current * 1e2),
                                   steps=steps)  # fmt: skip
        found = yield from self._try(
            *(self._trial("sweep", steps, change, seed=seed) for seed in range(self._num_sweeps))
        )
        self.pace.set_up_seconds = statistics.median(one.set_up_seconds for one in found)
        firsts = []
        for result in found:
            sweep = swept(result)
            if sweep is not None:
                self.known.sweeps.append(sweep)
                firsts.append(float(result.losses.values[:3].mean()))
            self._read_nominal(result)
        if not self.known.sweeps:
            self.known.stopped = f"no loss was seen in range tests{tail(found[0])}"
            return
        self.known.untrained = statistics.median(firsts)

    @property
    def _num_sweeps(self) -> int:
        return min(self._means.seeds, 3 if self.left > 10 * self.pace.cost(SWEEP_STEPS) else 2)

    def _read_nominal(self, result: Result) -> None:
        """What a schedule starts from, if it is PyTorch's; else rates are set by their factor."""
        noted = result.noted("nominal-rate")
        if not len(noted) or self._by_factor:
            return
        nominal = max(noted.values.tolist())
        if self.known.current is not None and self.known.current > 1.2 * nominal:
            self._by_factor = True  # a warm-up by hand: its first rate says nothing
        elif nominal > 0 and not same(nominal, self.known.current or 0.0):
            self.known.current = nominal

    def _find_border(self) -> Stages:
        """A2: divide by 3 until no NaN and no explosion comes within 100 steps."""
        self.phase = "the border of divergence"
        blown = [one.blow_up for one in self.known.sweeps if one.blow_up is not None]
        top = rates.geometric_median(blown) if blown else self.known.sweeps[0].rates[-1] / 3
        steps = min(BORDER_STEPS, self.known.whole or BORDER_STEPS)
        rate = top
        for _ in range(MAX_BORDERS):
            tried = [rate / rates.STEP**k for k in range(3)]
            found = yield from self._try(
                *(self._trial("border", steps, self._at(one)) for one in tried)
            )
            for one, result in zip(tried, found, strict=True):
                if self._diverged(result):
                    self.known.diverging = min(one, self.known.diverging or math.inf)
            below = [r for r in tried if self.known.diverging is None or r < self.known.diverging]
            if below:
                self.known.standing = max(below)
            if self.known.standing and (self.known.diverging or rate > top):
                return
            rate = tried[-1] / rates.STEP if self.known.diverging else rate * rates.STEP**3
        if self.known.standing is None:
            self.known.stopped = (
                f"at every rate down to {number(tried[-1])} the loss became NaN or exploded "
                f"within {count(steps, 'step')}, so the rate is not what is wrong"
            )

    def _race(self) -> Stages:
        self.phase = RACE
        base = self._base_result
        if base is not None:  # libraries are loaded by now: trials begin sooner
            self._settle_length(next(iter(base.run.trainings.values())), short_trials=0)
            if self.known.is_whole and self.known.measure.kind != "held-out" and self.known.current:
                self._score(base, self._lane(self.known.current), 0)
        hint = rates.hint(self.known.sweeps)
        first = rates.coarse(self._top, hint)
        current = self.known.current
        if current and first[-1] / 100 < current < self._top and not self._has_lane(current):
            first.append(current)
        yield from self._run_lanes([(rate, 0) for rate in first])
        lowest = min(first[-1], hint or first[-1]) / 1e3
        for _ in range(6):
            beyond = rates.further(self.known.lanes, self._top, lowest)
            if not beyond or not self._affords(len(beyond)):
                break
            yield from self._run_lanes([(rate, 0) for rate in beyond])
        between = rates.finer(self.known.lanes, self.known.most)
        if between and self._affords(len(between)):
            yield from self._run_lanes([(rate, 0) for rate in between])
        yield from self._finals()

    def _finals(self) -> Stages:
        """The best rates under more seeds, one after the other as the time allows."""
        self.phase = FINALS
        for last in range(1, self._means.seeds):
            best = rates.finalists(self.known.lanes, self.known.most, FINALISTS)
            seeds = range(1, last + 1)
            missing = [(one.rate, seed) for seed in seeds for one in best if seed not in one.scores]
            if not missing or not self._affords(len(missing)):
                return
            yield from self._run_lanes(missing)

    # -- trials --------------------------------------------------------------------------

    def _try(self, *trials: Trial) -> Generator[Sequence[Trial], list[Result], list[Result]]:
        results = yield trials
        self.known.num_trials += len(results)
        return results

    def _trial(self, stage: str, steps: int, *changes: Change, seed: int = 0) -> Trial:
        reseeded = (Reseed(seed=seed),) if seed else ()
        most = min(steps, self.known.whole or self.known.steps)
        return Trial(
            name=f"{stage}-{next(self._numbers)}", changes=(*reseeded, *changes), max_steps=steps,
            max_seconds=max(5.0, 4 * SLOWER * most * self.pace.step_seconds),
        )  # fmt: skip

    def _at(self, rate: float) -> Change:
        if self._by_factor and self.known.current:
            return ScaleLearningRate(factor=rate / self.known.current)
        return SetLearningRate(rate=rate)

    def _run_lanes(self, wanted: Sequence[tuple[float, int]]) -> Stages:
        """Run these rates under these seeds to the end, and note how well they did."""
        steps = FOREVER if self.known.is_whole else self.known.steps
        held = (HoldOut(share=0.2),) if self.known.measure.kind == "held-out" else ()
        results = yield from self._try(
            *(self._trial("race", steps, self._at(rate), *held, seed=s) for rate, s in wanted)
        )
        if held and any(HoldOut.name() in key for one in results for key in one.refusals):
            self.known.measure = replace(self.known.measure, kind="training")
        for (rate, seed), result in zip(wanted, results, strict=True):
            self._score(result, self._lane(rate), seed)

    def _score(self, result: Result, lane: Lane, seed: int) -> None:
        if result.outcome in ("cut off", "hanging", "out of memory"):
            return
        if self._diverged(result):
            lane.scores[seed] = math.inf
            return
        end = self.known.measure.score(result, result.run.steps)
        half = self.known.measure.score(result, result.run.steps / 2)
        if end is not None:
            lane.scores[seed] = end if math.isfinite(end) else math.inf
        if half is not None:
            lane.halfway[seed] = half

    def _diverged(self, result: Result) -> bool:
        """Whether the loss exploded, or the script itself gave up."""
        losses = result.losses.values.tolist()
        return result.outcome == "crashed" or rates.has_exploded(losses, self.known.untrained)

    def _lane(self, rate: float) -> Lane:
        for lane in self.known.lanes:
            if same(lane.rate, rate):
                return lane
        self.known.lanes.append(Lane(rate))
        return self.known.lanes[-1]

    def _has_lane(self, rate: float) -> bool:
        return any(same(lane.rate, rate) for lane in self.known.lanes)

    # -- means ---------------------------------------------------------------------------

    def _affordable(self, short_trials: int) -> int:
        """Steps that each lane may take, at most those of the training."""
        before = short_trials * self.pace.cost(SWEEP_STEPS)
        each = (self.left * self._workers - before) / LANES - self.pace.cost(0)
        steps = max(MIN_STEPS, int(each / (SLOWER * max(self.pace.step_seconds, 1e-6))))
        if self.known.whole is not None and steps >= NEARLY * self.known.whole:
            return self.known.whole
        return steps

    def _affords(self, num: int) -> bool:
        rounds = math.ceil(num / self._workers)
        return rounds * self.pace.cost(self.known.steps) <= self.left

    @property
    def _top(self) -> float:
        """The rate that the race stays below."""
        if self.known.diverging is not None:
            return self.known.diverging
        return rates.STEP * (self.known.standing or SWEPT[1])


def swept(result: Result) -> Sweep | None:
    """The range test that a trial made; ``None`` where it has no losses."""
    losses = result.losses.values.tolist()
    noted = result.noted("learning-rate").values.tolist()
    num = min(len(losses), len(noted))
    if num < 3 or not math.isfinite(losses[0]):
        return None
    return rates.read_sweep(noted[:num], losses[:num])


def seen_rate(training: Training) -> float | None:
    """The largest rate that any parameter group had."""
    places = training.places("learning-rate").values()
    found = [float(series.values.max()) for series in places if len(series)]
    return max(found, default=0.0) or None


def several(base: Result) -> str:
    """Why one rate would be no answer: networks that are trained by optimizers of their own."""
    optimizers = [len(one.optimizers) for one in base.run.trainings.values() if one.steps]
    if len(optimizers) > 1 or sum(optimizers) > 1:
        return f"{sum(optimizers)} optimizers train here, and one rate for all is no answer"
    return ""


def tail(result: Result) -> str:
    """The last line of what a trial that crashed said."""
    lines = result.why.strip().splitlines()[-1:]
    return f" ({lines[0]})" if lines and result.outcome == "crashed" else ""

"""The wiring of `babysit lr`: a script, a pool of trials, and the protocol that asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from babysit.lab.finding_rate import Means, RateFinder
from babysit.learning_rate import RateAnswer
from babysit.session.checkup import Ways, preload, run_folder
from babysit.session.trying import live
from babysit.target import Target
from babysit.trial import Patient, Result, Trial
from babysit.trials.patients import ScriptPatient
from babysit.trials.pool import Pool

Show = Callable[[RateFinder], None]


def find_rate(patient: Patient, folder: Path, means: Means, show: Show) -> RateAnswer:
    """Try a training at many rates, and say which is best; what the user ends is answered too.

    Args:
        folder: for the trials' records and outputs.
        show: called with how far it is, about ten times a second.
    """
    from babysit.instrument.warm import warm_up

    ways = Ways()

    def train(trial: Trial, own: Path) -> None:
        live(patient, trial, own, **vars(ways))

    def learn(base: Result) -> None:
        ways.learn(base)
        if base.has_ended:
            pool.share_set_up(base)
            preload(base)

    pool = Pool(folder, train)
    finder = RateFinder(patient.label, means, workers=pool.workers)
    with suppress(KeyboardInterrupt):
        show(finder)
        warm_up()
        conduct(finder, pool, partial(show, finder), learn)
    return finder.answer()


class CutOffError(KeyboardInterrupt):
    """The user has ended it; what has come of the trials at work is kept."""

    def __init__(self, results: list[Result]) -> None:
        super().__init__()
        self.results = results


def find_rate_of_script(target: Target, means: Means, show: Show) -> RateAnswer:
    """A script's rate; its trials' records live in a folder that goes with them."""
    with run_folder(None, target.label) as folder:
        return find_rate(ScriptPatient(target), folder, means, show)


def conduct(
    finder: RateFinder, pool: Pool, tick: Callable[[], None], learn: Callable[[Result], None]
) -> None:
    """Run what a finder asks for, side by side, and send it what came of it.

    Args:
        learn: called with the first result, of the training as it is.
    """
    stages = finder.conduct()
    results: list[Result] | None = None
    try:
        while True:
            trials = next(stages) if results is None else stages.send(results)
            is_base = results is None
            results = run_all(trials, pool, tick)
            if is_base:
                learn(results[0])
    except CutOffError as end:
        finder.known.is_cut_off = True
        with suppress(StopIteration):
            stages.send(end.results)
    except StopIteration:
        return


def run_all(trials: Sequence[Trial], pool: Pool, tick: Callable[[], None]) -> list[Result]:
    """The results of trials, in their order.

    Raises:
        CutOffError: the user has had enough.
    """
    waiting = list(trials)
    found: dict[str, Result] = {}
    try:
        while waiting or pool.running:
            while waiting and pool.has_room:
                pool.start(waiting.pop(0))
            result = pool.wait(tick)
            found[result.trial.name] = result
    except KeyboardInterrupt:
        found |= {one.trial.name: one for one in pool.cut_off()}
        found |= {one.name: Result(trial=one, outcome="cut off", seconds=0.0) for one in waiting}
        raise CutOffError([found[trial.name] for trial in trials]) from None
    return [found[trial.name] for trial in trials]

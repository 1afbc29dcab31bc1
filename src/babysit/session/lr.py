"""The wiring of `babysit lr`: a script, a pool of trials, and the protocol that asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from babysit.checkup.finding_rate import Means, RateFinder
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
    try:
        show(finder)
        warm_up()
        conduct(finder, pool, partial(show, finder), learn)
    except KeyboardInterrupt:
        pool.cut_off()
        finder.known.is_cut_off = True
    return finder.answer()


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
    with suppress(StopIteration):
        while True:
            trials = next(stages) if results is None else stages.send(results)
            is_base = results is None
            results = run_all(trials, pool, tick)
            if is_base:
                learn(results[0])


def run_all(trials: Sequence[Trial], pool: Pool, tick: Callable[[], None]) -> list[Result]:
    """The results of trials, in their order."""
    waiting = list(trials)
    found: dict[str, Result] = {}
    while waiting or pool.running:
        while waiting and pool.has_room:
            pool.start(waiting.pop(0))
        result = pool.wait(tick)
        found[result.trial.name] = result
    return [found[trial.name] for trial in trials]

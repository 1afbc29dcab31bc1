"""The wiring of `babysit lr`: a script, a pool of trials, and the protocol that asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from babysit.checkup.finding_rate import Means, RateFinder
from babysit.learning_rate import RateAnswer
from babysit.session.trying import live
from babysit.trial import Patient, Result, Trial
from babysit.trials.pool import Pool

Show = Callable[[RateFinder], None]


def find_rate(patient: Patient, folder: Path, means: Means, show: Show) -> RateAnswer:
    """Try a training at many rates, and say which is best; what the user ends is answered too.

    Args:
        folder: for the trials' records and outputs.
        show: called with how far it is, about ten times a second.
    """
    from babysit.instrument.warm import warm_up

    pool = Pool(folder, partial(live, patient))
    finder = RateFinder(patient.label, means, workers=pool.workers)
    try:
        show(finder)
        warm_up()
        conduct(finder, pool, show)
    except KeyboardInterrupt:
        pool.cut_off()
        finder.is_cut_off = True
    return finder.answer()


def conduct(finder: RateFinder, pool: Pool, show: Show) -> None:
    """Run what a finder asks for, side by side, and send it what came of it."""
    stages = finder.conduct()
    try:
        trials = next(stages)
        while True:
            trials = stages.send(run_all(trials, pool, partial(show, finder)))
    except StopIteration:
        return


def run_all(trials: Sequence[Trial], pool: Pool, tick: Callable[[], None]) -> list[Result]:
    """The results of trials, in their order."""
    waiting, found = list(trials), {}
    while waiting or pool.running:
        while waiting and pool.has_room:
            pool.start(waiting.pop(0))
        result = pool.wait(tick)
        found[result.trial.name] = result
    if "base" in found:
        pool.share_set_up(found["base"])
    return [found[trial.name] for trial in trials]

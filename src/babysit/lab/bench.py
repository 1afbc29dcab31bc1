"""Conducts experiments over a pool: side by side, the same trial once, until the time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.trial import Result, Trial
from babysit.trials.pool import Pool


@dataclass
class Progress:
    """How far a bench is, for whoever shows it.

    Attributes:
        busy: names of the trials that run.
        done, expected: seconds of work, of one core.
    """

    busy: tuple[str, ...] = ()
    done: float = 0.0
    expected: float = 0.0
    answers: dict[str, Answer] = field(default_factory=dict)


@dataclass
class _Open:
    """An experiment at work: which results it waits for."""

    experiment: Experiment
    conduct: Conduct
    wanted: list[tuple[Any, ...]] = field(default_factory=list)


class Bench:
    """Runs experiments' trials on a pool.

    Args:
        show: called whenever something changes, and ten times a second.

    Attributes:
        results: all trials' results, in the order they came.
        is_cut_off: the user ended it.
    """

    def __init__(self, pool: Pool, lab: Lab, show: Callable[[Progress], None]) -> None:
        self._pool, self._lab, self._show = pool, lab, show
        self._known: dict[tuple[Any, ...], Result] = {}
        self._queue: list[Trial] = []
        self._open: list[_Open] = []
        self.results: list[Result] = []
        self.progress = Progress()
        self.is_cut_off = False
        self._deadline = time.monotonic() + lab.seconds

    def conduct(self, experiments: Sequence[Experiment]) -> dict[str, Answer]:
        """What the experiments answer, by name, in the order given."""
        self.progress.expected = sum(one.cost(self._lab) for one in experiments)
        waiting = list(experiments)
        try:
            while waiting or self._open:
                self._fill(waiting)
                if self._pool.running:
                    self._take(self._pool.wait(lambda: self._show(self.progress)))
        except KeyboardInterrupt:
            self.is_cut_off = True
            self.results += self._pool.cut_off()
            for one in (*(opened.experiment for opened in self._open), *waiting):
                self._answer(one, not_tried("you ended the checkup before"))
        answers = self.progress.answers
        return {one.name(): answers[one.name()] for one in experiments}

    def _fill(self, waiting: list[Experiment]) -> None:
        """Give every core something to do; open the next experiment when there is nothing else."""
        while self._pool.has_room:
            if self._queue:
                self._begin(self._queue.pop(0))
            elif waiting:
                self._begin_experiment(waiting.pop(0))
            else:
                return

    def _begin_experiment(self, experiment: Experiment) -> None:
        left = self._deadline - time.monotonic()
        cost = experiment.cost(self._lab) / self._lab.workers
        if cost > left:
            why = (
                f"it needs about {cost:.0f} s, {max(left, 0):.0f} s are left (--seconds gives more)"
            )
            self._answer(experiment, not_tried(why))
            return
        opened = _Open(experiment, experiment.conduct(self._lab))
        self._open.append(opened)
        self._advance(opened, None)

    def _begin(self, trial: Trial) -> None:
        if trial.key in self._known or any(r.trial.key == trial.key for r in self._pool.running):
            return
        self._pool.start(trial)
        self._tell()

    def _take(self, result: Result) -> None:
        self._known[result.trial.key] = result
        self.results.append(result)
        self.progress.done += result.seconds
        for opened in tuple(self._open):
            if all(key in self._known for key in opened.wanted):
                self._advance(opened, [self._known[key] for key in opened.wanted])
        self._tell()

    def _advance(self, opened: _Open, results: list[Result] | None) -> None:
        """Send an experiment its results, and take on what it wants next."""
        while True:
            try:
                trials = next(opened.conduct) if results is None else opened.conduct.send(results)
            except StopIteration as end:
                self._open.remove(opened)
                self._answer(opened.experiment, end.value)
                return
            if results is not None and time.monotonic() > self._deadline:
                opened.conduct.close()
                self._open.remove(opened)
                why = "the time was over before it was sure (--seconds gives more)"
                self._answer(opened.experiment, not_tried(why))
                return
            opened.wanted = [trial.key for trial in trials]
            fresh = [trial for trial in trials if trial.key not in self._known]
            self._queue += [self._named(trial) for trial in fresh]
            if fresh:
                return
            results = [self._known[key] for key in opened.wanted]

    def _named(self, trial: Trial) -> Trial:
        """A trial under a number of its own, since its name is its folder's."""
        number = len(self.results) + len(self._pool.running) + len(self._queue)
        taken = {one.trial.name for one in self.results}
        taken |= {one.trial.name for one in self._pool.running} | {t.name for t in self._queue}
        return replace(trial, name=f"{trial.name}-{number}") if trial.name in taken else trial

    def _answer(self, experiment: Experiment, answer: Answer) -> None:
        self.progress.answers[experiment.name()] = answer
        self._tell()

    def _tell(self) -> None:
        self.progress.busy = tuple(one.trial.name for one in self._pool.running)
        self._show(self.progress)

"""What happens in the process of a trial: the patient trains, changed and watched."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from babysit.diagnosis import Diagnosis
from babysit.faults import Faults
from babysit.session.watching import Session
from babysit.settings import Settings
from babysit.trial import Patient, Trial
from babysit.trials.child import FILES, RECORD, SET_UP


class TrialSession(Session):
    """A watched trial: changes are applied, and what they note is recorded.

    Args:
        by_loader, seeds_from_start: see :class:`~babysit.instrument.levers.levers.Levers`.
    """

    def __init__(self, patient: Patient, trial: Trial, folder: Path, **ways: bool) -> None:
        settings = Settings(
            max_steps=trial.max_steps, seed=trial.seed, quiet=True, folder=None,
            keeps_black_box=False, budget=0.02 if trial.is_watched else 0.001,
        )  # fmt: skip
        super().__init__(settings, script=patient.label, argv=patient.argv, record=folder / RECORD)
        self._trial, self._folder, self._ways = trial, folder, ways
        self._levers: Any = None
        self._functions: Any = None
        self._first_step: float | None = None
        self._latest = self._turns = 0  # the training that stepped, and how often it was another
        self._ran_out = False  # of seconds, before its steps were done
        self._born = time.perf_counter()
        self._known = set(sys.modules)
        self.faults = Faults(print)

    def _attach(self) -> None:
        from babysit.instrument.levers.levers import Levers, use_one_thread

        use_one_thread()
        self._levers = Levers(raises_stop=False, **self._ways)
        self._levers.attach(self._trial.changes)
        if self._trial.examines_functions:
            from babysit.instrument.examinations import FunctionExamination

            self._functions = FunctionExamination()
            self._functions.attach()
        super()._attach()

    def _begins_inquest(self) -> bool:
        return self._trial.is_watched

    def _judge(self) -> Diagnosis:
        """Nothing: whoever reads the record judges it."""
        return Diagnosis()

    def _on_step(self, number: int, steps: int) -> bool:
        if self._is_over:
            return False
        self._turns += number != self._latest
        self._latest = number
        now = time.perf_counter()
        if self._first_step is None:
            self._first_step = now
            self._keep_set_up()
        is_stopped = self._levers is not None and self._levers.stopping
        if is_stopped or self._num_steps >= self._trial.max_steps:
            return True
        self._ran_out = now - self._first_step > self._trial.max_seconds
        return self._ran_out

    def _keep_set_up(self) -> None:
        """What was written so far belongs to the set-up."""
        import shutil

        written = self._folder / FILES
        if self._trial.is_watched and written.is_dir():
            shutil.copytree(written, self._folder / SET_UP, dirs_exist_ok=True)

    def _libraries(self) -> list[str]:
        """Installed modules that the script imported, in their order."""
        if not self._trial.is_watched:
            return []
        new = [name for name in sys.modules if name not in self._known]
        return [name for name in new if is_installed(sys.modules[name])]

    def conclude(self, outcome: str, exit_code: int | None, why: str) -> None:
        """The training is over: let go, and record what came of it."""
        if self._levers is not None:
            self._levers.detach()
            examined = self._functions and self._functions.results()
            began = self._first_step or time.perf_counter()
            self.emit(
                {
                    "event": "trial", "refusals": self._levers.refusals,
                    "notes": self._levers.notes, "why": why, "turns": self._turns,
                    "ran_out": self._ran_out,
                    "set_up_seconds": round(began - self._born, 3),
                    "functions": vars(examined) if examined else {},
                    "libraries": self._libraries(),
                    "changes": [change.to_json() for change in self._trial.changes],
                }
            )  # fmt: skip
        self.finish(outcome=outcome, exit_code=exit_code)


def is_installed(module: Any) -> bool:
    """Whether a module belongs to a library or to Python, not to the user."""
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None) or ""
    return "site-packages" in origin or origin.startswith(sys.base_prefix)


def live(patient: Patient, trial: Trial, folder: Path, **ways: bool) -> None:
    """Train once under a trial's changes, and leave its record in the folder."""
    session = TrialSession(patient, trial, folder, **ways)
    session.start()
    patient.train(session.conclude)

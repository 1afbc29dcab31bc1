"""A checkup of a script or of a model: the floors below, connected."""

from __future__ import annotations

import importlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from babysit.diagnosis import Diagnosis, diagnose
from babysit.lab.bench import Progress
from babysit.lab.checkup import Checkup, Means, check_up
from babysit.session.trying import live
from babysit.settings import STORE_FOLDER
from babysit.store.segment import Segment, new_path, read
from babysit.trial import Patient, Result, Trial
from babysit.trials.child import RECORD
from babysit.trials.pool import Pool

TRIALS: Final = "trials"
SLOW_SET_UP: Final = 0.3  # seconds, from which on it pays to import what the script imports


@dataclass(frozen=True, kw_only=True)
class CheckupVerdict:
    """What a checkup ends with."""

    checkup: Checkup
    diagnosis: Diagnosis
    run_id: str | None = None


@dataclass
class Ways:
    """How the levers must take hold of this patient; known once it was seen to train."""

    by_loader: bool = False
    seeds_from_start: bool = False

    def learn(self, base: Result) -> None:
        training = next(iter(base.run.trainings.values()), None)
        if training is None:
            return
        has_loss_function = any(wiring.calls for wiring in training.wirings)
        self.by_loader = not has_loss_function and bool(training.facts.get("loaders"))
        self.seeds_from_start |= not any(one.layer for one in training.parameters.values())


class Watching:
    """Is told how a checkup goes; this one does not listen."""

    def on_base(self, base: Result, why: str | None) -> None:
        """The training as it is has been seen, and why it cannot be experimented with, if so."""

    def on_plan(self, seconds: float, number: int) -> None:
        """So many experiments follow, which will take about so long."""

    def show(self, progress: Progress) -> None:
        """Something has changed, or a moment has passed."""


def check_up_patient(
    patient: Patient, means: Means, *, folder: Path | None, watching: Watching | None = None,
    ways: Ways | None = None,
) -> CheckupVerdict:  # fmt: skip
    """Make experiments on a patient, and judge it by what they show.

    Args:
        folder: where the checkup and its trials are stored; ``None`` stores nothing.
    """
    from babysit.instrument.warm import warm_up

    warm_up()
    watching, ways = watching or Watching(), ways or Ways()
    with run_folder(folder, patient.label) as path:

        def train(trial: Trial, own: Path) -> None:
            live(patient, trial, own, **vars(ways))

        pool = Pool(path / TRIALS, train, workers=means.workers)
        learnt: list[dict[str, Any]] = []

        def on_base(base: Result, why: str | None) -> None:
            ways.learn(base)
            if why is None:
                preload(base)
            watching.on_base(base, why)

        checkup = check_up(
            pool, means, tell=learnt.append, on_base=on_base,
            on_plan=watching.on_plan, show=watching.show,
        )  # fmt: skip
        checkup.run.apply(event := checkup.event())
        keep(path, [*learnt, event])
        stored = folder is not None
    return CheckupVerdict(
        checkup=checkup, diagnosis=diagnose(checkup.run), run_id=path.name if stored else None
    )


@contextmanager
def run_folder(folder: Path | None, label: str) -> Iterator[Path]:
    """The folder of a new run; a temporary one, where nothing is to be stored."""
    if folder is not None:
        yield new_path(folder, label).parent.absolute()
        return
    temporary = Path(tempfile.mkdtemp(prefix="babysit-"))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def keep(path: Path, learnt: list[dict[str, Any]]) -> None:
    """Store the checkup as a run: the training as it is, and what the experiments wrote."""
    base = path / TRIALS / "base" / RECORD
    if not base.exists():
        return
    segment = Segment(path / RECORD)
    events = list(read(base))
    last = [event for event in events if event["event"] == "end"]
    segment.write([*(event for event in events if event["event"] != "end"), *learnt, *last])
    segment.close()


def preload(base: Result) -> None:
    """Import the libraries that the script imports, so that its trials need not."""
    if base.set_up_seconds < SLOW_SET_UP:
        return
    for name in base.run.trial.get("libraries", ()):
        if name not in sys.modules:
            with suppress(BaseException):  # the script may catch it as well
                importlib.import_module(name)


def checkup(
    model: Any, loss: Any, data: Any, *, optimizer: Any = None, seconds: float = 90.0,
    thorough: bool = False, only: tuple[str, ...] = (), quiet: bool = False, store: bool = True,
) -> CheckupVerdict:  # fmt: skip
    """Try a model out by short experiments: can it learn ten examples, does it use its input, …

    Nothing of what is handed over is changed: every trial works on a copy of this process.

    Args:
        model: a ``torch.nn.Module`` on the CPU, called with the inputs of a batch.
        loss: called with the model's output and the targets; returns a scalar tensor.
        data: a ``DataLoader``, a ``Dataset``, tensors (inputs, targets) of shape (examples, …),
            or an iterable of batches.
        optimizer: one over the model's parameters, or a function from parameters to one.
            Without it Adam with a rate of 0.001.
        seconds: what all may take.
        thorough: more seeds and longer trials.
        only: names of experiments; without any, all. `babysit checkup --list` lists them.
        quiet: print nothing; read the result instead.
        store: keep the record under ``.babysit/``.

    Returns:
        A verdict whose ``diagnosis`` holds the findings and ``checkup.answers`` the answers.

    Raises:
        BabysitError: something cannot be tried, and why.

    Example:
        >>> import babysit
        >>> verdict = babysit.checkup(model, loss, (x, y))  # doctest: +SKIP
        >>> verdict.checkup.answers["shuffled-labels"].verdict  # doctest: +SKIP
        'sound'
    """
    from babysit.instrument.plain_training import PlainTraining
    from babysit.reports.terminal import TerminalReport
    from babysit.trials.patients import FunctionPatient

    means = Means(seconds=seconds, is_thorough=thorough, only=only)
    training = PlainTraining(model, loss, data, optimizer)
    patient = FunctionPatient(training, label=type(model).__name__)
    folder = Path(STORE_FOLDER) if store else None
    ways = Ways(seeds_from_start=True)  # no module is made any more
    verdict = check_up_patient(patient, means, folder=folder, ways=ways)
    if not quiet:
        report = TerminalReport.for_stream(sys.stderr, run_id=verdict.run_id)
        print(report.render(verdict.diagnosis, verdict.checkup.run), file=sys.stderr, flush=True)
    return verdict

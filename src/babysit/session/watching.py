"""The wiring of a watched run: instrument → record → diagnosis. It connects, it does not think."""

from __future__ import annotations

import atexit
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from babysit import launch
from babysit.diagnosis import Diagnosis, diagnose
from babysit.errors import BabysitError
from babysit.faults import Faults
from babysit.findings import SEVERITIES, Finding
from babysit.imports import AfterImport
from babysit.page import is_terminal
from babysit.reports.terminal import TerminalReport, announcement
from babysit.run import SCHEMA, Run
from babysit.settings import STORE_FOLDER, Settings
from babysit.store.segment import BLACK_BOX, Segment, new_path
from babysit.target import Target
from babysit.version import __version__

LONGEST_WAIT = 0.2  # seconds

_current: Session | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a session ends with."""

    run: Run
    diagnosis: Diagnosis
    run_id: str | None = None


class Session:
    """One watched process, from its first event to its diagnosis.

    Args:
        record: where it is recorded; without it, in a new run below the settings' folder.
    """

    def __init__(
        self, settings: Settings, *, script: str, argv: Sequence[str] = (),
        record: Path | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.run = Run()
        self.faults = Faults(self.tell)
        self.seen_torch = False
        self._script, self._argv, self._record = script, tuple(argv), record
        self._lock = threading.RLock()
        self._watcher: Any = None
        self._undo: list[Callable[[], None]] = []
        self._segment: Segment | None = None
        self._waiting: list[dict[str, Any]] = []
        self._taken_in = 0.0
        self._waits = self._is_over = False
        self._num_steps = 0
        self._early_logs: list[dict[str, float]] = []
        self._announced: set[tuple[str, str | None]] = set()
        self._next_look: dict[int, int] = {}
        self._looks_bad = False
        self._started = time.perf_counter()

    # -- beginning and end ---------------------------------------------------------------

    def start(self) -> None:
        """Open the record and wait for torch; the script decides when to import it."""
        global _current
        _current = self
        self._started = time.perf_counter()
        self._open_segment()
        self.emit(
            {
                "event": "start", "schema": SCHEMA, "babysit": __version__, "time": time.time(),
                "script": self._script, "argv": list(self._argv), "python": sys.version.split()[0],
                "pid": os.getpid(), "budget": self.settings.budget, "seed": self.settings.seed,
            }
        )  # fmt: skip
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)
        self._seed()
        self._after_import("torch", self._attach)

    def _after_import(self, module: str, callback: Callable[[], None]) -> None:
        guarded = AfterImport(module, lambda: self.faults.guard(callback))
        self._undo.append(guarded.attach())

    def _attach(self) -> None:
        from babysit.instrument.metrics import WRITERS, pick_up
        from babysit.instrument.replay.inquest import InquestOptions
        from babysit.instrument.watcher import Watcher

        self.seen_torch = True
        self._watcher = Watcher(
            emit=self.emit, on_step=self._on_step, budget=self.settings.budget,
            faults=self.faults, stop=launch.Stop, may_cruise=self.settings.max_steps is None,
            inquest=InquestOptions(tell=self.tell, on_wake=self._woken, folder=self._black_box()),
        )  # fmt: skip
        self._watcher.attach()
        if self._begins_inquest():
            self.faults.guard(self._watcher.inquest.begin)
        for writer in WRITERS:
            self._after_import(
                writer,
                lambda writer=writer: self._undo.append(  # type: ignore[misc]  # binds the loop's value
                    pick_up(writer, self.log, self.faults).undo
                ),
            )

    def _begins_inquest(self) -> bool:
        """Whether copies of the process are kept, to find what made a value NaN."""
        return True

    def _seed(self) -> None:
        seed = self.settings.seed
        if seed is not None:
            random.seed(seed)
            self._after_import("numpy", lambda: sys.modules["numpy"].random.seed(seed))
            self._after_import("torch", lambda: sys.modules["torch"].manual_seed(seed))

    def finish(self, *, outcome: str, exit_code: int | None) -> Verdict:
        """Take everything off, close the record and judge it."""
        global _current
        self._is_over = True  # a last step that shows only now stops nothing any more
        if self._watcher is not None:
            self._watcher.detach()
        while self._undo:
            self._undo.pop()()
        seconds = time.perf_counter() - self._started
        spent = self._watcher.pacer.spent if self._watcher is not None else 0.0
        self.emit(
            {
                "event": "end", "outcome": outcome, "exit_code": exit_code,
                "seconds": round(seconds, 4),
                "overhead": {"seconds": round(spent, 4), "share": round(spent / seconds, 5)},
                "torch": self.seen_torch,
            }
        )  # fmt: skip
        run_id = self._segment.run_id if self._segment is not None else None
        if self._segment is not None:
            self._segment.close()
            self._segment = None
        if _current is self:
            _current = None
        diagnosis = self._judge()
        for fault in diagnosis.faults:
            self.faults.report(RuntimeError(fault))
        return Verdict(run=self.run, diagnosis=diagnosis, run_id=run_id)

    def _judge(self) -> Diagnosis:
        return diagnose(self.run)

    def _forked(self) -> None:
        """In a child of the script: say nothing, write nothing."""
        if self._watcher is not None:
            if self._watcher.inquest.snapshots.is_forking:
                return  # a copy of ours, which may have to go on
            self._watcher.abandon()
        self._waiting = []
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _woken(self) -> None:
        """In a copy of the process that lives on to find a fault: nothing is recorded."""
        self._segment, self._waiting, self.settings = None, [], replace(self.settings, quiet=True)

    def _black_box(self) -> Path | None:
        """Where a black box goes: beside the record, unless it is refused."""
        if self._segment is None or not self.settings.keeps_black_box:
            return None
        return self._segment.path.parent / BLACK_BOX

    # -- events --------------------------------------------------------------------------

    def emit(self, event: dict[str, Any]) -> None:
        """Add one event to the run and to the file; a step's numbers wait for company.

        They are little work each, but cold work: taken in alone, between the training's own
        steps, they cost several times what they do in a row.
        """
        with self._lock:
            self._waiting.append(event)
            now = time.perf_counter()
            if event["event"] == "step":
                self._num_steps += 1
                loss = event["values"].get("loss", 0.0)
                self._looks_bad |= not abs(loss) < float("inf")
                self._waits = now - self._taken_in < LONGEST_WAIT
            if event["event"] in ("step", "sample") and self._waits:
                return
            self._taken_in = now
            self._take_in()

    def _take_in(self) -> None:
        """Apply and write what waits."""
        with self._lock:
            events, self._waiting = self._waiting, []
            for event in events:
                self.run.apply(event)
            if self._segment is not None:
                try:
                    self._segment.write(events)
                except OSError as error:
                    self._give_up_storing(error)
            if self._early_logs and self.run.trainings:
                early, self._early_logs = self._early_logs, []
                for values in early:
                    self.log(values)

    def log(self, values: Mapping[str, float]) -> None:
        """Add logged metrics to the training at hand."""
        if self._watcher is not None:
            self._watcher.emitter.pass_kept()
        self._take_in()
        if not self.run.trainings:
            self._early_logs.append(dict(values))
            return
        number = max(self.run.trainings)
        if self._watcher is not None and self._watcher.thread.last is not None:
            number = self._watcher.thread.last.number
        step = self.run.trainings[number].steps
        self.emit(
            {"event": "sample", "training": number, "step": step, "values": {"logged": values}}
        )

    def _open_segment(self) -> None:
        path = self._record
        if path is None and self.settings.folder is not None:
            path = new_path(self.settings.folder, self._script)
        if path is not None:
            try:
                self._segment = Segment(path)
            except OSError as error:
                self._give_up_storing(error)

    def _give_up_storing(self, error: OSError) -> None:
        self._segment = None
        self.tell(f"babysit: this run cannot be stored ({error}). Watching goes on without it.")

    def tell(self, line: str) -> None:
        """One line of ours, on stderr, beside whatever the script prints."""
        if not self.settings.quiet and sys.stderr is not None:
            print(line, file=sys.stderr, flush=True)

    # -- while it runs -------------------------------------------------------------------

    def _on_step(self, number: int, steps: int) -> bool:
        """Announce what has become certain of a training; whether to stop it."""
        if self._is_over:
            return False
        stop = self.settings.max_steps is not None and self._num_steps >= self.settings.max_steps
        if steps >= self._next_look.get(number, 1) or self._looks_bad:
            self._next_look[number] = max(self._next_look.get(number, 1), 2 * steps)
            self._looks_bad = False
            self._take_in()
            found = diagnose(self.run, only=number).findings
            for finding in found:
                self._announce(finding, steps)
            stop |= any(self._stops(finding) for finding in found)
        return stop

    def _announce(self, finding: Finding, steps: int) -> None:
        key = (finding.rule, finding.training)
        if finding.is_certain and finding.because_of is None and key not in self._announced:
            self._announced.add(key)
            last = steps - 1  # counted from 0, as in messages and evidence
            self.tell(announcement(finding, last, is_short=is_terminal(sys.stderr)))

    def _stops(self, finding: Finding) -> bool:
        return finding.confidence >= 0.95 and reaches(finding.severity, self.settings.stop_on)


def reaches(severity: str, level: str) -> bool:
    """Whether a severity is at least as grave as a level; ``never`` is reached by none."""
    return level != "never" and SEVERITIES.index(severity) <= SEVERITIES.index(level)


def run_script(
    target: Target, settings: Settings, *, on_verdict: Callable[[Verdict, Session], None]
) -> None:
    """Run a program watched, hand over the verdict, and exit as the program does."""
    session = Session(settings, script=target.label, argv=target.argv[1:])

    def on_end(ending: launch.Ending) -> int | None:
        verdict = session.finish(outcome=ending.outcome, exit_code=ending.exit_code)
        on_verdict(verdict, session)
        worst = [finding.severity for finding in verdict.diagnosis.findings]
        failed = any(reaches(severity, settings.fail_on) for severity in worst)
        return 1 if failed else None

    session.start()
    try:
        launch.run(target, on_end=on_end)
    except BabysitError:  # it turned out that this cannot be run
        session.finish(outcome="crashed", exit_code=2)
        raise


class watch:  # noqa: N801  # reads as a function in `with babysit.watch():`
    """Watch the trainings of this process from here on.

    As a context manager it ends with the block, takes off every hook and prints the diagnosis to
    stderr; called once at the top of a script it ends with the process.

    Args:
        budget: share of the wall time that watching may cost.
        quiet: print nothing; read :attr:`diagnosis` instead.
        store: keep the record under ``.babysit/``.

    Attributes:
        diagnosis: the :class:`~babysit.diagnosis.Diagnosis` once the block has ended.

    Raises:
        BabysitError: the budget is not a share.

    Example:
        >>> import babysit
        >>> with babysit.watch(quiet=True, store=False) as watching:
        ...     pass  # train here
        >>> watching.diagnosis.findings
        ()
    """

    diagnosis: Diagnosis | None

    def __init__(self, *, budget: float = 0.02, quiet: bool = False, store: bool = True) -> None:
        self.diagnosis = None
        self.run: Run | None = None
        self._session: Session | None = None
        if _current is not None:  # `babysit run` or another watch() is at it already
            return
        folder = Path(STORE_FOLDER) if store else None
        settings = Settings(budget=budget, quiet=quiet, folder=folder)
        self._session = Session(settings, script=sys.argv[0] or "python", argv=sys.argv[1:])
        self._session.start()
        atexit.register(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        crashed = kind is not None and not issubclass(kind, launch.Stop)
        self.stop(outcome="crashed" if crashed else "finished")

    def stop(self, *, outcome: str = "finished") -> None:
        """End the watching now. Does nothing the second time."""
        session, self._session = self._session, None
        if session is None:
            return
        atexit.unregister(self.stop)
        verdict = session.finish(outcome=outcome, exit_code=None)
        self.diagnosis, self.run = verdict.diagnosis, verdict.run
        report = TerminalReport.for_stream(sys.stderr, run_id=verdict.run_id)
        session.tell(report.render(verdict.diagnosis, verdict.run))


def log(**metrics: float) -> None:
    """Log metrics of the training that is being watched; without a watch nothing happens.

    Raises:
        BabysitError: a value is not a number.
    """
    values: dict[str, float] = {}
    for name, value in metrics.items():
        try:
            values[name] = float(value)
        except (TypeError, ValueError):
            raise BabysitError(
                f"babysit.log({name}=…) got a {type(value).__name__}; it takes numbers, "
                "such as a float or a tensor with one element."
            ) from None
    if _current is not None:
        _current.log(values)

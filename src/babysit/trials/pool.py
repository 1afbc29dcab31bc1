"""A pool of processes on this machine, one for each trial."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from babysit.errors import BabysitError
from babysit.run import Run
from babysit.store.segment import read
from babysit.trial import Outcome, Result, Trial
from babysit.trials import child

POLL_SECONDS: Final = 0.02
MEMORY_SHARE: Final = 0.8  # of what is free, for all trials together
MEMORY_EVERY: Final = 0.5  # seconds
GRACE: Final = 5.0  # seconds that a trial may need beyond its own to stop
TAIL: Final = 2000  # characters of what a trial printed


@dataclass
class Running:
    """A trial at work."""

    trial: Trial
    folder: Path
    pid: int
    deadline: float
    started: float = field(default_factory=time.monotonic)


class Pool:
    """Lives trials, as many at a time as there are cores.

    Args:
        folder: one folder a trial is made here.
        live: what to do in the process of a trial.
        set_up_seconds: how long a trial may take until its first step.
        workers: trials at a time; without it, one for each core this process may use.
    """

    def __init__(
        self, folder: Path, live: child.Live, *, set_up_seconds: float = 600.0,
        workers: int | None = None,
    ) -> None:  # fmt: skip
        if not hasattr(os, "fork"):
            raise BabysitError(
                f"Trials need processes that can be forked, which {sys.platform} has not; "
                "run babysit on Linux, macOS or under WSL."
            )
        self._folder, self._live = folder, live
        self.set_up_seconds = set_up_seconds
        self.workers = workers or cores()
        self._memory = MEMORY_SHARE * psutil.virtual_memory().available / self.workers
        self._running: list[Running] = []
        self._looked = 0.0
        self._beneath: tuple[Path, ...] = ()

    def share_set_up(self, result: Result) -> None:
        """What this trial wrote before its first step, later ones find as if they had."""
        written = self._path(result.trial) / child.SET_UP
        if written.is_dir():
            self._beneath = (written,)

    @property
    def running(self) -> Sequence[Running]:
        return self._running

    @property
    def has_room(self) -> bool:
        return len(self._running) < self.workers

    def start(self, trial: Trial) -> None:
        """Begin a trial; there must be room."""
        folder = self._path(trial)
        limit = self.set_up_seconds + trial.max_seconds + GRACE
        pid = child.start(trial, folder, self._live, beneath=self._beneath)
        self._running.append(Running(trial, folder, pid, time.monotonic() + limit))

    def wait(self, on_tick: Callable[[], None] = lambda: None) -> Result:
        """The next result of any trial that runs.

        Raises:
            KeyboardInterrupt: the user has had enough; :meth:`cut_off` ends what still runs.
        """
        while True:
            for one in self._running:
                result = self._look_at(one)
                if result is not None:
                    self._running.remove(one)
                    return result
            if time.monotonic() - self._looked > MEMORY_EVERY:
                self._looked = time.monotonic()
                for one in self._running:
                    if memory(one.pid) > self._memory:
                        self._running.remove(one)
                        return self._end(one, "out of memory")
            on_tick()
            time.sleep(POLL_SECONDS)

    def cut_off(self) -> list[Result]:
        """End all that runs; what it had recorded is kept."""
        results = [self._end(one, "cut off") for one in self._running]
        self._running.clear()
        return results

    def _path(self, trial: Trial) -> Path:
        return self._folder / trial.name

    def _look_at(self, one: Running) -> Result | None:
        pid, status = os.waitpid(one.pid, os.WNOHANG)
        if pid:
            return self._collect(one, None if os.waitstatus_to_exitcode(status) == 0 else "crashed")
        if time.monotonic() > one.deadline:
            return self._end(one, "hanging")
        return None

    def _end(self, one: Running, outcome: Outcome) -> Result:
        with suppress(ProcessLookupError):
            os.killpg(one.pid, signal.SIGKILL)
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
        return self._collect(one, outcome)

    def _collect(self, one: Running, outcome: Outcome | None) -> Result:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(one.pid, signal.SIGKILL)  # workers that it left behind
        record, output = one.folder / child.RECORD, one.folder / child.OUTPUT
        run = Run.replay(read(record)) if record.exists() else Run()
        told = run.ending.get("outcome", "crashed")
        outcome = outcome or (told if told in ("finished", "stopped") else "crashed")
        if outcome == "crashed" and told in ("finished", "stopped"):
            outcome = told  # it had its say before it fell
        printed = output.read_text(errors="replace") if output.exists() else ""
        return Result(
            trial=one.trial, outcome=outcome, run=run, why=run.trial.get("why") or printed[-TAIL:],
            seconds=time.monotonic() - one.started,
        )  # fmt: skip


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(psutil.Process, "cpu_affinity"):  # not on macOS
        return len(psutil.Process().cpu_affinity())
    return os.cpu_count() or 1


def memory(pid: int) -> int:
    """Bytes that a process and its children hold for themselves."""
    total = 0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += one.memory_full_info().uss  # a fork shares the rest with its parent
    return total

"""Copies of the process, made by ``fork``: a moment of the training that can be gone on from.

A copy sleeps until it is woken or let go. It shares its memory with the program until either
writes to it, so that making one takes milliseconds. Where there is no ``fork``, where a GPU or a
process group is in use, or where memory is short, there are no copies, and :attr:`Snapshots.reason`
says why.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import torch

from babysit.instrument.replay import isolation

# A copy costs more than the call of fork: the program's next writes copy the pages they touch.
PAUSE_PER_COST: Final = 2000.0
SHORTEST_PAUSE: Final = 2.0  # seconds
MAX_MEMORY_SHARE: Final = 0.3
MOST_IDLE: Final = 3  # seconds without any computing, after which a woken copy is given up
_CHUNK: Final = 65_536


@dataclass
class Snapshot:
    """A sleeping copy of the process.

    Attributes:
        step: optimizer steps that the latest training had taken.
        taken: ``time.perf_counter()`` then.
    """

    pid: int
    step: int
    taken: float
    wakes: int
    tells: int
    is_gone: bool = False

    def discard(self) -> None:
        """Let it go, once: later its number and its pipes may be somebody else's."""
        if self.is_gone:
            return
        self.is_gone = True
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._close()

    def live_on(self, request: dict[str, Any], *, seconds: float) -> dict[str, Any] | None:
        """Wake it and wait for what it has to tell; ``None`` when it tells nothing in time.

        A copy that computes nothing any more waits for a thread that did not come along.
        """
        deadline, idle, spent = time.monotonic() + seconds, 0, -1
        told = b""
        with suppress(OSError):
            os.write(self.wakes, json.dumps(request).encode())
            while time.monotonic() < deadline and idle < MOST_IDLE:
                if not select.select([self.tells], [], [], 1.0)[0]:
                    before, spent = spent, ticks(self.pid)
                    idle = idle + 1 if spent == before else 0
                    continue
                chunk = os.read(self.tells, _CHUNK)
                told += chunk
                if not chunk:
                    break
        self.discard()
        try:
            found: dict[str, Any] = json.loads(told)
        except ValueError:
            return None
        return found

    def _close(self) -> None:
        for descriptor in (self.wakes, self.tells):
            with suppress(OSError):
                os.close(descriptor)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


class Snapshots:
    """The copies at hand: one from the beginning, and the latest.

    Args:
        on_wake: called in a copy that was woken, with what was asked and a way to answer. It
            returns, and the program goes on from there.

    Attributes:
        is_forking: a copy is being made: handlers of ``os.register_at_fork`` are to stand aside.
        pause: seconds from the latest copy to the next.
    """

    def __init__(self, on_wake: Callable[[dict[str, Any], Callable[..., NoReturn]], None]) -> None:
        self.first: Snapshot | None = None
        self.latest: Snapshot | None = None
        self.is_forking = False
        self.reason: str | None = None
        self._on_wake = on_wake
        self._due = self.pause = 0.0
        self._process = os.getpid()

    @property
    def newest_first(self) -> list[Snapshot]:
        return [one for one in (self.latest, self.first) if one is not None]

    def is_due(self, *, in_haste: bool = False) -> bool:
        """Whether it is time for the next copy; in haste after a tenth of the usual pause."""
        now = time.perf_counter()
        return now >= self._due - (0.9 * self.pause if in_haste else 0.0)

    def postpone(self, seconds: float) -> None:
        """The next copy is due so much later."""
        self._due += seconds

    def take(self, step: int) -> None:
        """Make a copy of this moment. In the copy this returns once it is woken."""
        self.reason = hindrance()
        self._wait(SHORTEST_PAUSE)
        if self.reason is not None or os.getpid() != self._process:
            return
        started = time.perf_counter()
        snapshot = self._fork(step)
        if snapshot is None:
            return  # this is the copy, woken
        cost = time.perf_counter() - started
        self._wait(max(SHORTEST_PAUSE, PAUSE_PER_COST * cost))
        if self.first is None:
            self.first = snapshot
            return
        if self.latest is not None:
            self.latest.discard()
        self.latest = snapshot

    def _wait(self, seconds: float) -> None:
        self.pause = seconds
        self._due = time.perf_counter() + seconds

    def discard(self) -> None:
        """Let all copies go; in a forked child of the script they are not ours."""
        if os.getpid() == self._process:
            for one in self.newest_first:
                one.discard()
        self.first = self.latest = None

    def _fork(self, step: int) -> Snapshot | None:
        woken, wakes = os.pipe()
        tells, telling = os.pipe()
        numbers = random.getstate()  # Python gives a forked child other random numbers
        self.is_forking = True
        try:
            pid = os.fork()
        finally:
            self.is_forking = False
        if pid:
            os.close(woken)
            os.close(telling)
            return Snapshot(pid, step, time.perf_counter(), wakes, tells)
        self._sleep(woken, wakes, tells, telling)
        random.setstate(numbers)
        return None

    def _sleep(self, woken: int, wakes: int, tells: int, telling: int) -> None:
        """In the copy: wait to be woken, and go on as a program that nobody hears."""
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            for descriptor in (wakes, tells, *self._descriptors()):
                os.close(descriptor)
            asked = os.read(woken, _CHUNK)
            if not asked:
                os._exit(0)  # the program has ended
            self.first = self.latest = None

            def answer(told: dict[str, Any]) -> NoReturn:
                left = json.dumps(told).encode()
                while left:
                    left = left[os.write(telling, left) :]
                os._exit(0)

            isolation.isolate((telling,), lambda reason: answer({"failed": reason}))
            torch.set_num_threads(1)  # OpenMP's threads did not come along
            self._on_wake(json.loads(asked), answer)
        except BaseException:
            os._exit(1)

    def _descriptors(self) -> list[int]:
        """The ends of other copies' pipes, which this one must not hold open."""
        return [end for one in self.newest_first for end in (one.wakes, one.tells)]


def hindrance() -> str | None:
    """Why this process cannot be copied now; ``None`` if it can."""
    if not sys.platform.startswith("linux"):
        return f"processes cannot be copied safely on {sys.platform}"
    if torch.cuda.is_initialized():
        return "the GPU's state cannot be copied"
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return "several processes train together"
    if kilobytes("/proc/self/status", "VmRSS") > MAX_MEMORY_SHARE * kilobytes(
        "/proc/meminfo", "MemAvailable"
    ):
        return "memory is short"
    return None


def ticks(pid: int) -> int:
    """Processor time that a process has used, in the kernel's ticks."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def kilobytes(path: str, name: str) -> int:
    """A number that Linux tells of this process or of the machine."""
    with open(path) as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))

"""The process of one trial: cut off from the terminal, the disk and the other trials."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from babysit.trial import Trial
from babysit.trials.shadow import Shadow

RECORD: Final = "rank0.jsonl"
OUTPUT: Final = "output.txt"
FILES: Final = "files"  # what it wrote
SET_UP: Final = "set-up"  # what it had written before its first step
_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG of Linux

Live = Callable[[Trial, Path], None]


def start(trial: Trial, folder: Path, live: Live, *, beneath: tuple[Path, ...] = ()) -> int:
    """Fork a process that lives one trial; returns its number.

    Args:
        folder: the trial's own, for its record, its output and whatever it writes.
        live: runs the training in that process; what it leaves in ``folder`` is the result.
        beneath: what other trials wrote during the same set-up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _be(trial, folder, live, beneath)
    return pid


def _be(trial: Trial, folder: Path, live: Live, beneath: tuple[Path, ...]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        _die_with_parent()
        atexit._clear()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        _own_streams(folder / OUTPUT)
        os.environ.setdefault("MPLBACKEND", "Agg")  # no window of a trial's plots
        Shadow(folder / FILES, folder, beneath).attach()
        live(trial, folder)
        code = 0
    except SystemExit:
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _die_with_parent() -> None:
    """Whatever ends the process that waits for this one ends this one too, on Linux."""
    if sys.platform.startswith("linux"):
        parent = os.getppid()
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _own_streams(output: Path) -> None:
    """Nothing to read, and a file for all that is printed."""
    null = os.open(os.devnull, os.O_RDONLY)
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    os.dup2(null, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        mode = "r" if number == 0 else "w"
        stream = open(number, mode, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115  # they live as long as the process
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)

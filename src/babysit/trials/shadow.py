"""A shadow of the disk: what a trial writes, it alone finds again.

A training saves checkpoints, logs and plots. Its trials must not: a checkpoint of a net with
shuffled labels would take the place of the user's best. So whatever a trial would write, rename or
remove goes into a folder of the trial's own, and what is there is found before what lies beneath.
Only what Python opens is turned aside; a library that writes from C code is stopped by the audit
hook where Python tells of it.
"""

from __future__ import annotations

import builtins
import io
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Self

WRITES: Final = frozenset("wax+")
DEVICES: Final = ("/dev/", "/proc/", "/sys/")
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Shadow:
    """Turns writing aside, in this process and those it forks.

    Args:
        folder: what is written goes here, below its own absolute path.
        own: a folder around it in which writing is writing.
        beneath: folders of the same kind that are read besides, the first one first: what was
            written during the set-up that this trial repeats.
    """

    def __init__(self, folder: Path, own: Path, beneath: tuple[Path, ...] = ()) -> None:
        self._folder, self._free = str(folder.absolute()), str(own.absolute())
        self._layers = (self._folder, *map(str, beneath))
        self._open, self._os_open = builtins.open, os.open
        self._stat, self._scandir = os.stat, os.scandir
        self._gone: set[str] = set()

    def attach(self) -> None:
        """From here on nothing is written outside, except to devices."""
        temporary = Path(self._folder, "tmp")
        temporary.mkdir(parents=True, exist_ok=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        builtins.open = io.open = self._opened
        os.open, os.stat = self._os_opened, self._stated
        os.listdir, os.scandir = self._listed, self._scanned  # type: ignore[assignment]  # ones that fit
        os.mkdir, os.rmdir = self._made, self._left
        os.remove = os.unlink = self._removed
        os.rename = os.replace = self._renamed  # type: ignore[assignment]
        for name in ("chmod", "utime", "chown", "truncate", "symlink", "link"):
            self._turn(os, name, self._own_only)
        self._turn(shutil, "rmtree", self._own_only)
        self._turn(sqlite3, "connect", self._first_path)
        torch = sys.modules.get("torch")
        if torch is not None:
            for owner in (torch, torch.jit):
                self._turn(owner, "save", self._second_path)
            self._turn(torch, "load", self._first_read)

    def _turn(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        if hasattr(owner, name):
            setattr(owner, name, make(getattr(owner, name)))

    # -- paths ---------------------------------------------------------------------------

    def outside(self, path: Any) -> str | None:
        """The absolute path of a file that a trial must not touch; ``None`` for its own."""
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        full = os.path.abspath(os.fsdecode(path))
        is_own = full == self._free or full.startswith((self._free + os.sep, *DEVICES))
        return None if is_own else full

    def written(self, path: str) -> str:
        """Where a file is written instead."""
        return self._folder + path

    def found(self, path: str) -> str | None:
        """The file that was written in place of this one, if any was."""
        for layer in self._layers:
            if path not in self._gone and os.path.lexists(layer + path):
                return layer + path
        return None

    def _own(self, path: str, *, keeps: bool) -> str:
        """The trial's own file in place of this one, made ready to be written."""
        own = self.written(path)
        earlier = self.found(path) or (path if path not in self._gone else None)
        os.makedirs(os.path.dirname(own), exist_ok=True)
        if keeps and earlier is not None and earlier != own and os.path.isfile(earlier):
            shutil.copyfile(earlier, own)
        self._gone.discard(path)
        return own

    # -- in the place of Python's own ----------------------------------------------------

    def _opened(self, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        path = self.outside(file)
        if path is not None:
            if WRITES.intersection(mode):
                file = self._own(path, keeps="w" not in mode)
            else:
                file = self._readable(path)
        return self._open(file, mode, *args, **kwargs)

    def _os_opened(self, path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        full = None if kwargs.get("dir_fd") is not None else self.outside(path)
        if full is not None:
            is_writing = flags & _WRITING and not flags & getattr(os, "O_DIRECTORY", 0)
            keeps = not flags & os.O_TRUNC
            path = self._own(full, keeps=keeps) if is_writing else self._readable(full)
        return self._os_open(path, flags, *args, **kwargs)

    def _readable(self, path: str) -> str:
        """The file to read for this path.

        Raises:
            FileNotFoundError: the trial has removed it.
        """
        if path in self._gone:
            raise FileNotFoundError(2, os.strerror(2), path)
        return self.found(path) or path

    def _stated(self, path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        full = None if kwargs.get("dir_fd") is not None else self.outside(path)
        return self._stat(path if full is None else self._readable(full), *args, **kwargs)

    def _listed(self, path: Any = ".") -> list[Any]:
        return [entry.name for entry in self._entries(path)]

    def _scanned(self, path: Any = ".") -> Scan:
        return Scan(self._entries(path))

    def _entries(self, path: Any) -> list[os.DirEntry[Any]]:
        """What is in a folder: the trial's own files in front of those beneath."""
        full = self.outside(path)
        if full is None:
            with self._scandir(path) as there:
                return list(there)
        found: dict[Any, os.DirEntry[Any]] = {}
        layers = [layer + full for layer in self._layers if os.path.lexists(layer + full)]
        is_there = os.path.lexists(full) or not layers
        for folder in (*layers, *([path] if is_there else [])):
            with self._scandir(folder) as there:
                for entry in there:
                    found.setdefault(os.fsdecode(entry.name), entry)
        return [one for name, one in found.items() if os.path.join(full, name) not in self._gone]

    def _made(self, path: Any, *args: Any, **kwargs: Any) -> None:
        full = self.outside(path)
        if full is None:
            _mkdir(path, *args, **kwargs)
        elif os.path.isdir(full) or os.path.isdir(self.written(full)):
            raise FileExistsError(17, os.strerror(17), full)
        else:
            os.makedirs(self.written(full))

    def _removed(self, path: Any, *args: Any, **kwargs: Any) -> None:
        full = self.outside(path)
        if full is None:
            _remove(path, *args, **kwargs)
            return
        self._readable(full)
        if os.path.lexists(self.written(full)):
            _remove(self.written(full))
        self._gone.add(full)

    def _left(self, path: Any, *args: Any, **kwargs: Any) -> None:
        if self.outside(path) is None:
            _rmdir(path, *args, **kwargs)

    def _renamed(self, source: Any, goal: Any, *args: Any, **kwargs: Any) -> None:
        old, new = self.outside(source), self.outside(goal)
        if old is None and new is None:
            _rename(source, goal, *args, **kwargs)
            return
        given = source if old is None else self._readable(old)
        target = os.fspath(goal) if new is None else self._own(new, keeps=False)
        if os.path.isdir(given):
            shutil.copytree(given, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(given, target)
        self._removed(source)

    def _own_only(self, original: Any) -> Any:
        """Leaves alone what is not the trial's own."""

        def act(path: Any, *args: Any, **kwargs: Any) -> Any:
            full = self.outside(path)
            if full is None:
                return original(path, *args, **kwargs)
            own = self.written(full)
            return original(own, *args, **kwargs) if os.path.lexists(own) else None

        return act

    def _first_path(self, original: Any) -> Any:
        """The first argument is a file to write."""

        def act(file: Any, *args: Any, **kwargs: Any) -> Any:
            is_file = isinstance(file, os.PathLike) or not str(file).startswith((":", "file:"))
            full = self.outside(file) if is_file else None
            return original(file if full is None else self._own(full, keeps=True), *args, **kwargs)

        return act

    def _second_path(self, original: Any) -> Any:
        """The second argument is a file to write."""

        def act(value: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
            full = self.outside(f)
            return original(
                value, f if full is None else self._own(full, keeps=False), *args, **kwargs
            )

        return act

    def _first_read(self, original: Any) -> Any:
        """The first argument is a file to read."""

        def act(f: Any, *args: Any, **kwargs: Any) -> Any:
            full = self.outside(f)
            return original(f if full is None else self._readable(full), *args, **kwargs)

        return act


class Scan:
    """What ``os.scandir`` gives, of entries at hand."""

    def __init__(self, entries: list[os.DirEntry[Any]]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[os.DirEntry[Any]]:
        return self._entries

    def __next__(self) -> os.DirEntry[Any]:
        return next(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held open."""


_mkdir, _remove, _rmdir, _rename = os.mkdir, os.remove, os.rmdir, os.replace

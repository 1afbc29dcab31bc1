"""Cutting a copy of the process off: whatever it does, nothing outside of it changes."""

from __future__ import annotations

import builtins
import ctypes
import io
import mmap
import os
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, NoReturn

import torch
from torch.utils.data import DataLoader, dataloader

_NULL: Final = "/dev/null"
_MAP_FIXED: Final = 0x10  # of Linux; the mmap module does not name it
# Harmless to leave undone.
_SKIPPED: Final = (
    "mkdir", "makedirs", "remove", "unlink", "rename", "replace", "rmdir", "removedirs", "symlink",
    "link", "chmod", "utime", "truncate", "kill", "killpg",
)  # fmt: skip
# What would reach beyond this process and cannot be left out silently.
_FORBIDDEN: Final = (
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty",
    "socket.connect", "socket.bind", "socket.sendto", "sqlite3.connect", "shutil.rmtree",
    "os.kill", "os.rename", "os.remove", "os.rmdir", "os.truncate", "ftplib.connect",
)  # fmt: skip


real_open: Final = builtins.open
real_save: Final = torch.save


def isolate(keep: Iterable[int], give_up: Callable[[str], NoReturn]) -> None:
    """Cut this process off.

    Its streams and open files lead nowhere or are its own, writing to a file is writing to
    nothing, and what cannot be left out ends it. Data are loaded in this process.

    Args:
        keep: file descriptors to leave alone.
        give_up: ends this process, with the reason.
    """
    if not owns_memory():
        give_up("it shares memory with other processes")
    own_files(set(keep))

    def forbid(event: str, _: Any) -> None:
        if event in _FORBIDDEN:
            give_up(f"it would have reached out of its copy ({event})")

    def harmless_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        writes = any(letter in mode for letter in "wax+")
        target = _NULL if writes and not isinstance(file, int) else file
        return real_open(target, mode, *args, **kwargs)

    builtins.open = io.open = harmless_open
    for name in _SKIPPED:
        if hasattr(os, name):
            setattr(os, name, _nothing)
    torch.save = torch.jit.save = _nothing
    DataLoader.__iter__ = _in_this_process  # type: ignore[method-assign]  # one that fits
    sys.addaudithook(forbid)


def _nothing(*_: Any, **__: Any) -> None:
    """In the place of what changes something outside."""


def _in_this_process(loader: Any) -> Any:
    """The iterator of a loader, without worker processes: the order is the same."""
    fields: dict[str, Any] = {
        "num_workers": 0,
        "prefetch_factor": None,
        "persistent_workers": False,
    }
    for name, value in {**fields, "timeout": 0}.items():
        object.__setattr__(loader, name, value)
    return dataloader._SingleProcessDataLoaderIter(loader)


def own_files(keep: set[int]) -> None:
    """Give this process its own positions in files, and no way to write to any."""
    import fcntl  # not there on Windows, where no copies are made

    null = os.open(_NULL, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor in keep or descriptor == null:
            continue
        with suppress(OSError):
            kind = os.fstat(descriptor).st_mode
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
            is_read_only = flags & os.O_ACCMODE == os.O_RDONLY
            if stat.S_ISREG(kind) and is_read_only:
                position = os.lseek(descriptor, 0, os.SEEK_CUR)
                own = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)
                os.lseek(own, position, os.SEEK_SET)
                os.dup2(own, descriptor)
                os.close(own)
            elif not stat.S_ISDIR(kind) and not (stat.S_ISCHR(kind) and descriptor > 2):
                os.dup2(null, descriptor)


def owns_memory() -> bool:
    """Make memory that is shared with others this process's own; whether that succeeded.

    A file that is mapped (``np.memmap``) is mapped again, so that what is written stays here.
    """
    with open("/proc/self/maps") as maps:
        lines = [line.split(maxsplit=5) for line in maps]
    shared = [one for one in lines if "w" in one[1] and "s" in one[1]]
    return all(remapped(one) for one in shared if not one[-1].startswith("/dev/zero"))


def remapped(line: list[str]) -> bool:
    """Put a private mapping of the same file in the place of a shared one.

    Args:
        line: of ``/proc/self/maps``: range, permissions, offset, device, inode, path.
    """
    path = line[5].rstrip("\n") if len(line) == 6 else ""
    if not os.path.isfile(path):
        return False
    start, end = (int(one, 16) for one in line[0].split("-"))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    number = ctypes.c_int
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, number, number, number, ctypes.c_long)
    protection, how = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | _MAP_FIXED
    descriptor = os.open(path, os.O_RDONLY)
    try:
        got = libc.mmap(start, end - start, protection, how, descriptor, int(line[2], 16))
    finally:
        os.close(descriptor)
    return bool(got == start)

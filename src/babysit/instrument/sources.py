"""The user's source lines: which frame of a stack is the user's own code."""

from __future__ import annotations

import ast
import linecache
import os
import re
import sys
import sysconfig
import time
import traceback
from functools import cache
from types import FrameType
from typing import Any, Final

from babysit.guard import UNCOUNTED_FILE

_FRAME: Final = re.compile(r'\s*File "(.*?)", line (\d+), in ')
_OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_STDLIB: Final = sysconfig.get_path("stdlib")


@cache
def is_user_file(path: str) -> bool:
    """Whether a file is the user's: neither ours, nor the standard library, nor installed."""
    if path.startswith("<") and not path.startswith("<ipython"):
        return False
    full = os.path.abspath(path)
    installed = "site-packages" in full or "dist-packages" in full
    return not installed and not full.startswith((_OURS + os.sep, _STDLIB + os.sep))


def is_ours(path: str, *others: str | None) -> bool:
    """Whether a file is this package's, or one of some others."""
    return path in (UNCOUNTED_FILE, *others) or os.path.abspath(path).startswith(_OURS + os.sep)


@cache
def shown(path: str) -> str:
    """A path as the user would write it: relative to the working directory where it can be."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def place(path: str, line: int) -> dict[str, Any]:
    """The fields of a :class:`babysit.findings.Place` for a source line."""
    code = linecache.getline(path, line).strip()
    return {"file": shown(path), "line": line, "code": code or None}


def caller(depth: int = 1) -> dict[str, Any] | None:
    """The place of the innermost user frame on the stack."""
    frame = user_frame(sys._getframe(depth))
    return place(frame.f_code.co_filename, frame.f_lineno) if frame else None


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The first user frame from this one outwards."""
    while frame is not None and not is_user_file(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def call_chain(most: int = 3) -> tuple[tuple[str, int], ...]:
    """Files and lines of the innermost user frames: where a call comes from, told apart."""
    chain: list[tuple[str, int]] = []
    frame = user_frame(sys._getframe(1))
    while frame is not None and len(chain) < most:
        chain.append((frame.f_code.co_filename, frame.f_lineno))
        frame = user_frame(frame.f_back)
    return tuple(chain)


def from_traceback(entries: list[str]) -> dict[str, Any] | None:
    """The innermost user frame of a formatted stack, as autograd's anomaly mode keeps it."""
    for entry in reversed(entries):
        match = _FRAME.match(entry)
        if match and is_user_file(match[1]):
            return place(match[1], int(match[2]))
    return None


@cache
def argument_line(path: str, line: int, position: int) -> int | None:
    """The line of a call's positional argument, for the call that begins or lies on ``line``."""
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:
        return None
    calls = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and node.lineno <= line <= (node.end_lineno or line)
        and "Sequential" in ast.dump(node.func)
        and len(node.args) > position
        and not any(isinstance(argument, ast.Starred) for argument in node.args)
    )
    nearest = max(calls, key=lambda call: call.lineno, default=None)
    return nearest.args[position].lineno if nearest else None


def seconds_per_stack() -> float:
    """Time that autograd's anomaly mode needs to note one Python stack, measured."""
    traceback.format_stack()  # reads the source files, once
    started = time.perf_counter()
    for _ in range(3):
        traceback.format_stack()
    return (time.perf_counter() - started) / 3

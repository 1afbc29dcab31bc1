"""How our code stays out of the way inside a user's program."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

# CPython takes a frame for the import system's, and leaves it out when it counts a warning's
# stacklevel, if the name of its file contains both "importlib" and "_bootstrap" (warnings.py
# _is_internal_filename; Python/_warnings.c is_internal_frame). torch.compile skips what *begins*
# with "<frozen importlib", so ours begins otherwise.
UNCOUNTED_FILE = "<babysit: left out by warnings, as importlib._bootstrap is>"


def transparent(function: Callable[P, R]) -> Callable[P, R]:
    """Let a wrapper's frame not count for ``warnings.warn(…, stacklevel=2)``.

    A library function that we wrap then attributes its warning to the user's line, as without us.
    Only the wrapper's own frame is left out, not those of functions that it calls or defines.

    Args:
        function: a Python function; it is changed in place and returned.
    """
    python_function = cast(FunctionType, function)
    python_function.__code__ = python_function.__code__.replace(co_filename=UNCOUNTED_FILE)
    return function

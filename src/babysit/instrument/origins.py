"""Where the user's code gave a parameter its first values."""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Callable, MutableMapping
from types import CodeType, FrameType
from typing import Any, Final

from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument import sources
from babysit.instrument.patches import Patches

_MODULE: Final = nn.modules.module.__file__


class Origins:
    """Lines that initialise parameters themselves: ``nn.init``, ``nn.Parameter``, a bare tensor.

    What a ready-made layer does to its own weights is left out: that line is the layer's.
    """

    def __init__(self) -> None:
        self._lines: MutableMapping[Tensor, tuple[str, int]] = WeakIdKeyDictionary()

    def attach(self, patches: Patches, wrap: Callable[..., Callable[[Any], Any]]) -> None:
        for name in [name for name in vars(nn.init) if name[0] != "_" and name[-1] == "_"]:
            patches.replace(nn.init, name, wrap(self._initialised))
        hook = nn.modules.module.register_module_parameter_registration_hook(self._registered)
        patches.add_undo(hook.remove)

    def _initialised(self, args: Any, kwargs: Any, result: Any) -> None:
        self._note(args[0] if args else kwargs.get("tensor"), sys._getframe(1))

    def _registered(self, module: nn.Module, name: str, parameter: Any) -> None:
        self._note(parameter, sys._getframe(1))

    def _note(self, tensor: Any, frame: FrameType | None) -> None:
        while frame is not None and sources.is_ours(frame.f_code.co_filename, _MODULE):
            frame = frame.f_back
        path = frame.f_code.co_filename if frame is not None else ""
        if isinstance(tensor, Tensor) and frame is not None and sources.is_user_file(path):
            self._lines[tensor] = (path, frame.f_lineno)

    def found_as(self, tensor: Tensor, path: str, frame: FrameType) -> None:
        """A bare tensor was found under a variable of a frame: where that is assigned first."""
        if tensor in self._lines:
            return
        name, code = re.split(r"\W", path, maxsplit=1)[0], frame.f_code
        assigned = rf"\s*(?:\w+\s*,\s*)*{name}\s*(?:[,:]|=(?!=))"
        found = first_line(code, assigned)
        if found and "[]" in linecache.getline(code.co_filename, found):  # filled later
            found = first_line(code, rf"\s*{name}\.append\(") or found
        if found:
            self._lines[tensor] = (code.co_filename, found)

    def of(self, tensor: Tensor) -> dict[str, Any] | None:
        """The line as the fields of a place."""
        return sources.place(*self._lines[tensor]) if tensor in self._lines else None


def first_line(code: CodeType, pattern: str) -> int | None:
    """The first line that matches, from the beginning of a function; else of its file."""
    lines = linecache.getlines(code.co_filename)
    numbers = [number for number, line in enumerate(lines, 1) if re.match(pattern, line)]
    return next((n for n in numbers if n >= code.co_firstlineno), next(iter(numbers), None))

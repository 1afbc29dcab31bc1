"""Acting right after a module is imported, without importing it ourselves."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType


class AfterImport(importlib.abc.MetaPathFinder):
    """Calls back once a named module has finished importing; at once if it already has.

    The script decides when to import torch, and what it sets in the environment before.
    """

    def __init__(self, name: str, callback: Callable[[], None]) -> None:
        self.name, self.callback = name, callback

    def attach(self) -> Callable[[], None]:
        """Start waiting; returns the undo."""
        if self.name in sys.modules:
            self.callback()
            return lambda: None
        sys.meta_path.insert(0, self)
        return self.detach

    def detach(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self.name:
            return None
        self.detach()
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            sys.meta_path.insert(0, self)
            return None
        execute = spec.loader.exec_module

        def execute_then_call(module: ModuleType) -> None:
            # The loader is one instance per import: put its method back before anything else.
            # When several wait for the same module, the first of them has done so.
            vars(spec.loader).pop("exec_module", None)
            execute(module)
            self.callback()

        spec.loader.exec_module = execute_then_call  # type: ignore[method-assign]  # undone above
        return spec

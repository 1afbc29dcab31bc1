"""Seeing the program's calls: wrappers that count their own time and contain their failures."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import torch

from babysit.faults import Faults
from babysit.guard import transparent
from babysit.instrument.pacing import Pacer
from babysit.instrument.patches import Patches


def always() -> bool:
    return True


def without_gradients() -> bool:
    return not torch.is_grad_enabled()


class Calls:
    """Makes wrappers that show arguments and result of a call to a callback of ours.

    Args:
        is_live: whether to look at all; not while a graph is compiled.
    """

    def __init__(
        self, patches: Patches, pacer: Pacer, faults: Faults, is_live: Callable[[], bool]
    ) -> None:
        self._patches, self._pacer, self._faults = patches, pacer, faults
        self.is_live = is_live
        self.depth = 0  # of our own callbacks

    def replace(
        self, owner: Any, name: str, after: Callable[..., None], when: Callable[[], bool] = always
    ) -> None:
        """Have ``after(args, kwargs, result)`` follow every call of ``owner.name``."""
        self._patches.replace(owner, name, self.wrap(after, when=when))

    def wrap(
        self, after: Callable[..., None], *, failed: Callable[..., None] | None = None,
        when: Callable[[], bool] = always,
    ) -> Callable[[Any], Any]:  # fmt: skip
        """A wrapper maker: call the original, then show arguments and result to ``after``.

        Args:
            failed: shown the arguments of a call that raised.
            when: asked before; what is called often and seldom of interest costs little this way.
        """

        def make(original: Any) -> Any:
            @functools.wraps(original)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                try:
                    result = original(*args, **kwargs)
                except Exception:
                    if failed is not None and self.is_live():
                        self.timed(failed, args, kwargs)
                    raise
                if self.is_live() and when():
                    self.timed(after, args, kwargs, result)
                return result

            return transparent(wrapper)

        return make

    def timed(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a callback of ours: its time counted, its failure contained."""
        started = time.perf_counter()
        self.depth += 1
        try:
            return self._faults.guard(function, *args)
        finally:
            self.depth -= 1
            self._pacer.add(time.perf_counter() - started)

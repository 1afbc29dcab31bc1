"""Metrics that the script already writes to a TensorBoard ``SummaryWriter``."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from babysit.faults import Faults
from babysit.guard import transparent
from babysit.instrument.patches import Patches

WRITERS = ("torch.utils.tensorboard.writer", "tensorboardX.writer")


def pick_up(module: str, log: Callable[[dict[str, float]], None], faults: Faults) -> Patches:
    """Show every scalar that a writer class of this module is given to ``log``."""

    def keep(tag: Any, value: Any) -> None:
        log({str(tag): float(value)})

    def make(original: Any) -> Any:
        @functools.wraps(original)
        def add_scalar(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            tag = args[1] if len(args) > 1 else kwargs.get("tag")
            value = args[2] if len(args) > 2 else kwargs.get("scalar_value")
            faults.guard(keep, tag, value)
            return result

        return transparent(add_scalar)

    patches = Patches()
    patches.replace(sys.modules[module].SummaryWriter, "add_scalar", make)
    return patches

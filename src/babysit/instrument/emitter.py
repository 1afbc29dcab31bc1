"""Events on their way out: values that are still on a device are fetched in batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

MAX_WAITING = 32
BEARING = {"loss", "gradient-norm"}  # what a training cannot go on without


class Emitter:
    """Passes events on in order. On a GPU it lets them wait, so that no step synchronises.

    Attributes:
        on_bad: called with the signal when a step's value that had to be fetched is not finite.
    """

    def __init__(self, sink: Callable[[dict[str, Any]], None]) -> None:
        self._sink: Callable[[dict[str, Any]], None] | None = sink
        self.on_bad: Callable[[str], None] = lambda _: None
        self._waiting: list[dict[str, Any]] = []
        self._kept: list[dict[str, Any]] = []

    def keep(self, event: dict[str, Any]) -> None:
        """An event of numbers that may wait for the next one of another kind."""
        self._kept.append(event)

    def emit(self, event: dict[str, Any]) -> None:
        self.pass_kept()
        self._emit(event)

    def _emit(self, event: dict[str, Any]) -> None:
        slots = slots_of(event.get("values", {}))
        if not self._waiting and not slots:
            self._pass_on(event)
            return
        self._waiting.append(event)
        on_device = any(is_far(values[name]) for values, name in slots)
        if not on_device or len(self._waiting) >= MAX_WAITING:
            self._fetch()

    def flush(self) -> None:
        """Nothing waits any longer, nor is kept."""
        self.pass_kept()
        self._fetch()

    def _fetch(self) -> None:
        """Fetch what waits, one transfer in all, and pass it on."""
        waiting, self._waiting = self._waiting, []
        slots = [slot for event in waiting for slot in slots_of(event.get("values", {}))]
        if slots:
            device = slots[0][0][slots[0][1]].device
            tensors = [values[name].to(device, torch.float32) for values, name in slots]
            for (values, name), number in zip(slots, torch.stack(tensors).tolist(), strict=True):
                values[name] = number
        for event in waiting:
            self._pass_on(event)
            if event["event"] == "step":
                for name in BEARING & event["values"].keys():
                    if not math.isfinite(event["values"][name]):
                        self.on_bad(name)

    def pass_kept(self) -> None:
        """Nothing that is kept waits any longer."""
        kept, self._kept = self._kept, []
        for event in kept:
            self._emit(event)

    def number(self, value: Tensor | float) -> float:
        return value.item() if isinstance(value, Tensor) else value

    def close(self) -> None:
        self._sink, self._waiting, self._kept = None, [], []

    def _pass_on(self, event: dict[str, Any]) -> None:
        if self._sink is not None:
            self._sink(event)


def is_far(tensor: Tensor) -> bool:
    """Whether reading a tensor would wait for its device."""
    return tensor.device.type != "cpu"


def slots_of(values: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Where tensors stand among values by signal, or by signal and place."""
    found = []
    for name, value in values.items():
        if isinstance(value, Tensor):
            found.append((values, name))
        elif isinstance(value, dict):
            found += [(value, place) for place, one in value.items() if isinstance(one, Tensor)]
    return found

"""The lens: switched on for a sampled step, it reads the X-ray just before backward."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from babysit.instrument import autopsy, reading, sources, xray
from babysit.instrument.names import Names
from babysit.instrument.pacing import Pacer
from babysit.instrument.scopes import OnCall, Scopes
from babysit.instrument.trainings import Pending
from babysit.wiring import LossCall, Node


class Lens:
    """From :meth:`arm` to the next backward: which module runs and, if wanted, source lines.

    Attributes:
        users_anomaly: anomaly mode as the user set it, and whether it checks for NaN; kept while
            our own lies over it.
    """

    def __init__(self, names: Names, pacer: Pacer, on_call: OnCall) -> None:
        self.is_armed = False
        self.scopes = Scopes(on_call)
        self.users_anomaly = (False, True)
        self._names, self._pacer = names, pacer
        self._readings = [kind() for kind in reading.kinds()]
        self._with_lines = self._is_overlaid = False
        self.is_careful = False
        self._line_cost = sources.seconds_per_stack()

    def arm(self, *, with_lines: bool) -> None:
        self.disarm()
        self.is_armed, self._with_lines = True, with_lines and not self.is_careful
        if not self.is_careful:
            self.scopes.attach()
        self.focus()

    def disarm(self) -> None:
        self._look_away()
        self.is_armed = False
        self.scopes.detach()

    def glance(self) -> None:
        """Watch the calls of modules for a while, without a sampled step."""
        if not self.is_careful and not self.is_armed:
            self.scopes.attach()

    def end_glance(self) -> None:
        if not self.is_armed:
            self.scopes.detach()

    def be_careful(self) -> None:
        """The program compiles: hooks on modules and anomaly mode would break its graphs."""
        self.is_careful = True
        if self.is_armed:
            self.arm(with_lines=False)

    def focus(self) -> None:
        """Have autograd note the Python stack of every node it makes from here on."""
        if self.is_armed and self._with_lines and not self._is_overlaid:
            self.users_anomaly = (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())
            if not self.users_anomaly[0]:
                torch._C.set_anomaly_enabled(True, False)
                self._is_overlaid = True

    def _look_away(self) -> None:
        """Anomaly mode as the user left it, so that backward runs as it would without us."""
        if self._is_overlaid:
            torch._C.set_anomaly_enabled(*self.users_anomaly)
            self._is_overlaid = False

    def is_users_anomaly_on(self) -> bool:
        """Whether the script itself runs under anomaly detection right now."""
        return self.users_anomaly[0] if self._is_overlaid else torch.is_anomaly_enabled()

    def anomaly_mode_used(self, context: Any, *, sets_mode: bool) -> None:
        """The script's own detect_anomaly or set_detect_anomaly: it must find and leave its mode.

        Args:
            context: what keeps the mode that it goes back to; ours must not be that.
            sets_mode: whether this call has just set the mode.
        """
        if self._is_overlaid:
            if (context.prev, context.prev_check_nan) == (True, False):
                context.prev, context.prev_check_nan = self.users_anomaly
            if sets_mode:
                self._is_overlaid = False
                self.focus()

    def last_operation(self, value: Tensor) -> Node | None:
        """What made a value, but for reshaping; with its layer and line on a sampled step."""
        seen = xray.read(value, step=0, scopes=self.scopes, names=self._names)
        index = seen.wiring.source(len(seen.wiring.nodes) - 1) if seen is not None else None
        return seen.wiring.nodes[index] if seen is not None and index is not None else None

    def read(
        self, loss: Tensor, pending: Pending, *, step: int, calls: Sequence[LossCall], is_bad: bool
    ) -> None:
        """Fill a pending backward with what its graph shows.

        Args:
            is_bad: the loss is not finite; look for where that began.
        """
        started = time.perf_counter()
        self._look_away()
        seen = xray.read(loss, step=step, scopes=self.scopes, names=self._names)
        if seen is not None:
            seen.calls = tuple(calls)
            for one in self._readings:
                for signal, values in one.read(seen).items():
                    if values:
                        pending.values.setdefault(signal, {}).update(values)
            pending.wiring, pending.leaves = seen.wiring, seen.leaves
            pending.roots, pending.calls, pending.facts = seen.roots, tuple(calls), seen.facts
            pending.origin = autopsy.origin(seen) if is_bad else None
            pending.place = sources.caller()
            if self.is_armed and self._with_lines:
                self._pacer.add(len(seen.graph) * self._line_cost)
        self.scopes.clear()
        self._pacer.learn_sample_cost(time.perf_counter() - started)

"""The lens: switched on for a sampled step, it reads the X-ray just before backward."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from babysit.instrument import autopsy, sources, xray
from babysit.instrument.activations import Silence, read_accuracy, read_inputs
from babysit.instrument.names import Names
from babysit.instrument.pacing import Pacer
from babysit.instrument.trainings import Pending
from babysit.wiring import LossCall


class Lens:
    """From :meth:`arm` to the next backward: which module runs and, if wanted, source lines."""

    def __init__(self, names: Names, pacer: Pacer) -> None:
        self.is_armed = False
        self.scopes = xray.Scopes()
        self._names, self._pacer = names, pacer
        self._silence = Silence()
        self._with_lines = False
        self._is_careful = False
        self._users_anomaly = (False, True)
        self._line_cost = sources.seconds_per_stack()

    def arm(self, *, with_lines: bool) -> None:
        self.disarm()
        self.is_armed, self._with_lines = True, with_lines and not self._is_careful
        if not self._is_careful:
            self.scopes.attach()
        self._users_anomaly = (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())
        self.focus()

    def disarm(self) -> None:
        self._look_away()
        self.is_armed = False
        self.scopes.detach()

    def be_careful(self) -> None:
        """The program compiles: hooks on modules and anomaly mode would break its graphs."""
        self._is_careful = True
        if self.is_armed:
            self.arm(with_lines=False)

    def focus(self) -> None:
        """Have autograd note the Python stack of every node it makes from here on."""
        if self.is_armed and self._with_lines:
            torch._C.set_anomaly_enabled(True, False)

    def _look_away(self) -> None:
        """Anomaly mode as the user left it, so that backward runs as it would without us."""
        if self.is_armed and self._with_lines:
            torch._C.set_anomaly_enabled(*self._users_anomaly)

    def read(
        self, loss: Tensor, pending: Pending, *, step: int, calls: Sequence[LossCall], is_bad: bool
    ) -> None:
        """Fill a pending backward with what its graph shows.

        Args:
            is_bad: the loss is not finite; look for where that began.
        """
        started = time.perf_counter()
        self._look_away()
        reading = xray.read(loss, step=step, scopes=self.scopes, names=self._names)
        if reading is not None:
            for values in (
                self._silence.read(reading),
                read_inputs(reading),
                read_accuracy(reading),
            ):
                pending.values.update({signal: found for signal, found in values.items() if found})
            pending.wiring, pending.leaves = reading.wiring, reading.leaves
            pending.roots, pending.calls = list(self.scopes.roots), tuple(calls)
            pending.origin = autopsy.origin(reading) if is_bad else None
            pending.place = sources.caller()
            if self.is_armed and self._with_lines:
                self._pacer.add(len(reading.graph) * self._line_cost)
        self.scopes.clear()
        self._pacer.learn_sample_cost(time.perf_counter() - started)

"""The bench where probes work: they are told of events here and leave their reports here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.faults import Faults
from babysit.instrument import probe
from babysit.instrument.lens import Lens
from babysit.instrument.probe import After, Probe
from babysit.instrument.trainings import Thread, TrainingState

Notes = dict[str, dict[str, Tensor | float]]


class ProbeBench:
    """Holds every probe, tells each of what happens, keeps what they note until a step closes.

    Args:
        replace: wraps ``owner.name`` so that a callback follows each call.
    """

    def __init__(
        self,
        *,
        lens: Lens,
        thread: Thread,
        faults: Faults,
        replace: Callable[[Any, str, After], None],
    ) -> None:
        self._lens, self._thread, self._faults, self._replace = lens, thread, faults, replace
        self._notes: Notes = {}
        self._facts: dict[str, Any] = {}
        self._probes = [kind(self) for kind in probe.kinds()]

    # -- for probes ----------------------------------------------------------------------

    @property
    def state(self) -> TrainingState | None:
        return self._thread.last

    @property
    def is_sampled(self) -> bool:
        return self._lens.is_armed

    @property
    def is_anomaly_mode_on(self) -> bool:
        return self._lens.is_users_anomaly_on()

    def watch(self, owner: Any, name: str, after: After) -> None:
        self._replace(owner, name, after)

    def note(self, signal: str, value: Tensor | float, place: str) -> None:
        self._notes.setdefault(signal, {})[place] = value

    def fact(self, name: str, value: Any) -> None:
        known = self._facts.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            value = {**known, **value}
        self._facts[name] = value

    # -- for the watcher -----------------------------------------------------------------

    def attach(self) -> None:
        for one in self._probes:
            self._faults.guard(one.attach)

    def on_backward(self, loss: Tensor) -> None:
        for one in self._wanting("on_backward"):
            self._faults.guard(one.on_backward, loss)

    def on_step(self, optimizer: Optimizer, is_sampled: bool) -> None:
        for one in self._wanting("on_step"):
            self._faults.guard(lambda one=one: one.on_step(optimizer, is_sampled=is_sampled))

    def after_step(self, optimizer: Optimizer, is_sampled: bool) -> None:
        for one in self._wanting("after_step"):
            self._faults.guard(lambda one=one: one.after_step(optimizer, is_sampled=is_sampled))

    def on_batch(self, loader: Any, batch: Any) -> None:
        for one in self._wanting("on_batch"):
            self._faults.guard(one.on_batch, loader, batch)

    def on_call(
        self, module: nn.Module, inputs: Sequence[Any], output: Any, is_evaluation: bool
    ) -> None:
        for one in self._wanting("on_call"):
            call = one.on_call
            self._faults.guard(
                lambda call=call: call(module, inputs, output, is_evaluation=is_evaluation)
            )

    def finish(self) -> None:
        for one in self._wanting("finish"):
            self._faults.guard(one.finish)

    def on_fork(self) -> None:
        for one in self._wanting("on_fork"):
            self._faults.guard(one.on_fork)

    def take(self) -> tuple[Notes, dict[str, Any]]:
        """What was noted since the last time: values by signal and place, and facts."""
        notes, facts = self._notes, self._facts
        if notes or facts:
            self._notes, self._facts = {}, {}
        return notes, facts

    def _wanting(self, event: str) -> list[Probe]:
        """The probes that override a method: the others cost nothing."""
        known = self.__dict__.setdefault("_by_event", {})
        if event not in known:
            base = getattr(Probe, event)
            known[event] = [one for one in self._probes if getattr(type(one), event) is not base]
        found: list[Probe] = known[event]
        return found

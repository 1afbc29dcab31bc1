"""The bench where probes work: they are told of events here and leave their reports here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.faults import Faults
from babysit.instrument import probe
from babysit.instrument.calls import always
from babysit.instrument.lens import Lens
from babysit.instrument.probe import After, Probe, When
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
        replace: Callable[[Any, str, After, When], None],
    ) -> None:
        self._lens, self._thread, self._faults, self._replace = lens, thread, faults, replace
        self._notes: Notes = {}
        self._facts: dict[str, Any] = {}
        self._probes = [kind(self) for kind in probe.kinds()]
        self._by_event: dict[str, list[Callable[..., None]]] = {}

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

    def watch(self, owner: Any, name: str, after: After, when: When = always) -> None:
        self._replace(owner, name, after, when)

    def wake(self, one: Probe, event: str) -> None:
        calls, call = self._told_of(event), getattr(one, event)
        if call not in calls:
            calls.append(call)

    def rest(self, one: Probe, event: str) -> None:
        calls, call = self._told_of(event), getattr(one, event)
        if call in calls:
            calls.remove(call)

    def note(self, signal: str, value: Tensor | float, place: str) -> None:
        self._notes.setdefault(signal, {})[place] = value

    def fact(self, name: str, value: Any) -> None:
        known = self._facts.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            value = {**known, **value}
        self._facts[name] = value

    # -- for the watcher -----------------------------------------------------------------

    def attach(self) -> None:
        self._tell("attach")

    def on_backward(self, loss: Tensor) -> None:
        self._tell("on_backward", loss)

    @property
    def wants_step(self) -> bool:
        """Whether any probe is to be told before a step that is not sampled."""
        return bool(self._told_of("on_step"))

    def on_step(self, optimizer: Optimizer, *, is_sampled: bool) -> None:
        self._tell("on_step", optimizer)
        if is_sampled:
            self._tell("on_sampled_step", optimizer)

    def after_step(self, optimizer: Optimizer) -> None:
        self._tell("after_step", optimizer)

    def on_batch(self, loader: Any, batch: Any) -> None:
        self._tell("on_batch", loader, batch)

    def on_call(
        self, module: nn.Module, inputs: Sequence[Any], output: Any, is_evaluation: bool
    ) -> None:
        self._tell("on_call", module, inputs, output, is_evaluation)

    def finish(self) -> None:
        self._tell("finish")

    def on_fork(self) -> None:
        self._tell("on_fork")

    def take(self) -> tuple[Notes, dict[str, Any]]:
        """What was noted since the last time: values by signal and place, and facts."""
        notes, facts = self._notes, self._facts
        if notes or facts:
            self._notes, self._facts = {}, {}
        return notes, facts

    def _tell(self, event: str, *args: Any) -> None:
        calls = self._told_of(event)
        for call in tuple(calls) if calls else ():
            self._faults.guard(call, *args)

    def _told_of(self, event: str) -> list[Callable[..., None]]:
        """The probes that override a method and are awake: the others cost nothing."""
        if event not in self._by_event:
            base = getattr(Probe, event)
            self._by_event[event] = [
                getattr(one, event)
                for one in self._probes
                if getattr(type(one), event) is not base and event not in one.sleeps
            ]
        return self._by_event[event]

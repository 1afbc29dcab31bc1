"""The contract of a probe: what it may watch, and how it reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from babysit import catalogue
from babysit.instrument.calls import always

if TYPE_CHECKING:
    from babysit.instrument.trainings import TrainingState

After = Callable[[Any, Any, Any], None]
When = Callable[[], bool]


class Bench(Protocol):
    """What the watcher lends to its probes."""

    @property
    def state(self) -> TrainingState | None:
        """The training that stepped last in this thread."""

    @property
    def is_sampled(self) -> bool:
        """Whether the step at hand is sampled."""

    @property
    def is_anomaly_mode_on(self) -> bool:
        """Whether the script, not our lens, runs under anomaly detection."""

    def watch(self, owner: Any, name: str, after: After, when: When = always) -> None:
        """Call ``after(args, kwargs, result)`` after calls of ``owner.name`` if ``when()``."""

    def wake(self, one: Probe, event: str) -> None:
        """Tell a probe of an event from now on."""

    def rest(self, one: Probe, event: str) -> None:
        """Do not tell it any more."""

    def note(self, signal: str, value: Tensor | float, place: str) -> None:
        """Record a value with the step that closes next."""

    def fact(self, name: str, value: Any) -> None:
        """Record a fact of the training whose step closes next."""


class Probe:
    """Watches one kind of event. Every method may be left out.

    All of them run guarded and timed. A probe never touches random states, modes, gradients or
    the user's hooks.
    """

    sleeps: ClassVar[tuple[str, ...]] = ()  # events that it is told of only once awake

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def attach(self) -> None:
        """Begin: call :meth:`watch` for what is to be watched. The way back is kept for you."""

    def on_backward(self, loss: Tensor) -> None:
        """A backward of a training is about to run."""

    def on_step(self, optimizer: Optimizer) -> None:
        """An optimizer is about to change the weights."""

    def on_sampled_step(self, optimizer: Optimizer) -> None:
        """The same, on sampled steps only: what costs time belongs here."""

    def after_step(self, optimizer: Optimizer) -> None:
        """It has; the step is not closed yet."""

    def on_batch(self, loader: Any, batch: Any) -> None:
        """A DataLoader's iterator gave a batch."""

    def on_call(
        self, module: nn.Module, inputs: Sequence[Any], output: Any, is_evaluation: bool
    ) -> None:
        """An outermost module ran: on sampled steps, and a number of times in an evaluation.

        Args:
            inputs: its positional arguments.
            is_evaluation: the trained model itself ran, without gradients or in eval mode.
        """

    def finish(self) -> None:
        """The program has ended; the last chance to report."""

    def on_fork(self) -> None:
        """This is a forked child of the script: nothing may be recorded or written here."""

    # -- for probes ----------------------------------------------------------------------

    def wake(self, event: str) -> None:
        """From now on this probe is told of an event that it :attr:`sleeps` through."""
        self._bench.wake(self, event)

    def rest(self, event: str) -> None:
        """Until it wakes again, it is not: what has nothing to do costs nothing."""
        self._bench.rest(self, event)

    def watch(self, owner: Any, name: str, after: After, when: When = always) -> None:
        """Call ``after(args, kwargs, result)`` after calls of ``owner.name`` if ``when()``."""
        self._bench.watch(owner, name, after, when)

    def note(self, signal: str, value: Tensor | float, place: str = "") -> None:
        """Record a value with the step that closes next; a later one at the same place wins."""
        self._bench.note(signal, value, place)

    def fact(self, name: str, value: Any) -> None:
        """Record a fact of the training whose step closes next; dictionaries are merged."""
        self._bench.fact(name, value)

    @property
    def state(self) -> TrainingState | None:
        """The training that stepped last in this thread; ``None`` before the first step."""
        return self._bench.state

    @property
    def step(self) -> int:
        """Number of the optimizer step at hand."""
        return self.state.step if self.state is not None else 0

    @property
    def is_sampled(self) -> bool:
        """Whether the step at hand is sampled."""
        return self._bench.is_sampled

    @property
    def is_anomaly_mode_on(self) -> bool:
        """Whether the script, not our lens, runs under anomaly detection."""
        return self._bench.is_anomaly_mode_on


@cache
def kinds() -> tuple[type[Probe], ...]:
    """Every probe there is, found by its file."""
    return tuple(catalogue.classes("babysit.instrument.probes", Probe))

"""Telling trainings of one process apart: by the parameters that they update."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.instrument.clearing import Clearing
from babysit.instrument.pacing import Schedule
from babysit.instrument.parameters import UpdateSampler
from babysit.wiring import LossCall, Node, Wiring

PROBE_ELEMENTS = 16
MAX_PENDING = 64  # backwards that a step may still use
MAX_IDLE_READINGS = 4


@dataclass
class Pending:
    """A backward pass that no step has used yet; the lower half is filled on sampled steps."""

    loss: Tensor | float
    wiring: Wiring | None = None
    leaves: list[Tensor] = field(default_factory=list)
    roots: list[nn.Module] = field(default_factory=list)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    calls: tuple[LossCall, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    origin: dict[str, Any] | None = None
    place: dict[str, Any] | None = None


@dataclass
class TrainingState:
    """What the instrument keeps of one training while it runs."""

    number: int
    name: str
    references: list[weakref.ref[Tensor]]
    step: int = 0
    optimizers: list[weakref.ref[Optimizer]] = field(default_factory=list)
    clearing: Clearing = field(default_factory=Clearing)
    schedule: Schedule = field(default_factory=Schedule)
    digests: set[str] = field(default_factory=set)
    rates: list[float] = field(default_factory=list)
    described: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    roots: list[weakref.ref[nn.Module]] = field(default_factory=list)
    mode_layers: list[weakref.ref[nn.Module]] = field(default_factory=list)
    lines: list[Node] = field(default_factory=list)
    outside: list[weakref.ref[Tensor]] = field(default_factory=list)
    num_samples: int = 0
    thread: int = field(default_factory=threading.get_ident)
    is_sampled: bool = False
    keeps_gradients: bool = False
    last_time: float | None = None
    sizes: dict[str, float] = field(default_factory=dict)
    data_seconds: float = 0.0

    @property
    def parameters(self) -> list[Tensor]:
        """Those still alive; held weakly, so that a finished model can go."""
        living = (reference() for reference in self.references)
        return [tensor for tensor in living if tensor is not None]

    def holds(self, tensors: Iterable[Tensor]) -> bool:
        own = {id(parameter) for parameter in self.parameters}
        return any(id(tensor) in own for tensor in tensors)

    def is_part_of(self, module: nn.Module) -> bool:
        """Whether a module is this training's model, or holds it."""
        own = {id(root) for ref in self.roots if (root := ref()) is not None}
        return any(id(one) in own for one in module.modules())

    def include(self, tensors: Iterable[Tensor]) -> None:
        own = {id(parameter) for parameter in self.parameters}
        self.references += [weakref.ref(t) for t in tensors if id(t) not in own]


class Trainings:
    """All trainings of the process, found by optimizer or by parameters."""

    def __init__(self) -> None:
        self.all: list[TrainingState] = []
        self._by_optimizer: weakref.WeakKeyDictionary[Optimizer, TrainingState] = (
            weakref.WeakKeyDictionary()
        )
        self.optimizers: weakref.WeakSet[Optimizer] = weakref.WeakSet()

    def here(self) -> list[TrainingState]:
        """The latest trainings of this thread: those of others change while we would look."""
        own = threading.get_ident()
        return [state for state in self.all[-8:] if state.thread == own][-4:]

    def of(self, optimizer: Optimizer, last: TrainingState | None = None) -> TrainingState | None:
        """The training that an optimizer belongs to, if it has stepped before.

        Args:
            last: tried first.
        """
        if last is not None and last.optimizers and last.optimizers[0]() is optimizer:
            return last
        state = self._by_optimizer.get(optimizer)
        if state is None:
            state = self.owning(parameters_of(optimizer))
            if state is not None:
                self.join(optimizer, state)
        return state

    def owning(self, tensors: Sequence[Tensor]) -> TrainingState | None:
        """The latest training that updates any of these tensors."""
        return next((state for state in reversed(self.all) if state.holds(tensors)), None)

    def add(self, name: str, parameters: Iterable[Tensor]) -> TrainingState:
        state = TrainingState(number=len(self.all) + 1, name=name, references=[])
        state.include(parameters)
        self.all.append(state)
        return state

    def join(self, optimizer: Optimizer, state: TrainingState) -> None:
        """From now on this optimizer belongs to this training."""
        self._by_optimizer[optimizer] = state
        state.optimizers.append(weakref.ref(optimizer))
        state.include(parameters_of(optimizer))

    def optimized(self) -> set[int]:
        """Identities of all tensors that any living optimizer holds."""
        return {id(p) for optimizer in self.optimizers for p in parameters_of(optimizer)}


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def given(tensors: Any) -> list[Tensor]:
    """Several tensors, which may be given as one or as none."""
    return [tensors] if isinstance(tensors, Tensor) else list(tensors or ())


def is_skipped(optimizer: Optimizer, *, may_wait: bool = False) -> bool:
    """Whether a fused optimizer is told by its GradScaler to leave this step out: an overflow.

    Args:
        may_wait: ask a GPU as well; else what it has found counts as none.
    """
    found = getattr(optimizer, "found_inf", None)
    if not isinstance(found, Tensor) or not (may_wait or found.device.type == "cpu"):
        return False
    return bool(found.any())


def gradients_of(optimizer: Optimizer, parameters: Sequence[Tensor]) -> list[Tensor | None]:
    """Gradients as the optimizer applies them: a fused one divides by its GradScaler's scale."""
    if is_skipped(optimizer, may_wait=True):
        return [None] * len(parameters)
    scale = getattr(optimizer, "grad_scale", None)
    if not isinstance(scale, Tensor):
        return [parameter.grad for parameter in parameters]
    return [p.grad / scale if p.grad is not None else None for p in parameters]


class HandUpdates:
    """Notices that parameters changed although no optimizer stepped.

    Attributes:
        replaces: whether updates make new tensors (``w = w - lr * g``) instead of changing the
            old ones; then the leaves of every graph have to be looked up.
    """

    def __init__(self) -> None:
        self._marks: list[tuple[weakref.ref[Tensor], int, list[float]]] = []
        self.replaces = False

    def mark(self, tensors: Sequence[Tensor]) -> None:
        """Remember a few values."""
        picks = [t for t in tensors if t.numel()][:: max(1, len(tensors) // 4)]
        self._marks = [(weakref.ref(t), t._version, probe(t)) for t in picks]

    @property
    def is_watching(self) -> bool:
        return bool(self._marks)

    def changed(self, leaves: Sequence[Tensor] = ()) -> bool:
        """Whether any marked tensor was updated, or replaced: by one of ``leaves`` if given."""
        now = {id(leaf) for leaf in leaves}
        for reference, version, values in self._marks:
            tensor = reference()
            if tensor is None or (now and id(tensor) not in now):
                self.replaces = True
                return True
            if tensor._version != version or probe(tensor) != values:
                return True
        return False


@dataclass
class OpenStep:
    """What is known of a step between the optimizer's beginning and its end."""

    state: TrainingState | None = None
    sampler: UpdateSampler | None = None
    values: dict[str, Any] = field(default_factory=dict)
    has_closure: bool = False
    num_backwards: int = 0  # of a step like any other of its training; else none


@dataclass
class Cruise:
    """Some steps of one training of which little is kept; see :mod:`cruising`.

    Attributes:
        num_backwards: of every step.
        limit: above it, a loss is unusual.
        model: in train mode so far; ``None`` where there is no module.
        is_stepping: the optimizer is at it.
    """

    state: TrainingState
    optimizer: weakref.ref[Optimizer]
    model: weakref.ref[nn.Module] | None
    num_backwards: int
    steps_left: int
    limit: float
    is_stepping: bool = False


class Thread(threading.local):
    """What belongs to one thread of the program: the backwards that no step has used yet."""

    def __init__(self) -> None:
        self.pending: list[Pending] = []
        self.depth = 0  # of optimizers' steps within one another
        self.stepping: int | None = None  # the outermost of these optimizers
        self.opened = OpenStep()
        self.last: TrainingState | None = None
        self.hand = HandUpdates()
        self.hand_sampler: UpdateSampler | None = None
        self.hand_state: TrainingState | None = None
        self._leaves: list[weakref.ref[Tensor]] = []
        self.is_grad_training = False
        self.idle_losses: list[float] = []
        self.idle_readings: list[Pending] = []
        self.dataset: int | None = None
        self.batch_rows = 0
        self.cruise: Cruise | None = None

    def set_idle_aside(self, number: Callable[[Tensor | float], float]) -> None:
        """Keep of many backwards without a step the losses, and few readings."""
        idle = self.pending[:-1]
        self.idle_losses += [number(pending.loss) for pending in idle]
        self.idle_readings += [pending for pending in idle if pending.wiring is not None]
        del self.pending[:-1], self.idle_losses[: -16 * MAX_PENDING]
        del self.idle_readings[MAX_IDLE_READINGS:]

    @property
    def num_read(self) -> int:
        """How many of the pending backwards were X-rayed."""
        return sum(pending.wiring is not None for pending in self.pending)

    @property
    def leaves(self) -> list[Tensor]:
        """What the last X-ray saw the loss depend on; held weakly."""
        return [tensor for ref in self._leaves if (tensor := ref()) is not None]

    @leaves.setter
    def leaves(self, tensors: Sequence[Tensor]) -> None:
        self._leaves = [weakref.ref(tensor) for tensor in tensors]


def probe(tensor: Tensor) -> list[float]:
    """A few values across a tensor."""
    flat = tensor.detach().reshape(-1)
    values: list[float] = flat[:: -(-flat.numel() // PROBE_ELEMENTS)].tolist()
    return values

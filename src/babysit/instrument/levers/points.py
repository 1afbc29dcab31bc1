"""The points where a training can be taken hold of, and who holds it there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from babysit.change import Act, CannotApplyError, Change, LossCallData, Turn
from babysit.instrument.patches import Patches
from babysit.launch import Stop

# What a change says that waited at a point to which the training never came.
NEVER: Final = {
    "before_step": "no optimizer stepped",
    "after_step": "no optimizer stepped",
    "on_optimizer": "no optimizer stepped",
    "on_model": "no module was called",
    "on_loader": "no DataLoader was iterated for training",
    "on_backward": "no backward was seen",
    "on_inputs": "no data were seen on their way into a module",
    "selected_inputs": "no data were seen on their way into a module after the first step",
    "selected_targets": (
        "no loss function of torch.nn.functional was called with targets after the first step"
    ),
    "on_targets": "no loss function of torch.nn.functional was called with targets",
    "on_loss": "no loss function of torch.nn.functional was called",
    "on_evaluation": "no evaluation was seen",
    "on_seed": "no module was made and nothing was seeded",
}
# The same where data are met as loaders give them.
NEVER_BY_LOADER: Final = dict.fromkeys(
    ("on_inputs", "selected_inputs"), "no DataLoader was iterated for training"
) | dict.fromkeys(
    ("on_targets", "selected_targets"), "no targets were seen in the batches of a DataLoader"
)
# Where evaluations can be taken hold of besides; it does not matter whether there are any.
ABSENT: Final = object()
EVALUATED: Final = ("evaluated_inputs", "evaluated_loss")


class Points:
    """Who waits where, and what came of it.

    Attributes:
        step: optimizer steps done.
        place: the name of the data being turned.
        notes: (step, name, value) of what changes noted.
        stopping: a change wants the training to end.
        refusals: by change, why it does not apply.
    """

    def __init__(self, *, by_loader: bool = False) -> None:
        self.step = 0
        self.place = ""
        self.seconds: Callable[[], float] = lambda: 0.0
        self.notes: list[tuple[int, str, float]] = []
        self.stopping = False
        self.refusals: dict[str, str] = {}
        self.patches = Patches()
        self.never = NEVER | NEVER_BY_LOADER if by_loader else NEVER
        self._waiting: dict[str, list[tuple[Hold, Callable[..., Any]]]] = {
            point: [] for point in (*NEVER, *EVALUATED)
        }

    def add(self, point: str, hold: Hold, function: Callable[..., Any]) -> None:
        self._waiting[point].append((hold, function))

    def clear(self) -> None:
        """Nobody waits any more: a patch that others have wrapped since does nothing."""
        for waiting in self._waiting.values():
            waiting.clear()

    def has(self, *points: str) -> bool:
        """Whether anybody waits at one of these points."""
        return any(self._waiting[point] for point in points)

    def act(self, point: str, *given: Any) -> None:
        """Let everybody act who waits here; after a step, who acted last before it comes first."""
        waiting = self._waiting[point]
        for hold, function in reversed(waiting) if point == "after_step" else waiting:
            hold.attempt(point, function, *given)

    def turn(self, point: str, value: Any, *, place: str = "") -> Any:
        """Let everybody turn a value who waits here, one after the other."""
        self.place = place
        for hold, function in self._waiting[point]:
            turned = hold.attempt(point, function, value)
            value = value if turned is None else turned
        return value

    def nest(self, point: str, call: Any, index: int = 0) -> Any:
        """The loss of a call as everybody who waits here would have it: the first is outermost."""
        waiting = self._waiting[point]
        if index == len(waiting):
            return call.compute()
        hold, function = waiting[index]
        inner = Nested(call, lambda one: self.nest(point, one, index + 1))
        result = hold.attempt(point, function, inner)
        return inner.compute() if result is None else result


class Nested:
    """A call of a loss function, given on to the next who waits."""

    def __init__(self, call: Any, go_on: Callable[[Any], Any]) -> None:
        self._call, self._go_on = call, go_on
        self.function: str = call.function
        self.prediction, self.target, self.given = call.prediction, call.target, call.given
        self.options: dict[str, Any] = call.options
        self.inputs = call.inputs
        self.trains: bool = call.trains

    def compute(
        self, prediction: Any = None, target: Any = None, *, function: str | None = None
    ) -> Any:
        return self._go_on(self._call.having(prediction, target, function))

    def part(self, rows: Any) -> Nested:
        return Nested(self._call.part(rows), self._go_on)

    def spread(self, marks: Any) -> Any:
        return self._call.spread(marks)


class Hold:
    """The levers as one change sees them."""

    def __init__(self, points: Points, change: Change) -> None:
        self._points, self.change = points, change
        self._reached: dict[str, bool] = {}

    def attempt(self, point: str, function: Callable[..., Any], *given: Any) -> Any:
        """Call a function of the change; when it cannot apply, remember why and go on."""
        if self.is_refused:
            return None
        if point in self._reached:
            self._reached[point] = True
        try:
            return function(*given)
        except CannotApplyError as error:
            self.refuse(str(error))
            return None

    def take(self) -> None:
        """Let the change take hold."""
        try:
            self.change.apply(self)
        except CannotApplyError as error:
            self.refuse(str(error))

    def conclude(self) -> None:
        """Say to which point the training never came."""
        missed = next((point for point, came in self._reached.items() if not came), None)
        if missed is not None and not self.is_refused:
            self.refuse(self._points.never[missed])

    @property
    def is_refused(self) -> bool:
        return str(self.change) in self._points.refusals

    def refuse(self, why: str) -> None:
        self._points.refusals[str(self.change)] = why

    def _wait(self, point: str, function: Callable[..., Any]) -> None:
        self._reached[point] = False
        self._points.add(point, self, function)

    def before_step(self, act: Act) -> None:
        self._wait("before_step", act)

    def after_step(self, act: Act) -> None:
        self._wait("after_step", act)

    def on_optimizer(self, act: Act) -> None:
        self._wait("on_optimizer", act)

    def on_model(self, act: Act) -> None:
        self._wait("on_model", act)

    def on_loader(self, act: Act) -> None:
        self._wait("on_loader", act)

    def on_backward(self, turn: Turn) -> None:
        self._wait("on_backward", turn)

    def on_inputs(self, turn: Turn, *, everywhere: bool = False, selects: bool = False) -> None:
        self._wait("selected_inputs" if selects else "on_inputs", turn)
        if everywhere:
            self._points.add("evaluated_inputs", self, turn)

    def on_targets(self, turn: Turn, *, selects: bool = False) -> None:
        self._wait("selected_targets" if selects else "on_targets", turn)

    def on_loss(self, turn: Callable[[LossCallData], Any], *, everywhere: bool = False) -> None:
        self._wait("on_loss", turn)
        if everywhere:
            self._points.add("evaluated_loss", self, turn)

    def on_evaluation(self, act: Callable[[float], None]) -> None:
        self._wait("on_evaluation", act)

    def on_seed(self, turn: Callable[[int], int]) -> None:
        self._wait("on_seed", turn)

    def replace(self, owner: Any, name: str, value: Any) -> None:
        own = vars(owner).get(name, ABSENT)
        setattr(owner, name, value)

        def restore() -> None:
            if getattr(owner, name, ABSENT) is not value:
                return  # the script has set it since
            if own is ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, own)

        self._points.patches.add_undo(restore)

    def in_the_end(self, undo: Callable[[], None]) -> None:
        self._points.patches.add_undo(undo)

    def stop(self) -> None:
        self._points.stopping = True

    def note(self, name: str, value: float) -> None:
        self._points.notes.append((self._points.step, name, value))

    @property
    def step(self) -> int:
        return self._points.step

    @property
    def place(self) -> str:
        return self._points.place

    @property
    def seconds(self) -> float:
        return self._points.seconds()


def stop_here(points: Points) -> None:
    """End the training if a change wants that.

    Raises:
        Stop: it does.
    """
    if points.stopping:
        raise Stop

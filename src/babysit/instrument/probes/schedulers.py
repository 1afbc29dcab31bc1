"""Learning-rate schedulers: which there are, where they are made and stepped, what they plan."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any, Final

from torch.optim import Optimizer, lr_scheduler

from babysit.instrument import sources
from babysit.instrument.probe import Probe

TOLD_GROWTH: Final = 1.25
DRIVEN: Final = "ReduceLROnPlateau"
# Where a scheduler keeps the number of its steps after which its curve is complete.
_PLANS: Final = {"CosineAnnealingLR": "T_max", "OneCycleLR": "total_steps"}


@dataclass
class Watched:
    """One scheduler, as far as it has come."""

    key: str
    kind: str
    place: dict[str, Any] | None
    step_place: dict[str, Any] | None = None
    steps: int = 0
    told: int = -1
    is_part: bool = False
    metric: float | None = None


class Schedulers(Probe):
    """Counts the steps of every scheduler; a fact of its optimizer's training."""

    sleeps = ("after_step",)

    def attach(self) -> None:
        self._known: weakref.WeakKeyDictionary[Any, Watched] = weakref.WeakKeyDictionary()
        self._of: weakref.WeakKeyDictionary[Optimizer, list[weakref.ref[Any]]]
        self._of = weakref.WeakKeyDictionary()
        self._number = 0
        for kind in list(vars(lr_scheduler).values()):
            if isinstance(kind, type) and issubclass(kind, lr_scheduler.LRScheduler):
                for name, after in (("__init__", self._made), ("step", self._stepped)):
                    if name in vars(kind):
                        self.watch(kind, name, after)

    def _made(self, args: Any, kwargs: Any, result: Any) -> None:
        scheduler = args[0]
        known = self._known.get(scheduler)
        if known is not None:  # the constructor of a subclass, after its base's
            known.steps = 0
            return
        optimizer = getattr(scheduler, "optimizer", None)
        if isinstance(optimizer, Optimizer):
            self._number += 1
            watched = Watched(str(self._number), type(scheduler).__name__, sources.caller())
            self._known[scheduler] = watched
            self.wake("after_step")
            self._of.setdefault(optimizer, []).append(weakref.ref(scheduler))

    def _stepped(self, args: Any, kwargs: Any, result: Any) -> None:
        watched = self._known.get(args[0])
        if watched is not None:
            watched.steps += 1
            if watched.kind == DRIVEN:
                watched.metric = float(kwargs["metrics"] if "metrics" in kwargs else args[1])
            if watched.step_place is None:
                watched.step_place = sources.caller()

    def after_step(self, optimizer: Optimizer) -> None:
        """Tell how far its schedulers have come, ever more rarely."""
        for reference in self._of.get(optimizer, ()):
            self._tell(reference(), is_final=False)

    def finish(self) -> None:
        """The last count of the training that ran last."""
        state = self.state
        for reference in state.optimizers if state is not None else ():
            optimizer = reference()
            for scheduler in self._of.get(optimizer, ()) if optimizer is not None else ():
                self._tell(scheduler(), is_final=True)

    def _tell(self, scheduler: Any, *, is_final: bool) -> None:
        watched = self._known.get(scheduler) if scheduler is not None else None
        if watched is None or watched.steps == watched.told:
            return
        if not is_final and watched.steps < TOLD_GROWTH * watched.told:
            return
        if watched.told < 0:
            self._mark_parts(scheduler)
        watched.told = watched.steps
        told: dict[str, Any] = {
            "kind": watched.kind, "place": watched.place, "step_place": watched.step_place,
            "steps": watched.steps, "at": self.step, "is_part": watched.is_part,
            "epoch": whole(getattr(scheduler, "last_epoch", None)),
            "total": whole(getattr(scheduler, _PLANS.get(watched.kind, ""), None)),
        }  # fmt: skip
        if watched.metric is not None:
            best = float(scheduler.best)
            told |= {"mode": scheduler.mode, "best": best, "metric": watched.metric}
        self.fact("schedulers", {watched.key: told})

    def _mark_parts(self, scheduler: Any) -> None:
        """Schedulers within others are stepped by those."""
        for other in list(self._known):
            for value in vars(other).values():
                members = value if isinstance(value, (list, tuple)) else (value,)
                for member in members:
                    if isinstance(member, lr_scheduler.LRScheduler) and member in self._known:
                        self._known[member].is_part = True


def whole(value: Any) -> int | None:
    """A count that a scheduler keeps; ``None`` where it keeps none."""
    return int(value) if isinstance(value, (int, float)) else None

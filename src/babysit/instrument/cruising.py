"""Cruising: while a training goes on as it did, most of its steps leave only loss, time and rate.

What is done around a usual step is little work, but cold work: after a step of the training it
takes a few hundred microseconds. Where that would be a notable share of the time, a step that is
seen in full is followed by some that are not, until something is not as it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from torch import Tensor
from torch.optim import Optimizer

from babysit.instrument.bench import ProbeBench
from babysit.instrument.losses import number_of
from babysit.instrument.pacing import Pacer
from babysit.instrument.stepping import Stepping
from babysit.instrument.trainings import Cruise, Pending, Thread, TrainingState

FIRST_STEP: Final = 256  # a training's beginning is seen in full
LONGEST: Final = 15  # steps
SHARE: Final = 0.1  # of the budget: what steps seen in full may cost
MEMORY: Final = 0.2  # share of a new measurement in what is known


class Cruising:
    """Decides when a training cruises, has its steps kept meanwhile, and ends it in time.

    Args:
        is_quiet: whether no evaluation was seen since the last step, nor is looked for.
    """

    def __init__(
        self,
        thread: Thread,
        stepping: Stepping,
        pacer: Pacer,
        bench: ProbeBench,
        *,
        is_quiet: Callable[[], bool],
    ) -> None:
        self._thread, self._stepping, self._pacer, self._bench = thread, stepping, pacer, bench
        self._is_quiet = is_quiet
        self._share = 0.0
        self._seen = (0.0, 0.0)  # spent, and the time, when the last step seen in full had ended

    # -- beginning -----------------------------------------------------------------------

    def may_begin(self, state: TrainingState, num_backwards: int) -> None:
        """A step has been seen in full: the next ones need not be, if it was like any other.

        Args:
            num_backwards: of that step; 0 if it was not.
        """
        spent, now = self._pacer.spent, time.perf_counter()
        before, self._seen = self._seen, (spent, now)
        if not num_backwards or state.step < FIRST_STEP:
            return
        share = (spent - before[0]) / max(now - before[1], 1e-9)
        self._share += MEMORY * (share - self._share)
        length = math.ceil(self._share / (SHARE * self._pacer.budget)) - 1
        length = min(length, LONGEST, state.schedule.due - state.step)
        if length > 0 and len(state.roots) <= 1 and self._stepping.is_alone(state):
            self._thread.cruise = Cruise(
                state=state,
                optimizer=state.optimizers[0],
                model=state.roots[0] if state.roots else None,
                num_backwards=num_backwards,
                steps_left=length,
                limit=state.schedule.limit("loss"),
            )

    # -- one step ------------------------------------------------------------------------

    def backward(self, tensors: list[Tensor]) -> bool:
        """Whether this backward is as those before, and nothing else has happened since."""
        cruise, pending = self._thread.cruise, self._thread.pending
        if cruise is None:
            return False
        loss = tensors[0] if len(tensors) == 1 else None
        model = cruise.model() if cruise.model is not None else None
        if (
            loss is not None
            and (cruise.model is None or (model is not None and model.training))
            and cruise.steps_left
            and len(pending) < cruise.num_backwards
            and not cruise.is_stepping
            and self._is_quiet()
        ):
            value = number_of(loss)
            clearing = cruise.state.clearing
            clearing.look()
            is_usual = isinstance(value, float) and abs(value) <= cruise.limit
            if is_usual and not clearing.is_due:
                pending.append(Pending(loss=value))
                self._bench.on_backward(loss)
                return True
        self.leave()
        return False

    def opens(self, optimizer: Optimizer, *, has_closure: bool) -> bool:
        """Whether the optimizer's step that begins is this training's next."""
        cruise = self._thread.cruise
        if cruise is None:
            return False
        is_next = len(self._thread.pending) == cruise.num_backwards and not has_closure
        if not is_next or cruise.optimizer() is not optimizer:
            self.leave()
            return False
        self._bench.on_step(optimizer, is_sampled=False)
        cruise.is_stepping = True
        return True

    def closes(self, optimizer: Optimizer) -> bool:
        """The step has ended: keep what there is of it. Returns whether there was one."""
        cruise = self._thread.cruise
        if cruise is None or not cruise.is_stepping:
            return False
        self._bench.after_step(optimizer)
        self._stepping.pass_by(cruise.state, self._thread)
        cruise.is_stepping = False
        cruise.steps_left -= 1
        return True

    # -- end -----------------------------------------------------------------------------

    def leave(self) -> None:
        """See in full what comes next."""
        if self._thread.cruise is not None:
            self._thread.cruise = None
            self._seen = (self._pacer.spent, time.perf_counter())

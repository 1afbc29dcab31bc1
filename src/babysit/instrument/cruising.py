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

import torch
from torch import Tensor
from torch.optim import Optimizer

from babysit.instrument.bench import ProbeBench
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

    def may_begin(self, state: TrainingState, *, was_usual: bool) -> None:
        """A step has been seen in full: the next ones need not be, if it was like any other."""
        spent, now = self._pacer.spent, time.perf_counter()
        before, self._seen = self._seen, (spent, now)
        if not was_usual or state.step < FIRST_STEP:
            return
        share = (spent - before[0]) / max(now - before[1], 1e-9)
        self._share += MEMORY * (share - self._share)
        length = math.ceil(self._share / (SHARE * self._pacer.budget)) - 1
        length = min(length, LONGEST, state.schedule.due - state.step)
        is_alone = len(state.roots) == 1 and self._stepping.is_alone(state)
        if length > 0 and is_alone and self._bench.is_patient:
            self._thread.cruise = Cruise(
                state=state, optimizer=state.optimizers[0], model=state.roots[0],
                steps_left=length, limit=state.schedule.limit("loss"),
                num_wakes=self._bench.num_wakes, pending=Pending(loss=0.0),
            )  # fmt: skip

    # -- one step ------------------------------------------------------------------------

    def backward(self, tensors: list[Tensor]) -> bool:
        """Whether this backward is as those before, and nothing else has happened since."""
        cruise, pending = self._thread.cruise, self._thread.pending
        if cruise is None:
            return False
        loss, model = tensors[0] if len(tensors) == 1 else None, cruise.model()
        if (
            loss is not None
            and not loss.dim()
            and loss.device.type == "cpu"
            and model is not None
            and model.training
            and cruise.steps_left
            and not pending
            and self._is_quiet()
        ):
            value = torch._C.TensorBase.item(loss)  # past our own watch over what is read
            if abs(value) <= cruise.limit:
                cruise.pending.loss = value
                pending.append(cruise.pending)
                self._bench.on_backward(loss)
                return True
        self.leave()
        return False

    def opens(self, optimizer: Optimizer, *, has_closure: bool) -> bool:
        """Whether the optimizer's step that begins is this training's next."""
        cruise = self._thread.cruise
        if cruise is None:
            return False
        if (
            len(self._thread.pending) == 1
            and cruise.optimizer() is optimizer
            and not has_closure
            and self._stepping.norm_before_clip is None
            and cruise.num_wakes == self._bench.num_wakes
            and not self._bench.has_notes
        ):
            cruise.is_stepping = True
            return True
        self.leave()
        return False

    def closes(self) -> bool:
        """The step has ended: keep what there is of it. Returns whether there was one."""
        cruise = self._thread.cruise
        if cruise is None or not cruise.is_stepping:
            return False
        self._stepping.pass_by(cruise.state, cruise.pending)
        self._thread.pending.clear()
        cruise.is_stepping = False
        cruise.steps_left -= 1
        return True

    # -- end -----------------------------------------------------------------------------

    def leave(self) -> None:
        """See in full what comes next."""
        cruise, self._thread.cruise = self._thread.cruise, None
        if cruise is None:
            return
        optimizer = cruise.optimizer()
        if optimizer is not None:
            self._bench.after_step(optimizer)
        self._seen = (self._pacer.spent, time.perf_counter())

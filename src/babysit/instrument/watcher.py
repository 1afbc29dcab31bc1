"""The clock: hooks that turn PyTorch's calls into the phases of training steps.

Backward, the optimizer's step, the DataLoader and the loss functions are watched; everything
else follows from them. One ``optimizer.step`` is one step, however many backwards it took.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from babysit.faults import Faults
from babysit.guard import transparent
from babysit.instrument import sources, xray
from babysit.instrument.alarms import Alarms
from babysit.instrument.bench import ProbeBench
from babysit.instrument.calls import Calls
from babysit.instrument.cruising import Cruising
from babysit.instrument.emitter import Emitter
from babysit.instrument.glances import Glances
from babysit.instrument.lens import Lens
from babysit.instrument.loading import Loading
from babysit.instrument.loss_watch import LossWatch
from babysit.instrument.names import Names, has_parameters
from babysit.instrument.pacing import Pacer
from babysit.instrument.patches import Patches
from babysit.instrument.replay.inquest import Inquest, InquestOptions, is_bad
from babysit.instrument.stepping import Stepping
from babysit.instrument.switches import Switches
from babysit.instrument.trainings import (
    MAX_PENDING,
    OpenStep,
    Pending,
    Thread,
    Trainings,
    TrainingState,
    given,
    parameters_of,
)

OTHERS_WHILE_ARMED = 16
MAX_XRAYS_PER_STEP = 2


class Watcher:
    """Attaches to PyTorch, emits events, and takes itself off without a trace.

    Args:
        emit: receives every event.
        on_step: called after a step with the training's number and how many steps it has taken;
            ``True`` stops the training.
        faults: where our own failures go.
        stop: the exception that stops a training cleanly.
        inquest: finds out what made a value NaN or infinite.
        may_cruise: some steps may go by before ``on_step`` is called again.
    """

    def __init__(
        self,
        *,
        emit: Callable[[dict[str, Any]], None],
        on_step: Callable[[int, int], bool],
        budget: float,
        faults: Faults,
        stop: Callable[[], BaseException],
        inquest: InquestOptions,
        may_cruise: bool = True,
    ) -> None:
        self.pacer = Pacer(budget)
        self._patches = Patches()
        self._calls = Calls(self._patches, self.pacer, faults, self.is_live)
        self.faults = faults
        self.names = Names()
        self.trainings = Trainings()
        self.lens = Lens(self.names, self.pacer, self._module_called)
        self.emitter = Emitter(emit)
        self.stepping = Stepping(self.emitter, self.names, self.trainings, self.pacer)
        self.thread = Thread()
        self.bench = ProbeBench(
            lens=self.lens, thread=self.thread, faults=faults, replace=self._calls.replace
        )
        self.stepping.take_notes = self.bench.take
        self.glances = Glances(self.lens, self.pacer)
        self.switches = Switches(self.lens, self.glances, self.thread)
        self.active = False
        self._on_step, self._stop, self._may_cruise = on_step, stop, may_cruise
        self._armed_for, self._seen_bad = 0, False
        self.losses = LossWatch(self.stepping, self.thread, self.lens)
        self.loading = Loading(self._calls, self.thread, self.bench, self.losses, self.switches)
        self.cruising = Cruising(
            self.thread, self.stepping, self.pacer, self.bench, is_quiet=self._is_quiet
        )
        self.inquest = Inquest(inquest, self.names, self.pacer, on_wake=self._rest)
        self.alarms = Alarms(self.inquest, self._calls, self.stepping, self.bench)
        self.emitter.on_bad = self.alarms.seen_late

    # -- attaching -----------------------------------------------------------------------

    def attach(self) -> None:
        patches, wrap = self._patches, self._calls.wrap
        self.active = True
        patches.replace(torch.autograd, "backward", self._wrap_backward)
        patches.replace(torch.autograd, "grad", self._wrap_grad)
        patches.replace(Optimizer, "__init__", wrap(self._optimizer_made))
        for owner in (torch.nn.utils, torch.nn.utils.clip_grad):
            patches.replace(owner, "clip_grad_norm_", wrap(self._gradients_clipped))
        self.losses.attach(patches, wrap)
        self.switches.attach(patches, wrap)
        self.loading.attach(patches)
        module = torch.nn.modules.module
        for handle in (
            module.register_module_module_registration_hook(self._module_registered),
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ):
            patches.add_undo(handle.remove)
        self.alarms.attach(patches, self.is_live)
        self.names.origins.attach(patches, wrap)
        self.bench.attach()
        self._arm()

    def detach(self) -> None:
        """Finish what is open and take every hook and patch off."""
        if self.active:
            self.faults.guard(self._finish)
        self.lens.disarm()
        self.active = False
        self._patches.undo()

    def abandon(self) -> None:
        """In a forked child: be inert, and leave the parent's record alone."""
        self.active = False
        self.emitter.close()
        self.bench.on_fork()

    def _rest(self) -> None:
        """In a copy of the process: nothing here watches or records any more."""
        self.lens.disarm()
        self.active = False
        self.emitter.close()

    def _finish(self) -> None:
        self.cruising.leave()
        self._close_hand_step()
        self._take_evaluations()
        self.bench.finish()
        self.stepping.report_idle(self.thread)
        if self.losses.crashed is not None:
            self.stepping.report_crash(self.thread, self.losses.crashed)
        self.alarms.finish()
        if self.thread.last is None and self.inquest.has_found:
            self.thread.last = self.stepping.unstepped(self.thread)
        if self.thread.last is not None:
            self.stepping.emit_notes(self.thread.last)
        self.emitter.flush()
        self.inquest.end()

    def is_live(self) -> bool:
        return self.active and not torch.compiler.is_compiling()

    def _is_quiet(self) -> bool:
        """Whether no evaluation was seen since the last step, nor is looked for."""
        return self.losses.is_quiet and not self.glances.is_open

    # -- wrappers ------------------------------------------------------------------------

    def _wrap_backward(self, original: Any) -> Any:
        @functools.wraps(original)
        def backward(*args: Any, **kwargs: Any) -> Any:
            if not self.is_live() or torch._C._current_graph_task_id() != -1:
                return original(*args, **kwargs)
            tensors = given(args[0] if args else kwargs.get("tensors"))
            looks_after = self._calls.timed(self._before_backward, tensors)
            result = original(*args, **kwargs)
            if looks_after:
                self._calls.timed(self._after_backward)
            return result

        return transparent(backward)

    def _wrap_grad(self, original: Any) -> Any:
        @functools.wraps(original)
        def grad(*args: Any, **kwargs: Any) -> Any:
            if not self.is_live() or torch._C._current_graph_task_id() != -1:
                return original(*args, **kwargs)
            trains = self._calls.timed(self._before_grad, args, kwargs)
            result = original(*args, **kwargs)
            if trains:
                self._calls.timed(self._after_backward, result)
            return result

        return transparent(grad)

    # -- small observations --------------------------------------------------------------

    def _module_registered(self, parent: Any, name: str, child: Any) -> None:
        self._calls.timed(self.names.on_registration, parent, name, child)

    def _optimizer_made(self, args: Any, kwargs: Any, result: Any) -> None:
        self.cruising.leave()
        self.trainings.optimizers.add(args[0])
        self.stepping.optimizer_made(args[0], sources.caller())

    def _gradients_clipped(self, args: Any, kwargs: Any, result: Any) -> None:
        if isinstance(result, Tensor):
            self.stepping.norm_before_clip = result.detach()

    def _module_called(self, module: Any, inputs: Sequence[Any], output: Any) -> None:
        """An outermost module ran while the lens was armed or glanced."""
        if not self.active or not has_parameters(module):
            return
        state = self.thread.last
        is_off = not torch.is_grad_enabled() or not module.training
        is_evaluation = is_off and state is not None and state.is_part_of(module)
        if is_evaluation:
            self.glances.saw_evaluation()
        self._calls.timed(self.bench.on_call, module, inputs, output, is_evaluation)

    # -- backward ------------------------------------------------------------------------

    def _before_grad(self, args: Any, kwargs: Any) -> bool:
        """Whether this ``autograd.grad`` is a training's: of a scalar, for leaves, first order."""
        tensors = given(args[0] if args else kwargs.get("outputs"))
        wanted = given(args[1] if len(args) > 1 else kwargs.get("inputs"))
        is_plain = not kwargs.get("create_graph") and (len(args) < 5 or not args[4])
        if not is_plain or not wanted or not tensors or not all(t.is_leaf for t in wanted):
            return False
        if self.lens.is_armed:
            reached = xray.leaves_of(tensors[0])
            own = {id(tensor) for tensor in wanted}
            covered = sum(id(leaf) in own for leaf in reached)
            self.thread.is_grad_training = 2 * covered >= len(reached) > 0
        if self.thread.is_grad_training:
            self.thread.leaves = wanted
            self._before_backward(tensors, leaves=wanted)
            for state in self.trainings.here():
                state.clearing.replaced()
        return self.thread.is_grad_training

    def _before_backward(self, tensors: list[Tensor], leaves: Sequence[Tensor] = ()) -> bool:
        """Returns whether there is something to see after it: not on an ordinary step."""
        self.losses.crashed = None
        self.alarms.goes_on()
        if self.cruising.backward(tensors):
            return False
        thread, trainings = self.thread, self.trainings.here()
        if thread.depth == 0:
            if thread.hand.is_watching and thread.pending:
                was_read = thread.pending[-1].wiring is not None  # so its leaves are still held
                if tensors and not leaves and (was_read or thread.hand.replaces):
                    leaves = thread.leaves = xray.leaves_of(tensors[0])
                self._close_hand_step(leaves)
            self._take_evaluations()
        self.glances.end()
        if tensors:
            self.bench.on_backward(tensors[0])
        for state in trainings:
            state.clearing.look()
        pending = Pending(loss=self.losses.value(tensors))
        is_bad = isinstance(pending.loss, float) and not math.isfinite(pending.loss)
        is_sampled = self.lens.is_armed and thread.num_read < MAX_XRAYS_PER_STEP
        if self.lens.is_armed and not is_sampled:
            self.lens.disarm()  # a step of many backwards, or one that never comes
        if tensors and (is_sampled or (is_bad and not self._seen_bad)):
            calls, self.losses.evaluations.calls = self.losses.evaluations.calls[-8:], []
            step = thread.last.step if thread.last else 0
            self.lens.read(tensors[0], pending, step=step, calls=calls, is_bad=is_bad)
            thread.leaves = leaves or pending.leaves or thread.leaves
            if is_bad:
                self.alarms.raise_one("loss", f"the loss is {pending.loss} at step {step}")
        elif not len(self.trainings.optimizers) and thread.hand_state is None and tensors:
            thread.leaves = leaves or xray.leaves_of(tensors[0])  # what may be updated by hand
        self._seen_bad |= is_bad
        if thread.dataset is not None:
            self.losses.training_datasets.add(thread.dataset)
        thread.pending.append(pending)
        if len(thread.pending) > MAX_PENDING and thread.depth == 0:
            thread.set_idle_aside(self.emitter.number)
        is_usual = len(self.trainings.optimizers) and len(thread.pending) <= MAX_PENDING // 2
        return self.lens.is_armed or not is_usual or any(s.clearing.is_due for s in trainings)

    def _after_backward(self, gradients: Sequence[Tensor | None] = ()) -> None:
        for state in self.trainings.here():
            if state.clearing.is_due:
                state.clearing.mark(state.parameters)
        thread = self.thread
        has_optimizer = len(self.trainings.optimizers) > 0
        if thread.depth == 0 and (not has_optimizer or len(thread.pending) > MAX_PENDING // 2):
            thread.hand.mark(thread.leaves)
            if thread.pending[-1].wiring is not None:
                self.stepping.before_hand_step(thread, gradients)
        self.lens.focus()

    def _take_evaluations(self) -> None:
        if self.losses.evaluations.is_empty:
            return
        state = self.thread.last
        self.losses.evaluations.begin_training(in_eval_mode=self.stepping.is_model_in_eval(state))
        values = self.losses.evaluations.take()
        if any(is_bad(value) for value in values.values()):
            self.alarms.raise_one("evaluation", "an evaluation's loss is not finite")
        if values and state is not None:
            self.stepping.emit_evaluation(state, values, self.losses.evaluations)

    # -- steps ---------------------------------------------------------------------------

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self.is_live():
            failed = self.thread.stepping == id(optimizer)  # its last step never ended
            self.thread.depth = 1 if failed else self.thread.depth + 1
            if self.thread.depth == 1:
                self.thread.stepping = id(optimizer)
                given = (*args[1:], *kwargs.values())
                has_closure = bool(given) and any(callable(value) for value in given)
                self._calls.timed(self._open_step, optimizer, has_closure)

    def _open_step(self, optimizer: Optimizer, has_closure: bool) -> None:
        if self.cruising.opens(optimizer, has_closure=has_closure):
            return
        self.thread.opened = OpenStep(has_closure=has_closure)
        is_watched = self.lens.is_armed or has_closure or self.bench.wants_step
        if not is_watched and self.stepping.is_usual(optimizer, self.thread):
            self.thread.opened.num_backwards = len(self.thread.pending)
            return
        is_sampled = self.lens.is_armed or self.thread.num_read > 0
        self.bench.on_step(optimizer, is_sampled=is_sampled)
        self.stepping.begin(optimizer, self.thread)
        norm = self.thread.opened.values.get("gradient-norm", 0.0)
        if is_bad(norm) and any(is_bad(p.grad) for p in parameters_of(optimizer)):
            self.alarms.raise_one("gradient", "the gradient is not finite")

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not self.is_live() or self.thread.depth == 0:
            return
        self.thread.depth -= 1
        if self.thread.depth == 0:
            self.thread.stepping = None
            self._calls.timed(self._end_step, optimizer)

    def _end_step(self, optimizer: Optimizer) -> None:
        if self.cruising.closes(optimizer):
            self.inquest.steps += 1
            return
        self.bench.after_step(optimizer)
        finished = self.stepping.finish(optimizer, self.thread)
        if finished is not None:
            self._next_step(finished)

    def _close_hand_step(self, leaves: Sequence[Tensor] = ()) -> None:
        """Parameters changed since the last backward without an optimizer: that was a step."""
        thread = self.thread
        if thread.pending and thread.hand.is_watching and thread.hand.changed(leaves):
            state = self.stepping.hand_step(thread)
            self._next_step(state)

    def _next_step(self, state: TrainingState) -> None:
        """After a step: ask for the end, decide whether the next step is sampled."""
        should_stop = self.faults.guard(self._on_step, state.number, state.step)
        is_unusual = state.schedule.heed(state.step, state.sizes)
        self.faults.guard(self.inquest.stepped, is_unusual)
        if not self.active:
            return  # this is a copy of the process, and has just been woken
        state.is_sampled = False
        if state.schedule.wants(state.step, self.pacer):
            self._arm()
            self._armed_for = state.number
        elif self.lens.is_armed and self._armed_for == state.number:
            self.lens.disarm()
        elif self.lens.is_armed and state.step % OTHERS_WHILE_ARMED == 0:
            self.lens.disarm()  # the training that asked for it has ended
        if self._may_cruise:
            self.cruising.may_begin(state, self.thread.opened.num_backwards)
        if should_stop:
            raise self._stop()

    def _arm(self) -> None:
        self.lens.arm(with_lines=self.stepping.needs_lines(self.thread.last))

"""The clock: hooks that turn PyTorch's calls into the phases of training steps.

Backward, the optimizer's step, the DataLoader and the loss functions are watched; everything
else follows from them. One ``optimizer.step`` is one step, however many backwards it took.
"""

from __future__ import annotations

import functools
import math
import time
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
from babysit.instrument import losses, sources, xray
from babysit.instrument.emitter import Emitter
from babysit.instrument.lens import Lens
from babysit.instrument.names import Names
from babysit.instrument.pacing import Pacer
from babysit.instrument.patches import Patches
from babysit.instrument.stepping import Stepping
from babysit.instrument.trainings import Pending, Thread, Trainings, TrainingState

MAX_PENDING = 64
OTHERS_WHILE_ARMED = 16
MAX_XRAYS_PER_STEP = 2


class Watcher:
    """Attaches to PyTorch, emits events, and takes itself off without a trace.

    Args:
        emit: receives every event.
        on_step: called after a step with the training's number; ``True`` stops the training.
        faults: where our own failures go.
        stop: the exception that stops a training cleanly.
    """

    def __init__(
        self,
        *,
        emit: Callable[[dict[str, Any]], None],
        on_step: Callable[[int], bool],
        budget: float,
        faults: Faults,
        stop: Callable[[], BaseException],
    ) -> None:
        self.pacer = Pacer(budget)
        self.faults = faults
        self.names = Names()
        self.trainings = Trainings()
        self.evaluations = losses.Evaluations()
        self.lens = Lens(self.names, self.pacer)
        self.emitter = Emitter(emit)
        self.stepping = Stepping(self.emitter, self.names, self.trainings, self.pacer)
        self.thread = Thread()
        self.active = False
        self._on_step, self._stop = on_step, stop
        self._patches = Patches()
        self._armed_for = 0
        self._seen_bad = False
        self._scaled: tuple[Tensor, Tensor] | None = None
        self._training_datasets: set[int] = set()

    # -- attaching -----------------------------------------------------------------------

    def attach(self) -> None:
        patches, wrap = self._patches, self._wrap
        self.active = True
        patches.replace(torch.autograd, "backward", self._wrap_backward)
        patches.replace(torch.autograd, "grad", self._wrap_grad)
        patches.replace(Optimizer, "__init__", wrap(self._optimizer_made))
        patches.replace(torch.amp.GradScaler, "scale", wrap(self._loss_scaled))
        for owner in (torch.nn.utils, torch.nn.utils.clip_grad):
            patches.replace(owner, "clip_grad_norm_", wrap(self._gradients_clipped))
        for name in losses.FUNCTIONS:
            see = functools.partial(self._loss_called, name)
            patches.replace(torch.nn.functional, name, wrap(see))
        patches.replace(torch, "compile", wrap(self._compiled))
        patches.replace(torch.nn.Module, "compile", wrap(self._compiled))
        for name in ("__eq__", "eq"):
            patches.replace(Tensor, name, wrap(self._compared))
        loader = torch.utils.data.dataloader._BaseDataLoaderIter
        patches.replace(loader, "__next__", self._wrap_next)
        hooks = torch.autograd.graph.saved_tensors_hooks
        patches.replace(hooks, "__enter__", wrap(self._hooks_entered))
        patches.replace(hooks, "__exit__", wrap(self._hooks_left))
        module = torch.nn.modules.module
        for handle in (
            module.register_module_module_registration_hook(self._module_registered),
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ):
            patches.add_undo(handle.remove)
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

    def _finish(self) -> None:
        self._close_hand_step()
        self._take_evaluations()
        self.stepping.report_idle(self.thread)
        self.emitter.flush()

    def is_live(self) -> bool:
        return self.active and not torch.compiler.is_compiling()

    # -- wrappers ------------------------------------------------------------------------

    def _wrap(self, after: Callable[..., None]) -> Callable[[Any], Any]:
        """A wrapper maker: call the original, then show arguments and result to ``after``."""

        def make(original: Any) -> Any:
            @functools.wraps(original)
            def wrapper(*args: Any, **kwargs: Any) -> Any:
                result = original(*args, **kwargs)
                if self.active and not torch.compiler.is_compiling():
                    self._timed(after, args, kwargs, result)
                return result

            return transparent(wrapper)

        return make

    def _timed(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run a callback of ours: its time counted, its failure contained."""
        started = time.perf_counter()
        try:
            return self.faults.guard(function, *args)
        finally:
            self.pacer.add(time.perf_counter() - started)

    def _wrap_backward(self, original: Any) -> Any:
        @functools.wraps(original)
        def backward(*args: Any, **kwargs: Any) -> Any:
            if not self.is_live() or torch._C._current_graph_task_id() != -1:
                return original(*args, **kwargs)
            roots = args[0] if args else kwargs.get("tensors")
            tensors = [roots] if isinstance(roots, Tensor) else list(roots or ())
            self._timed(self._before_backward, tensors)
            result = original(*args, **kwargs)
            self._timed(self._after_backward)
            return result

        return transparent(backward)

    def _wrap_grad(self, original: Any) -> Any:
        @functools.wraps(original)
        def grad(*args: Any, **kwargs: Any) -> Any:
            if not self.is_live() or torch._C._current_graph_task_id() != -1:
                return original(*args, **kwargs)
            trains = self._timed(self._before_grad, args, kwargs)
            result = original(*args, **kwargs)
            if trains:
                self._timed(self._after_backward, result)
            return result

        return transparent(grad)

    def _wrap_next(self, original: Any) -> Any:
        @functools.wraps(original)
        def next_batch(loader: Any) -> Any:
            started = time.perf_counter()
            batch = original(loader)
            if self.active:
                self._timed(self._batch_loaded, loader, time.perf_counter() - started)
            return batch

        return transparent(next_batch)

    # -- small observations --------------------------------------------------------------

    def _module_registered(self, parent: Any, name: str, child: Any) -> None:
        self._timed(self.names.on_registration, parent, name, child)

    def _optimizer_made(self, args: Any, kwargs: Any, result: Any) -> None:
        self.trainings.optimizers.add(args[0])
        self.stepping.optimizer_places[args[0]] = sources.caller()

    def _loss_scaled(self, args: Any, kwargs: Any, result: Any) -> None:
        outputs = args[1] if len(args) > 1 else kwargs.get("outputs")
        if isinstance(result, Tensor) and isinstance(outputs, Tensor):
            self._scaled = (result.detach(), outputs.detach())

    def _gradients_clipped(self, args: Any, kwargs: Any, result: Any) -> None:
        if isinstance(result, Tensor):
            self.stepping.norm_before_clip = result.detach()

    def _loss_called(self, name: str, args: Any, kwargs: Any, result: Any) -> None:
        in_eval_mode = self.stepping.is_model_in_eval(self.thread.last)
        if torch.is_grad_enabled() and not in_eval_mode and not self.lens.is_armed:
            target = args[1] if len(args) > 1 else kwargs.get("target")
            self.evaluations.trained_on(target)  # the usual step: nothing else to see
            return
        call = losses.Call.of(name, args, kwargs, result)
        if call is not None:
            self.evaluations.see(
                call,
                is_sampled=self.lens.is_armed,
                in_eval_mode=in_eval_mode,
                repeats_training_data=self.thread.dataset in self._training_datasets,
            )

    def _compared(self, args: Any, kwargs: Any, result: Any) -> None:
        if torch.is_grad_enabled() or len(args) != 2 or not isinstance(result, Tensor):
            return
        if losses.is_agreement(*args):
            repeats = self.thread.dataset in self._training_datasets
            self.evaluations.see_agreement(args[1], result, repeats_training_data=repeats)

    def _compiled(self, args: Any, kwargs: Any, result: Any) -> None:
        self.lens.be_careful()

    def _hooks_entered(self, args: Any, kwargs: Any, result: Any) -> None:
        self.lens.scopes.saved_tensor_hooks(entered=True)

    def _hooks_left(self, args: Any, kwargs: Any, result: Any) -> None:
        self.lens.scopes.saved_tensor_hooks(entered=False)

    def _batch_loaded(self, loader: Any, seconds: float) -> None:
        self.thread.dataset = id(loader._dataset)
        if self.thread.last is not None:
            self.thread.last.data_seconds += seconds

    # -- backward ------------------------------------------------------------------------

    def _before_grad(self, args: Any, kwargs: Any) -> bool:
        """Whether this ``autograd.grad`` is a training's: of a scalar, for leaves, first order."""
        outputs = args[0] if args else kwargs.get("outputs")
        inputs = args[1] if len(args) > 1 else kwargs.get("inputs")
        wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs or ())
        tensors = [outputs] if isinstance(outputs, Tensor) else list(outputs or ())
        is_plain = not kwargs.get("create_graph") and (len(args) < 5 or not args[4])
        if not is_plain or not wanted or not tensors or not all(t.is_leaf for t in wanted):
            return False
        if self.lens.is_armed:
            reached = xray.leaves_of(tensors[0])
            given = {id(tensor) for tensor in wanted}
            covered = sum(id(leaf) in given for leaf in reached)
            self.thread.is_grad_training = 2 * covered >= len(reached) > 0
        if self.thread.is_grad_training:
            self.thread.leaves = wanted
            self._before_backward(tensors, leaves=wanted)
        return self.thread.is_grad_training

    def _before_backward(self, tensors: list[Tensor], leaves: Sequence[Tensor] = ()) -> None:
        thread = self.thread
        if thread.depth == 0:
            if thread.hand.is_watching and thread.pending:
                was_read = thread.pending[-1].wiring is not None  # so its leaves are still held
                if tensors and not leaves and (was_read or thread.hand.replaces):
                    leaves = thread.leaves = xray.leaves_of(tensors[0])
                self._close_hand_step(leaves)
            self._take_evaluations()
        for state in self.trainings.all[-4:]:
            state.clearing.look()
        pending = Pending(loss=self._loss_value(tensors))
        is_bad = isinstance(pending.loss, float) and not math.isfinite(pending.loss)
        num_read = sum(other.wiring is not None for other in thread.pending)
        is_sampled = self.lens.is_armed and num_read < MAX_XRAYS_PER_STEP
        if tensors and (is_sampled or (is_bad and not self._seen_bad)):
            calls, self.evaluations.calls = self.evaluations.calls[-8:], []
            step = thread.last.step if thread.last else 0
            self.lens.read(tensors[0], pending, step=step, calls=calls, is_bad=is_bad)
            thread.leaves = leaves or pending.leaves or thread.leaves
        self._seen_bad |= is_bad
        if thread.dataset is not None:
            self._training_datasets.add(thread.dataset)
        thread.pending.append(pending)
        if len(thread.pending) > MAX_PENDING and thread.depth == 0:
            thread.idle_losses += [self.emitter.number(p.loss) for p in thread.pending[:-1]]
            del thread.pending[:-1], thread.idle_losses[: -16 * MAX_PENDING]

    def _loss_value(self, tensors: list[Tensor]) -> Tensor | float:
        scaled, self._scaled = self._scaled, None
        first = tensors[0] if tensors else None
        if first is None:
            return float("nan")
        if scaled is not None and scaled[0].data_ptr() == first.data_ptr():
            first = scaled[1]
        value = first.detach()
        value = value.mean() if value.dim() else value
        return value.item() if value.device.type == "cpu" else value.clone()

    def _after_backward(self, gradients: Sequence[Tensor | None] = ()) -> None:
        for state in self.trainings.all[-4:]:
            state.clearing.mark(state.parameters if state.clearing.is_due else ())
        thread = self.thread
        has_optimizer = len(self.trainings.optimizers) > 0
        if thread.depth == 0 and (not has_optimizer or len(thread.pending) > MAX_PENDING // 2):
            thread.hand.mark(thread.leaves)
            if thread.pending[-1].wiring is not None:
                self.stepping.before_hand_step(thread, gradients)
        self.lens.focus()

    def _take_evaluations(self) -> None:
        state = self.thread.last
        self.evaluations.begin_training(in_eval_mode=self.stepping.is_model_in_eval(state))
        values = self.evaluations.take()
        if values and state is not None:
            self.stepping.emit_evaluation(state, values, self.evaluations.on_training_data)

    # -- steps ---------------------------------------------------------------------------

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self.is_live():
            self.thread.depth += 1
            if self.thread.depth == 1:
                has_closure = any(callable(value) for value in (*args[1:], *kwargs.values()))
                self._timed(self.stepping.begin, optimizer, self.thread, has_closure)

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if not self.is_live() or self.thread.depth == 0:
            return
        self.thread.depth -= 1
        if self.thread.depth == 0:
            finished = self._timed(self.stepping.finish, optimizer, self.thread)
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
        should_stop = self._timed(self._on_step, state.number)
        state.is_sampled = False
        if state.schedule.wants(state.step, self.pacer):
            self._timed(self._arm)
            self._armed_for = state.number
        elif self.lens.is_armed and self._armed_for == state.number:
            self.lens.disarm()
        elif self.lens.is_armed and state.step % OTHERS_WHILE_ARMED == 0:
            self.lens.disarm()  # the training that asked for it has ended
        if should_stop:
            raise self._stop()

    def _arm(self) -> None:
        self.lens.arm(with_lines=self.stepping.needs_lines(self.thread.last))

"""What a finished step leaves in the record: scalars always, details when it was sampled."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from babysit.instrument.describing import Describer
from babysit.instrument.emitter import Emitter, is_far
from babysit.instrument.losses import Evaluations
from babysit.instrument.names import Names
from babysit.instrument.pacing import Pacer
from babysit.instrument.parameters import SPREAD_SAMPLES, UpdateSampler, total_norm
from babysit.instrument.trainings import (
    OpenStep,
    Pending,
    Thread,
    Trainings,
    TrainingState,
    gradients_of,
    parameters_of,
)
from babysit.instrument.vigilance import LEAPS, sizes_of
from babysit.wiring import LossCall

LINED_SAMPLES = 2


class Stepping:
    """Opens a step before the optimizer acts and closes it after."""

    def __init__(self, emitter: Emitter, names: Names, trainings: Trainings, pacer: Pacer) -> None:
        self._emitter, self._names = emitter, names
        self._describer = Describer(emitter, names, trainings)
        self._trainings, self._pacer = trainings, pacer
        self._norm_cost = 0.0
        self.norm_before_clip: Tensor | None = None
        self.take_notes: Callable[[], tuple[dict[str, Any], dict[str, Any]]] = lambda: ({}, {})

    def optimizer_made(self, optimizer: Optimizer, place: dict[str, Any] | None) -> None:
        self._describer.optimizer_places[optimizer] = place

    # -- around optimizer.step -----------------------------------------------------------

    def is_usual(self, optimizer: Optimizer, thread: Thread) -> bool:
        """Whether nothing is to be seen before this step that could not be seen after it."""
        state = self._trainings.of(optimizer, thread.last)
        first = next((p for group in optimizer.param_groups for p in group["params"]), None)
        return (
            state is not None
            and not state.clearing.is_due
            and first is not None
            and first.grad is not None
            and not thread.num_read
            and not self._pacer.affords(2 * self._norm_cost)
        )

    def begin(self, optimizer: Optimizer, thread: Thread) -> None:
        """Just before the optimizer changes the weights, unless the step is a usual one."""
        opened, has_closure = thread.opened, thread.opened.has_closure
        state = self._trainings.of(optimizer, thread.last)
        if state is None:
            self._trainings.optimizers.add(optimizer)
            if thread.pending:
                state = self._start_training(optimizer, thread.pending)
        opened.state = state
        if state is None or not (thread.pending or has_closure):
            return
        state.is_sampled = has_closure or thread.num_read > 0
        if state.is_sampled:
            opened.sampler = self._sample(state, optimizer, thread.pending)
        state.clearing.look_before_step()
        if not has_closure:
            self._read_gradients(state, optimizer, opened.values)

    def _sample(
        self, state: TrainingState, optimizer: Optimizer, pending: Sequence[Pending]
    ) -> UpdateSampler:
        self._describer.adopt(state, pending)
        outside = [tensor for ref in state.outside if (tensor := ref()) is not None]
        own = {id(p): p for p in (*parameters_of(optimizer), *outside) if p.requires_grad}
        trained = list(own.values())
        named = [(self._names.parameter(p)[0], p) for p in trained]
        gradients = gradients_of(optimizer, trained)
        with_spread = state.num_samples < SPREAD_SAMPLES
        return UpdateSampler(named, with_spread=with_spread, gradients=gradients)

    def _read_gradients(
        self, state: TrainingState, optimizer: Optimizer, values: dict[str, Any]
    ) -> None:
        parameters = parameters_of(optimizer)
        if all(parameter.grad is None for parameter in parameters):
            values["without-gradient"] = 1.0
            return
        if state.clearing.kept:
            values["gradients-kept"] = 1.0
        is_scaled = hasattr(optimizer, "found_inf")  # to ask a GPU for it would be to wait
        if state.is_sampled or (not is_scaled and self._pacer.affords(2 * self._norm_cost)):
            started = time.perf_counter()
            gradients = [g for g in gradients_of(optimizer, parameters) if g is not None]
            if gradients:
                norm = total_norm(gradients)
                values["gradient-norm"] = norm if is_far(norm) else norm.item()
            self._norm_cost += 0.2 * (time.perf_counter() - started - self._norm_cost)

    def finish(self, optimizer: Optimizer, thread: Thread) -> TrainingState | None:
        """Just after. Returns the training if this closed a step of it."""
        opened = thread.opened
        state = opened.state or self._trainings.of(optimizer, thread.last)
        if state is None and opened.has_closure and thread.pending:
            state = self._start_training(optimizer, thread.pending)
        if state is None:
            self._join(optimizer, thread)
            return None
        is_first = bool(state.optimizers) and state.optimizers[0]() is optimizer
        if not thread.pending and not is_first:
            return None  # another optimizer of a step already closed
        if opened.has_closure:
            state.is_sampled = thread.num_read > 0
            if state.is_sampled:
                self._describer.adopt(state, thread.pending)
            if state.clearing.kept:
                opened.values["gradients-kept"] = 1.0
        values = {**self._step_values(state, thread), **opened.values}
        self._close(state, values, thread)
        thread.hand.mark(())  # this change was the optimizer's
        state.clearing.finish_step(parameters_of(optimizer))
        return state

    def _join(self, optimizer: Optimizer, thread: Thread) -> None:
        """A first step without a backward of its own: it shares the backward just used."""
        last = thread.last
        if last is not None and any(p.grad is not None for p in parameters_of(optimizer)):
            self._trainings.join(optimizer, last)
            self._describer.describe(last)

    def before_hand_step(self, thread: Thread, gradients: Sequence[Tensor | None]) -> None:
        """After a backward in a program without optimizers: an update by hand may follow."""
        named = [(self._names.parameter(leaf)[0], leaf) for leaf in thread.leaves]
        thread.hand_sampler = UpdateSampler(named, with_spread=True, gradients=gradients)

    def hand_step(self, thread: Thread) -> TrainingState:
        """A step that no optimizer took."""
        opened = thread.opened = OpenStep(sampler=thread.hand_sampler)
        thread.hand_sampler = None
        if opened.sampler is not None:
            self._follow_replaced(opened.sampler, thread.leaves)
        state = self._trainings.owning(thread.leaves) or thread.hand_state
        if state is None:
            state = self._new_training(thread.leaves, thread.pending)
        thread.hand_state = state
        state.include(thread.leaves)
        state.is_sampled = thread.num_read > 0
        if state.is_sampled:
            self._describer.adopt(state, thread.pending)
        values = self._step_values(state, thread)
        if state.keeps_gradients:
            values["gradients-kept"] = 1.0
        # Seen from the next backward: what was not cleared by now goes into the next step.
        state.clearing.look()
        state.keeps_gradients = state.clearing.kept
        self._close(state, values, thread)
        state.clearing.finish_step(())
        return state

    def _follow_replaced(self, sampler: UpdateSampler, leaves: Sequence[Tensor]) -> None:
        """Where updates make new tensors (``w = w - lr * g``) the new ones take the names."""
        old = sampler.tensors
        if [t.shape for t in old] == [t.shape for t in leaves]:
            for new, former in zip(leaves, old, strict=True):
                self._names.inherit(new, former)
            sampler.replace(leaves)

    # -- the values of a step ------------------------------------------------------------

    def _step_values(self, state: TrainingState, thread: Thread) -> dict[str, Any]:
        return self._passing(state, thread) | self._mode_values(state)

    def is_alone(self, state: TrainingState) -> bool:
        """Whether its one optimizer is the only one in the process."""
        return len(state.optimizers) == 1 == len(self._trainings.optimizers)

    def pass_by(self, state: TrainingState, thread: Thread) -> None:
        """Close a step that was not looked at."""
        values, number = self._passing(state, thread), state.number
        self._emitter.keep(
            {"event": "step", "training": number, "step": state.step, "values": values}
        )
        self.emit_notes(state)
        state.step += 1
        state.clearing.mark_again()
        thread.pending.clear()

    def _passing(self, state: TrainingState, thread: Thread) -> dict[str, Any]:
        """What every step has: its loss, the time that passed, and rates that changed."""
        now, values = time.perf_counter(), dict[str, Any]()
        counted = thread.pending[:1] if thread.opened.has_closure else thread.pending
        if counted:
            total = counted[0].loss
            for other in counted[1:]:
                total = total + other.loss
            values["loss"] = total / len(counted)
        if len(thread.pending) != 1:
            values["backwards"] = float(len(thread.pending))
        if self.norm_before_clip is not None:
            values["gradient-norm-before-clip"] = self.norm_before_clip
            self.norm_before_clip = None
        if state.last_time is not None:
            values["step-seconds"] = now - state.last_time
        if state.data_seconds:
            values["data-seconds"] = state.data_seconds
        state.last_time, state.data_seconds = now, 0.0
        return values | self._rates(state)

    def _mode_values(self, state: TrainingState) -> dict[str, float]:
        """Nothing while the model is in train mode, whatever single layers are in."""
        if not self.is_model_in_eval(state):
            return {}
        layers = [layer for ref in state.mode_layers if (layer := ref()) is not None]
        share = sum(not layer.training for layer in layers) / max(len(layers), 1)
        return {"model-in-eval-mode": 1.0} | ({"in-eval-mode": share} if share else {})

    def is_model_in_eval(self, state: TrainingState | None) -> bool:
        """Whether every outermost model of a training is in eval mode right now."""
        roots = [root for ref in (state.roots if state else ()) if (root := ref()) is not None]
        return bool(roots) and not any(root.training for root in roots)

    def _rates(self, state: TrainingState) -> dict[str, Any]:
        """Learning rates of all groups, when any has changed."""
        rates = []
        for reference in state.optimizers:
            optimizer = reference()
            for group in optimizer.param_groups if optimizer is not None else ():
                if "lr" in group:
                    rates.append(float(group["lr"]))
        if rates == state.rates:
            return {}
        state.rates = rates
        return {"learning-rate": {str(index): rate for index, rate in enumerate(rates)}}

    def _close(self, state: TrainingState, values: dict[str, Any], thread: Thread) -> None:
        """Emit the step, and what was sampled of it."""
        step = state.step
        state.sizes = {name: v for name in LEAPS if isinstance(v := values.get(name), float)}
        self._describer.emit("step", state, values=values)
        if state.is_sampled:
            details: dict[str, Any] = {}
            for pending in thread.pending:
                for signal, by_place in pending.values.items():
                    details[signal] = {**details.get(signal, {}), **by_place}
            if thread.opened.sampler is not None:
                details.update(thread.opened.sampler.finish())
            self._describer.emit("sample", state, values=details)
            state.sizes |= sizes_of(details)
            state.num_samples += 1
            state.schedule.sampled(step, self._pacer)
        self.emit_notes(state)
        state.step += 1
        thread.pending, thread.idle_losses, thread.idle_readings = [], [], []
        thread.last = state

    def tell_autopsy(self, found: dict[str, Any]) -> bool:
        """Record what an autopsy found with the training that it is about, if it says which."""
        told = found.pop("optimizer", None)
        own = [one for one in self._trainings.optimizers if id(one) == told]
        state = self._trainings.of(own[0]) if own else None
        if state is not None:
            self._describer.facts(state, autopsy=in_own_steps(found, state))
        return state is not None

    def emit_notes(self, state: TrainingState) -> None:
        """What probes noted since the last step."""
        notes, facts = self.take_notes()
        if notes:
            self._describer.emit("sample", state, values=notes)
        if "autopsy" in facts:
            facts["autopsy"] = in_own_steps(facts["autopsy"], state)
        if facts:
            self._describer.facts(state, **facts)

    # -- describing a training -----------------------------------------------------------

    def _start_training(self, optimizer: Optimizer, pending: Sequence[Pending]) -> TrainingState:
        state = self._new_training(parameters_of(optimizer), pending)
        self._trainings.join(optimizer, state)
        return state

    def _new_training(
        self, parameters: Sequence[Tensor], pending: Sequence[Pending]
    ) -> TrainingState:
        number = len(self._trainings.all) + 1
        called = [root for reading in pending for root in reading.roots]
        title = self._names.title(parameters, called)
        state = self._trainings.add(title or "training", parameters)
        self._describer.emit("training", state, name=f"training {number} ({state.name})")
        return state

    def needs_lines(self, state: TrainingState | None) -> bool:
        return state is None or state.num_samples < LINED_SAMPLES

    def emit_evaluation(
        self, state: TrainingState, values: dict[str, Any], seen: Evaluations
    ) -> None:
        self._describer.emit("sample", state, values=values)
        self._describer.facts(
            state,
            evaluated_on_training_data=sorted(seen.on_training_data),
            evaluated_labels=seen.labels.take(),
        )

    def report_idle(self, thread: Thread) -> None:
        """Backwards that no step ever used: a training whose weights nobody updates."""
        losses = [*thread.idle_losses, *(self._emitter.number(p.loss) for p in thread.pending)]
        if not losses or self._trainings.owning(thread.leaves) is not None:
            return
        state = self._new_training(thread.leaves, thread.pending)
        seen = (*thread.idle_readings, *thread.pending)
        readings = [pending for pending in seen if pending.wiring]
        state.include(thread.leaves)
        self._describer.adopt(state, readings)
        self._describer.facts(state, backwards_without_step=len(losses))
        for index, loss in enumerate(losses):
            state.step = index
            self._describer.emit("sample", state, values={"loss": loss})
        for pending in readings:
            self._describer.emit("sample", state, values=pending.values)
        thread.last = state

    def report_crash(self, thread: Thread, call: LossCall) -> None:
        """The program ended in a loss function that raised: what it was given."""
        state = thread.last or self.unstepped(thread)
        self._describer.emit("wiring", state, nodes=[], calls=[call.to_json()])

    def unstepped(self, thread: Thread) -> TrainingState:
        """A training that has not taken a step and will not."""
        return self._new_training(thread.leaves, thread.pending)


def in_own_steps(found: dict[str, Any], state: TrainingState) -> dict[str, Any]:
    """An autopsy that counted the steps of all trainings together, in those of one of them."""
    held = found.pop("held", 0)
    for one in (found, found.get("birth") or {}):
        if held and held != state.step and "step" in one:
            one["step"] = round(one["step"] * state.step / held)
    return found

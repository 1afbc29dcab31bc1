"""What a finished step leaves in the record: scalars always, details when it was sampled."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.instrument.emitter import Emitter
from babysit.instrument.names import Names, has_parameters
from babysit.instrument.pacing import Pacer
from babysit.instrument.parameters import SPREAD_SAMPLES, UpdateSampler, total_norm
from babysit.instrument.trainings import (
    Pending,
    Thread,
    Trainings,
    TrainingState,
    parameters_of,
)
from babysit.wiring import Node

LINED_SAMPLES = 2
MAX_MODE_LAYERS = 16
_HYPERPARAMETERS = (
    "lr", "momentum", "weight_decay", "betas", "eps", "nesterov", "alpha", "amsgrad",
)  # fmt: skip


class Stepping:
    """Opens a step before the optimizer acts and closes it after."""

    def __init__(self, emitter: Emitter, names: Names, trainings: Trainings, pacer: Pacer) -> None:
        self._emitter, self._names = emitter, names
        self._trainings, self._pacer = trainings, pacer
        self._sampler: UpdateSampler | None = None
        self._values: dict[str, Any] = {}
        self._has_closure = False
        self._norm_cost = 0.0
        self.norm_before_clip: Tensor | None = None
        self.optimizer_places: weakref.WeakKeyDictionary[Optimizer, dict[str, Any] | None]
        self.optimizer_places = weakref.WeakKeyDictionary()

    # -- around optimizer.step -----------------------------------------------------------

    def begin(self, optimizer: Optimizer, thread: Thread, has_closure: bool) -> None:
        """Just before the optimizer changes the weights."""
        self._values, self._sampler, self._has_closure = {}, None, has_closure
        self._trainings.optimizers.add(optimizer)
        parameters = parameters_of(optimizer)
        state = self._trainings.of(optimizer)
        if state is None and thread.pending:
            state = self._start_training(optimizer, thread.pending)
        if state is None or not (thread.pending or has_closure):
            return
        state.is_sampled = has_closure or any(p.wiring for p in thread.pending)
        if state.is_sampled:
            self._sample(state, parameters, thread.pending)
        state.clearing.look_before_step()
        if not has_closure:
            self._read_gradients(state, parameters)

    def _sample(
        self, state: TrainingState, parameters: Sequence[Tensor], pending: Sequence[Pending]
    ) -> None:
        self._adopt(state, pending)
        outside = [tensor for ref in state.outside if (tensor := ref()) is not None]
        trained = {id(p): p for p in (*parameters, *outside) if p.requires_grad}
        named = [(self._names.parameter(p)[0], p) for p in trained.values()]
        self._sampler = UpdateSampler(named, with_spread=state.num_samples < SPREAD_SAMPLES)

    def _read_gradients(self, state: TrainingState, parameters: Sequence[Tensor]) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            self._values["without-gradient"] = 1.0
            return
        if state.clearing.kept:
            self._values["gradients-kept"] = 1.0
        if state.is_sampled or self._pacer.affords(2 * self._norm_cost):
            started = time.perf_counter()
            with torch.no_grad():
                self._values["gradient-norm"] = total_norm(gradients)
            self._norm_cost += 0.2 * (time.perf_counter() - started - self._norm_cost)
        if self.norm_before_clip is not None:
            self._values["gradient-norm-before-clip"] = self.norm_before_clip
            self.norm_before_clip = None

    def finish(self, optimizer: Optimizer, thread: Thread) -> TrainingState | None:
        """Just after. Returns the training if this closed a step of it."""
        state = self._trainings.of(optimizer)
        if state is None and self._has_closure and thread.pending:
            state = self._start_training(optimizer, thread.pending)
        if state is None:
            self._join(optimizer, thread)
            return None
        is_first = bool(state.optimizers) and state.optimizers[0]() is optimizer
        if not thread.pending and not is_first:
            return None  # another optimizer of a step already closed
        if self._has_closure:
            state.is_sampled = any(pending.wiring for pending in thread.pending)
            if state.is_sampled:
                self._adopt(state, thread.pending)
            if state.clearing.kept:
                self._values["gradients-kept"] = 1.0
        values = {**self._step_values(state, thread.pending), **self._values}
        self._close(state, values, thread)
        thread.hand.mark(())  # this change was the optimizer's
        state.clearing.finish_step(parameters_of(optimizer))
        return state

    def _join(self, optimizer: Optimizer, thread: Thread) -> None:
        """A first step without a backward of its own: it shares the backward just used."""
        last = thread.last
        if last is not None and any(p.grad is not None for p in parameters_of(optimizer)):
            self._trainings.join(optimizer, last)
            self._describe(last)

    def before_hand_step(self, thread: Thread, gradients: Sequence[Tensor | None]) -> None:
        """After a backward in a program without optimizers: an update by hand may follow."""
        named = [(self._names.parameter(leaf)[0], leaf) for leaf in thread.leaves]
        thread.hand_sampler = UpdateSampler(named, with_spread=True, gradients=gradients)

    def hand_step(self, thread: Thread) -> TrainingState:
        """A step that no optimizer took."""
        self._values, self._sampler = {}, thread.hand_sampler
        thread.hand_sampler = None
        if self._sampler is not None:
            self._follow_replaced(self._sampler, thread.leaves)
        state = self._trainings.owning(thread.leaves) or thread.hand_state
        if state is None:
            state = self._new_training(thread.leaves, thread.pending)
        thread.hand_state = state
        state.include(thread.leaves)
        state.is_sampled = any(pending.wiring for pending in thread.pending)
        if state.is_sampled:
            self._adopt(state, thread.pending)
        values = self._step_values(state, thread.pending)
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

    def _step_values(self, state: TrainingState, pending: Sequence[Pending]) -> dict[str, Any]:
        now = time.perf_counter()
        values: dict[str, Any] = {}
        if pending:
            counted = pending[:1] if self._has_closure else pending
            total = counted[0].loss
            for other in counted[1:]:
                total = total + other.loss
            values["loss"] = total / len(counted)
        if len(pending) != 1:
            values["backwards"] = float(len(pending))
        if state.last_time is not None:
            values["step-seconds"] = now - state.last_time
        if state.data_seconds:
            values["data-seconds"] = state.data_seconds
        state.last_time, state.data_seconds = now, 0.0
        return values | self._mode_values(state) | self._rates(state)

    def _mode_values(self, state: TrainingState) -> dict[str, float]:
        layers = [layer for ref in state.mode_layers if (layer := ref()) is not None]
        values = {"model-in-eval-mode": 1.0} if self.is_model_in_eval(state) else {}
        if layers and not all(layer.training for layer in layers):
            in_eval = sum(not layer.training for layer in layers)
            values["in-eval-mode"] = in_eval / len(layers)
        return values

    def is_model_in_eval(self, state: TrainingState | None) -> bool:
        """Whether every outermost model of a training is in eval mode right now."""
        roots = [root for ref in (state.roots if state else ()) if (root := ref()) is not None]
        return bool(roots) and not any(root.training for root in roots)

    def _rates(self, state: TrainingState) -> dict[str, Any]:
        """Learning rates of all groups, when any has changed."""
        optimizers = [o for ref in state.optimizers if (o := ref()) is not None]
        rates = [
            float(group["lr"]) for o in optimizers for group in o.param_groups if "lr" in group
        ]
        if rates == state.rates:
            return {}
        state.rates = rates
        return {"learning-rate": {str(index): rate for index, rate in enumerate(rates)}}

    def _close(self, state: TrainingState, values: dict[str, Any], thread: Thread) -> None:
        """Emit the step, and what was sampled of it."""
        step = state.step
        self._emit("step", state, values=values)
        if state.is_sampled:
            details: dict[str, Any] = {}
            for pending in thread.pending:
                for signal, by_place in pending.values.items():
                    details[signal] = {**details.get(signal, {}), **by_place}
            if self._sampler is not None:
                details.update(self._sampler.finish())
            self._emit("sample", state, values=details)
            state.num_samples += 1
            state.schedule.sampled(step, self._pacer)
        state.step += 1
        thread.pending, thread.idle_losses, thread.last = [], [], state

    # -- describing a training -----------------------------------------------------------

    def _start_training(self, optimizer: Optimizer, pending: Sequence[Pending]) -> TrainingState:
        state = self._new_training(parameters_of(optimizer), pending)
        self._trainings.join(optimizer, state)
        return state

    def _new_training(
        self, parameters: Iterable[Tensor], pending: Sequence[Pending]
    ) -> TrainingState:
        number = len(self._trainings.all) + 1
        kinds = [type(root).__name__ for p in pending for root in p.roots if has_parameters(root)]
        state = self._trainings.add(kinds[0] if kinds else "training", parameters)
        self._emit("training", state, name=f"training {number} ({state.name})")
        return state

    def _adopt(self, state: TrainingState, pending: Sequence[Pending]) -> None:
        """Take over what the X-rays of a sampled step say about a training."""
        own = {id(parameter) for parameter in state.parameters}
        optimized = self._trainings.optimized()
        for reading in pending:
            if reading.wiring is None:
                continue
            self._adopt_modules(state, reading)
            outside = [t for t in reading.leaves if id(t) not in own]
            state.outside = [weakref.ref(t) for t in outside if id(t) not in optimized]
            for other in self._trainings.all:
                if other is not state and other.step and other.holds(outside):
                    self._facts(state, is_adversarial=True)
                    self._facts(other, is_adversarial=True)
            self._adopt_wiring(state, reading)
        self._describe(state)

    def _adopt_modules(self, state: TrainingState, reading: Pending) -> None:
        reached = {id(leaf) for leaf in reading.leaves}
        roots = [r for r in reading.roots if any(id(p) in reached for p in r.parameters())]
        copies = {type(root) for root in roots} & {
            type(other) for other in reading.roots if has_parameters(other) and other not in roots
        }
        if copies:  # a target or teacher network: what it says moves with the training
            self._facts(state, has_teacher=True)
        layers = [m for root in roots for m in root.modules() if behaves_by_mode(m)]
        state.roots = [weakref.ref(root) for root in roots]
        state.mode_layers = [weakref.ref(layer) for layer in layers[:MAX_MODE_LAYERS]]
        built = {
            name: place
            for root in roots
            for module in root.modules()
            if (name := self._names.layer(module)) and (place := self._names.place_of(module))
        }
        self._facts(state, layer_places=built)

    def _adopt_wiring(self, state: TrainingState, reading: Pending) -> None:
        assert reading.wiring is not None
        nodes = reading.wiring.nodes
        if num_lines(nodes) > num_lines(state.lines):
            state.lines = list(nodes)
        if reading.origin is not None and "non_finite_origin" not in state.facts:
            self._facts(state, non_finite_origin=with_line(reading.origin, nodes, state.lines))
        if reading.place:
            self._facts(state, backward_place=reading.place)
        if reading.wiring.digest in state.digests or len(state.digests) >= 8:
            return
        state.digests.add(reading.wiring.digest)
        calls = [vars(call) for call in reading.calls]
        self._emit("wiring", state, nodes=[node.to_json() for node in nodes], calls=calls)

    def _describe(self, state: TrainingState) -> None:
        """Parameters and optimizers, where they differ from what was said before."""
        optimized = self._trainings.optimized()
        tensors = {id(p): p for p in state.parameters}
        for root in (ref() for ref in state.roots):
            tensors.update({id(p): p for p in root.parameters()} if root is not None else {})
        tensors.update({id(t): t for ref in state.outside if (t := ref()) is not None})
        if any(not self._names.knows(tensor) for tensor in tensors.values()):
            self._names.search_frames(tensors.values())
        changed = []
        for tensor in tensors.values():
            is_updated = not state.optimizers or id(tensor) in optimized
            fields = self._parameter(tensor, is_updated)
            if state.described.get(fields["name"]) != fields:
                state.described[fields["name"]] = fields
                changed.append(fields)
        if changed:
            self._emit("parameters", state, parameters=changed)
        optimizers = [self._optimizer(o) for ref in state.optimizers if (o := ref()) is not None]
        if state.facts.get("optimizers") != optimizers:
            state.facts["optimizers"] = optimizers
            self._emit("optimizers", state, optimizers=optimizers)

    def _parameter(self, tensor: Tensor, optimized: bool) -> dict[str, Any]:
        name, layer, kind = self._names.parameter(tensor)
        return {
            "name": name, "shape": list(tensor.shape), "layer": layer, "kind": kind,
            "dtype": str(tensor.dtype).removeprefix("torch."), "trainable": tensor.requires_grad,
            "optimized": optimized, "is_parameter": isinstance(tensor, nn.Parameter),
        }  # fmt: skip

    def _optimizer(self, optimizer: Optimizer) -> dict[str, Any]:
        groups = [
            {key: plain(group[key]) for key in _HYPERPARAMETERS if group.get(key) is not None}
            for group in optimizer.param_groups
        ]
        place = self.optimizer_places.get(optimizer)
        return {"kind": type(optimizer).__name__, "groups": groups, "place": place}

    def needs_lines(self, state: TrainingState | None) -> bool:
        return state is None or state.num_samples < LINED_SAMPLES

    # -- emitting ------------------------------------------------------------------------

    def _emit(self, event: str, state: TrainingState, **fields: Any) -> None:
        self._emitter.emit({"event": event, "training": state.number, "step": state.step, **fields})

    def _facts(self, state: TrainingState, **facts: Any) -> None:
        new = {name: value for name, value in facts.items() if state.facts.get(name) != value}
        if new:
            state.facts.update(new)
            self._emit("facts", state, facts=new)

    def emit_evaluation(
        self, state: TrainingState, values: dict[str, Any], on_training_data: set[str]
    ) -> None:
        self._emit("sample", state, values=values)
        self._facts(state, evaluated_on_training_data=sorted(on_training_data))

    def report_idle(self, thread: Thread) -> None:
        """Backwards that no step ever used: a training whose weights nobody updates."""
        losses = [*thread.idle_losses, *(self._emitter.number(p.loss) for p in thread.pending)]
        if not losses or self._trainings.owning(thread.leaves) is not None:
            return
        state = self._new_training(thread.leaves, thread.pending)
        readings = [pending for pending in thread.pending if pending.wiring]
        state.include(thread.leaves)
        self._adopt(state, readings)
        self._facts(state, backwards_without_step=len(losses))
        for index, loss in enumerate(losses):
            state.step = index
            self._emit("sample", state, values={"loss": loss})


def with_line(
    origin: dict[str, Any], nodes: Sequence[Node], lined: Sequence[Node]
) -> dict[str, Any]:
    """The origin with its source line, taken from the same node of an earlier X-ray."""
    index = origin.pop("node", None)
    same = [node.op for node in nodes] == [node.op for node in lined]
    if index is not None and not origin.get("line") and same:
        node = lined[index]
        origin |= {"layer": node.layer, "file": node.file, "line": node.line, "code": node.code}
    return origin


def num_lines(nodes: Sequence[Node]) -> int:
    return sum(node.line is not None for node in nodes)


def behaves_by_mode(module: nn.Module) -> bool:
    """Whether a layer computes something else in eval mode: dropout and batch norm."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return module.track_running_stats
    share = getattr(module, "p", None) if "Dropout" in type(module).__name__ else None
    share = getattr(module, "dropout", None) if share is None else share
    return isinstance(share, float) and share > 0


def plain(value: Any) -> Any:
    """An optimizer's setting as JSON can hold it."""
    if isinstance(value, Tensor):
        return value.item()
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value

"""What a training consists of: its wiring, modules, parameters and optimizers, as events."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.instrument.emitter import Emitter
from babysit.instrument.names import Names, has_parameters
from babysit.instrument.trainings import Pending, Trainings, TrainingState
from babysit.wiring import Node

MAX_MODE_LAYERS = 16
_HYPERPARAMETERS = (
    "lr", "momentum", "weight_decay", "betas", "eps", "nesterov", "alpha", "amsgrad",
)  # fmt: skip


class Describer:
    """Says what a training consists of, whenever that differs from what was said before."""

    def __init__(self, emitter: Emitter, names: Names, trainings: Trainings) -> None:
        self._emitter, self._names, self._trainings = emitter, names, trainings
        self.optimizer_places: weakref.WeakKeyDictionary[Optimizer, dict[str, Any] | None]
        self.optimizer_places = weakref.WeakKeyDictionary()

    def adopt(self, state: TrainingState, pending: Sequence[Pending]) -> None:
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
                    self.facts(state, is_adversarial=True)
                    self.facts(other, is_adversarial=True)
            self._adopt_wiring(state, reading)
        self.describe(state)

    def _adopt_modules(self, state: TrainingState, reading: Pending) -> None:
        reached = {id(leaf) for leaf in reading.leaves}
        roots = [r for r in reading.roots if any(id(p) in reached for p in r.parameters())]
        if not roots:
            return  # all that ran went into an earlier backward of the step
        copies = {signature(root) for root in roots} & {
            signature(other)
            for other in reading.roots
            if has_parameters(other) and other not in roots
        }
        if copies:  # a target or teacher network: what it says moves with the training
            self.facts(state, has_teacher=True)
        layers = [m for root in roots for m in root.modules() if behaves_by_mode(m)]
        state.roots = [weakref.ref(root) for root in roots]
        state.mode_layers = [weakref.ref(layer) for layer in layers[:MAX_MODE_LAYERS]]
        kinds = self._names.kinds(roots)
        self.facts(state, layer_places=self._names.places(roots), layer_kinds=kinds)

    def _adopt_wiring(self, state: TrainingState, reading: Pending) -> None:
        assert reading.wiring is not None
        nodes = reading.wiring.nodes
        if num_lines(nodes) > num_lines(state.lines):
            state.lines = list(nodes)
        if reading.origin is not None and "non_finite_origin" not in state.facts:
            self.facts(state, non_finite_origin=with_line(reading.origin, nodes, state.lines))
        if reading.place:
            self.facts(state, backward_place=reading.place)
        if reading.facts:
            self.facts(state, **reading.facts)
        if reading.wiring.digest in state.digests or len(state.digests) >= 8:
            return
        state.digests.add(reading.wiring.digest)
        calls = [call.to_json() for call in reading.calls]
        self.emit("wiring", state, nodes=[node.to_json() for node in nodes], calls=calls)

    def describe(self, state: TrainingState) -> None:
        """Parameters and optimizers, where they differ from what was said before."""
        optimized = self._trainings.optimized()
        tensors = {id(p): p for p in state.parameters}
        own = set(tensors)
        in_model = self._in_models(state)
        tensors.update(in_model)
        tensors.update({id(t): t for ref in state.outside if (t := ref()) is not None})
        if any(not self._names.knows(tensor) for tensor in tensors.values()):
            self._names.search_frames(tensors.values())
        changed = []
        holders: dict[int, str] = {}
        for tensor in tensors.values():
            is_updated = not state.optimizers or id(tensor) in optimized
            name = self._names.parameter(tensor)[0]
            holder = holders.setdefault(memory_of(tensor), name)
            fields = self._parameter(tensor, is_updated, holder if holder != name else None)
            if id(tensor) in in_model:
                fields["in_model"] = True
            if id(tensor) not in own:
                fields["is_own"] = False
            if state.described.get(fields["name"]) != fields:
                state.described[fields["name"]] = fields
                changed.append(fields)
        if changed:
            self.emit("parameters", state, parameters=changed)
        optimizers = [self._optimizer(o) for ref in state.optimizers if (o := ref()) is not None]
        if state.facts.get("optimizers") != optimizers:
            state.facts["optimizers"] = optimizers
            self.emit("optimizers", state, optimizers=optimizers)

    def _in_models(self, state: TrainingState) -> dict[int, Tensor]:
        """The parameters of the models that ran, all of them with names."""
        found: dict[int, Tensor] = {}
        for root in (root for ref in state.roots if (root := ref()) is not None):
            own = {id(parameter): parameter for parameter in root.parameters()}
            if not all(self._names.knows(parameter) for parameter in own.values()):
                self._names.add_root(root, has_grown=True)
            found |= own
        return found

    def _parameter(self, tensor: Tensor, optimized: bool, shares: str | None) -> dict[str, Any]:
        name, layer, kind = self._names.parameter(tensor)
        fields = {
            "name": name, "shape": list(tensor.shape), "layer": layer, "kind": kind,
            "dtype": str(tensor.dtype).removeprefix("torch."), "trainable": tensor.requires_grad,
            "optimized": optimized, "is_parameter": isinstance(tensor, nn.Parameter),
            "shares_with": shares, "origin": self._names.origins.of(tensor),
        }  # fmt: skip
        return fields if self._names.is_registered(tensor) else {**fields, "registered": False}

    def _optimizer(self, optimizer: Optimizer) -> dict[str, Any]:
        groups = [
            {key: plain(group[key]) for key in _HYPERPARAMETERS if group.get(key) is not None}
            for group in optimizer.param_groups
        ]
        place = self.optimizer_places.get(optimizer)
        return {"kind": type(optimizer).__name__, "groups": groups, "place": place}

    def emit(self, event: str, state: TrainingState, **fields: Any) -> None:
        self._emitter.emit({"event": event, "training": state.number, "step": state.step, **fields})

    def facts(self, state: TrainingState, **facts: Any) -> None:
        new = {name: value for name, value in facts.items() if state.facts.get(name) != value}
        if new:
            state.facts.update(new)
            self.emit("facts", state, facts=new)


def signature(module: nn.Module) -> tuple[Any, ...]:
    """The same for two networks of the same build."""
    return type(module), *(tuple(parameter.shape) for parameter in module.parameters())


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


def memory_of(tensor: Tensor) -> int:
    """Something that two tensors have in common when they lie in the same memory."""
    try:
        return tensor.untyped_storage().data_ptr() or id(tensor)
    except (RuntimeError, NotImplementedError):  # sparse, sharded, or without memory of its own
        return id(tensor)

"""The record of one watched process: its trainings as signals, facts and wiring.

A run is built from *events*, small JSON-able dictionaries in the order they happened. The live
run and a run read back from disk go through the same :meth:`Run.apply`, so both hold the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

from babysit.findings import Place
from babysit.series import Series
from babysit.signals import SIGNALS
from babysit.wiring import LossCall, Node, Wiring

SCHEMA: Final = 1
MAX_WIRINGS: Final = 8
NUMBERED: Final = re.compile(r"`((?:\w+\.)*\d+)`(?! \()")  # a layer without a name of its own
Event = Mapping[str, Any]
Role: TypeAlias = Literal["weight", "bias", "norm", "embedding"]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a training.

    Args:
        layer: the layer that owns it, such as ``encoder.layers.3.linear1``.
        kind: class of that layer (``Linear``), empty for a bare tensor.
        trainable: whether it requires a gradient.
        optimized: whether any optimizer holds it.
        is_own: whether an optimizer of this very training holds it; all are where there is none.
        is_parameter: an ``nn.Parameter``; ``False`` for a bare tensor that requires a gradient.
        in_model: whether a model that was seen to run holds it.
        registered: ``False`` where it hides in a plain list or dictionary of its module.
        shares_with: another parameter that lies in the same memory (tied weights), if any.
        origin: the line that gave it its first values, where that was the user's own.
    """

    name: str
    shape: tuple[int, ...] = ()
    layer: str = ""
    kind: str = ""
    dtype: str = "float32"
    trainable: bool = True
    optimized: bool = True
    is_own: bool = True
    is_parameter: bool = True
    in_model: bool = False
    registered: bool = True
    shares_with: str | None = None
    origin: Place | None = None

    @property
    def role(self) -> Role:
        """What the parameter is for, by the class of its layer and its shape."""
        if "Norm" in self.kind:
            return "norm"
        if "Embedding" in self.kind:
            return "embedding"
        return "bias" if len(self.shape) < 2 else "weight"


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """An optimizer of a training: its class, settings of its groups, where it was made."""

    kind: str
    groups: tuple[Mapping[str, Any], ...] = ()
    place: Place | None = None

    @property
    def is_adaptive(self) -> bool:
        """Whether updates are scaled by past gradients, so that their size is the rate's."""
        return "betas" in (self.groups[0] if self.groups else {}) or self.kind in {
            "RMSprop",
            "Adagrad",
            "Adadelta",
            "Rprop",
        }


class Training:
    """One training of a run, what rules read.

    Attributes:
        signals: series by signal name and place; the whole training is the place ``""``.
        parameters: by name.
        facts: what does not change over steps: ``backward_place``, ``is_adversarial``, ...
    """

    def __init__(self, *, name: str = "training", number: int = 1) -> None:
        self.name = name
        self.number = number
        self.steps = 0
        self.signals: dict[str, dict[str, Series]] = {}
        self.parameters: dict[str, Parameter] = {}
        self.optimizers: tuple[Optimizer, ...] = ()
        self.wirings: list[Wiring] = []
        self.facts: dict[str, Any] = {}

    def record(self, signal: str, value: float, *, step: int, place: str = "") -> None:
        """Append a value.

        Raises:
            KeyError: the signal is not one of :data:`babysit.signals.SIGNALS`.
        """
        if signal not in SIGNALS:
            raise KeyError(f"{signal!r} is not a known signal; add it below babysit/signals/")
        places = self.signals.setdefault(signal, {})
        if place not in places:
            places[place] = Series()
        places[place].append(step, value)

    def series(self, signal: str, place: str = "") -> Series:
        """The series of a signal; an empty one if it was never seen."""
        return self.places(signal).get(place) or Series()

    def places(self, signal: str) -> Mapping[str, Series]:
        """All series of a signal by place."""
        return self.signals.get(signal, {})

    def has(self, need: str) -> bool:
        """Whether a rule's need is met: a signal's name, ``wiring`` or ``optimizer``."""
        if need == "wiring":
            return any(wiring.nodes for wiring in self.wirings)
        if need == "optimizer":
            return bool(self.optimizers)
        return any(len(series) for series in self.places(need).values())

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to judge: a step, a backward, or a loss that raised."""
        return bool(self.steps or self.has("loss") or self.wirings or "autopsy" in self.facts)

    def place(self, name: str) -> str | None:
        """A source place among the facts as ``file:line``; for messages."""
        place = self.source(name)
        return f"{place.file}:{place.line}" if place else None

    def source(self, name: str) -> Place | None:
        """A source place among the facts, such as ``backward`` or ``optimizer``."""
        fact = self.facts.get(f"{name}_place")
        return Place(**fact) if fact else None

    @property
    def loss_place(self) -> Place | None:
        """The line that made the loss, where one was seen."""
        last = (wiring.nodes[-1] for wiring in self.wirings if wiring.nodes)
        return next((replace(node.place, layer=None) for node in last if node.line), None)

    def source_of_rate(self) -> Place | None:
        """Where the learning rate was given: the optimizer; without one, where steps are taken."""
        return self.optimizers[0].place if self.optimizers else self.source("backward")

    def layer_place(self, layer: str, *, op: str | None = None) -> Place:
        """The place of a layer: its name, and the line that built it or, failing that, runs it."""
        known = self.facts.get("layer_places", {}).get(layer)
        if known is None and (origin := self.origin(layer)) is not None:
            return replace(origin, op=op)
        known = known or next(
            (
                {"file": node.file, "line": node.line, "code": node.code}
                for wiring in self.wirings
                for node in wiring.nodes
                if node.layer == layer and node.line
            ),
            {},
        )
        return Place(**{**known, "layer": layer, "op": op})

    def layer_title(self, layer: str) -> str:
        """A layer as messages name it; one that has but a number with its class, too.

        >>> net = Training()
        >>> net.parameters["0.weight"] = Parameter(name="0.weight", layer="0", kind="Linear")
        >>> net.layer_title("0"), net.layer_title("head")
        ('`0` (Linear)', '`head`')
        """
        if not layer.rpartition(".")[2].isdigit():
            return f"`{layer}`"
        own = [p for p in self.parameters.values() if p.layer == layer]
        kind = next((p.kind for p in own), self.facts.get("layer_kinds", {}).get(layer, ""))
        sizes = (f" {p.shape[1]}→{p.shape[0]}" for p in own if len(p.shape) == 2)
        size = next(sizes, "") if kind == "Linear" else ""
        return f"`{layer}` ({kind}{size})" if kind else f"`{layer}`"

    def titled(self, message: str) -> str:
        """A message in which every layer is given its title where it is named first."""
        for layer in dict.fromkeys(NUMBERED.findall(message)):
            message = message.replace(f"`{layer}`", self.layer_title(layer), 1)
        return message

    def data_place(self, layer: str) -> Place:
        """Where the data that reach a layer were put together, if a loader gave them."""
        loaders = self.facts.get("loaders", {}).values()
        used = max(loaders, key=lambda one: int(one["trained"]), default=None)
        made = used.get("data") if used else None
        return Place(**{**made, "layer": layer}) if made else self.layer_place(layer)

    def origin(self, layer: str) -> Place | None:
        """The user's own line that gave a layer's weights their first values, if there is one."""
        own = (p for p in self.parameters.values() if p.layer == layer and p.origin is not None)
        first = min(own, key=lambda parameter: len(parameter.shape) < 2, default=None)
        return replace(first.origin, layer=layer) if first is not None and first.origin else None

    @property
    def reached(self) -> list[Parameter]:
        """The parameters that the loss of any X-rayed step depended on, by name."""
        names = frozenset().union(*(wiring.parameters for wiring in self.wirings))
        return [self.parameters[name] for name in sorted(names) if name in self.parameters]

    def labelled(self, label: str) -> Node | None:
        """The operation with this label (:attr:`Wiring.labels`), with its line if any has it."""
        found = [
            wiring.nodes[wiring.labels.index(label)]
            for wiring in self.wirings
            if label in wiring.labels
        ]
        return next((node for node in found if node.line), found[0] if found else None)

    def apply(self, event: Event) -> None:
        kind, step = event["event"], event.get("step", 0)
        if kind in ("step", "sample"):
            for signal, value in event.get("values", {}).items():
                if isinstance(value, Mapping):
                    for place, one in value.items():
                        self.record(signal, one, step=step, place=place)
                else:
                    self.record(signal, value, step=step)
            if kind == "step":
                self.steps = max(self.steps, step + 1)
        elif kind == "parameters":
            for fields in event["parameters"]:
                parameter = read_parameter(fields)
                self.parameters[parameter.name] = parameter
        elif kind == "optimizers":
            self.optimizers = tuple(read_optimizer(fields) for fields in event["optimizers"])
        elif kind == "wiring" and (len(self.wirings) < MAX_WIRINGS or not event["nodes"]):
            self.wirings.append(read_wiring(event))
        elif kind == "facts":
            for name, value in event["facts"].items():
                known = self.facts.get(name)
                is_update = isinstance(known, dict) and isinstance(value, Mapping)
                self.facts[name] = {**(known or {}), **value} if is_update else value


def read_parameter(fields: Mapping[str, Any]) -> Parameter:
    origin, shape = fields.get("origin"), tuple(fields.get("shape", ()))
    return Parameter(**{**fields, "shape": shape, "origin": Place(**origin) if origin else None})


def read_optimizer(fields: Mapping[str, Any]) -> Optimizer:
    place = fields.get("place")
    return Optimizer(
        kind=fields["kind"],
        groups=tuple(fields.get("groups", ())),
        place=Place(**place) if place else None,
    )


def read_wiring(event: Event) -> Wiring:
    calls = (
        LossCall(
            **{
                **call,
                "prediction_shape": tuple(call["prediction_shape"]),
                "target_shape": tuple(call["target_shape"]),
                "output": read_node(call["output"]) if call.get("output") else None,
            }
        )
        for call in event.get("calls", ())
    )
    nodes = tuple(read_node(fields) for fields in event["nodes"])
    return Wiring(step=event.get("step", 0), nodes=nodes, calls=tuple(calls))


def read_node(fields: Mapping[str, Any]) -> Node:
    inputs, shape = tuple(fields.get("inputs", ())), tuple(fields.get("shape", ()))
    return Node(**{**fields, "inputs": inputs, "shape": shape})


@dataclass(kw_only=True)
class Run:
    """A watched process.

    Attributes:
        header, ending: how it began and ended.
        trial: what a trial noted besides.
        checkup: the answers and trials of a checkup of this training.
    """

    header: dict[str, Any] = field(default_factory=dict)
    trainings: dict[int, Training] = field(default_factory=dict)
    ending: dict[str, Any] = field(default_factory=dict)
    trial: dict[str, Any] = field(default_factory=dict)
    checkup: dict[str, Any] = field(default_factory=dict)
    is_cut: bool = False

    def apply(self, event: Event) -> None:
        """Add one event. Events of an unknown kind are skipped, so newer records stay readable."""
        kind = event["event"]
        if kind == "start":
            self.header = {name: value for name, value in event.items() if name != "event"}
        elif kind == "end":
            self.ending = {name: value for name, value in event.items() if name != "event"}
        elif kind in ("trial", "checkup"):
            setattr(self, kind, {name: value for name, value in event.items() if name != "event"})
        elif kind == "training":
            number = event["training"]
            self.trainings[number] = Training(name=event["name"], number=number)
        elif event.get("training") in self.trainings:
            self.trainings[event["training"]].apply(event)

    @classmethod
    def replay(cls, events: Iterable[Event]) -> Run:
        """The run that these events made."""
        run = cls()
        for event in events:
            run.apply(event)
        return run

    @property
    def steps(self) -> int:
        """Optimizer steps of all trainings together."""
        return sum(training.steps for training in self.trainings.values())

    @property
    def has_trained(self) -> bool:
        return any(training.has_begun for training in self.trainings.values())

"""Watching the modes of layers while the trained model is evaluated."""

from __future__ import annotations

import weakref
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.weak import WeakIdKeyDictionary

from babysit.instrument import call_sites
from babysit.instrument.calls import without_gradients
from babysit.instrument.probe import Probe
from babysit.instrument.scopes import sequence_number
from babysit.instrument.switches import DROPOUTS

MAX_SITES: Final = 16
MAX_DROPS: Final = 32
MANY_PASSES: Final = 3


@dataclass(frozen=True)
class Drop:
    """A dropout that was on while no gradient was wanted."""

    site: str
    place: dict[str, Any]
    rate: float
    owner: weakref.ref[nn.Module] | None
    is_on_by_mode: bool | None


@dataclass(frozen=True)
class Call:
    """A call with gradients on and in train mode, on data that no training has used.

    An evaluation that forgot both, unless a backward uses it: ``number`` is autograd's next.
    """

    number: int
    site: str
    place: dict[str, Any]
    active: tuple[str, str]


class EvaluationMode(Probe):
    """Whether dropout and batch norm rest while the trained model is evaluated.

    Notes, by the line that called the model, the share of its layers that were in train mode,
    and as facts what tells an evaluation from passes in train mode that are meant: the same
    input several times (Monte Carlo), an answer that is thrown away (batch norm re-estimated).
    """

    sleeps = ("on_backward",)

    def __init__(self, bench: Any) -> None:
        super().__init__(bench)
        self._layers: MutableMapping[nn.Module, list[tuple[str, nn.Module]]]
        self._layers = WeakIdKeyDictionary()
        self._drops: list[Drop] = []
        self._sites: dict[str, dict[str, Any]] = {}
        self._seen: dict[tuple[Any, ...], int] = {}
        self._passes: dict[int, int] = {}
        self._step = -1
        self._dataset: int | None = None
        self._trained_on: set[int] = set()
        self._unsure: list[Call] = []

    def attach(self) -> None:
        for name in DROPOUTS:
            self.watch(torch.nn.functional, name, self._dropped, without_gradients)

    def on_batch(self, loader: Any, batch: Any) -> None:
        self._dataset = id(loader._dataset)
        if self._dataset not in self._trained_on:
            self.wake("on_backward")
        if not torch.is_grad_enabled() or self._is_new_data():
            self._follow_step()
            passes = self._passes.get(id(loader._dataset), 0)
            self._passes[id(loader._dataset)] = passes = passes + (loader._num_yielded <= 1)
            if passes >= MANY_PASSES and loader._num_yielded <= 1:
                self._repeat_all(passes)

    def _dropped(self, args: Any, kwargs: Any, result: Any) -> None:
        if self.state is None or len(self._drops) >= MAX_DROPS:
            return
        rate = args[1] if len(args) > 1 else kwargs.get("p", 0.5)
        is_on = args[2] if len(args) > 2 else kwargs.get("training", True)
        if is_on and rate > 0:
            frame = call_sites.outer_frame()
            owner = call_sites.innermost_module(frame)
            self._drops.append(
                Drop(
                    *call_sites.site_of(frame),
                    rate=float(rate),
                    owner=weakref.ref(owner) if owner is not None else None,
                    is_on_by_mode=mode_of(owner),
                )
            )

    def on_call(
        self, module: nn.Module, inputs: Sequence[Any], output: Any, is_evaluation: bool
    ) -> None:
        drops, self._drops = self._drops, []
        frame = call_sites.caller_frame()
        if frame is None:
            return
        if not is_evaluation and torch.is_grad_enabled() and self._is_new_data():
            self._suspect(module, frame)
        if not is_evaluation or torch.is_grad_enabled():
            return
        if call_sites.recomputes(frame):
            return
        layers = self._layers_of(module)
        active = [(name, layer) for name, layer in layers if layer.training]
        functional = [drop for drop in drops if not is_known(drop, layers)]
        if not layers and not functional:
            return
        self._follow_step()
        name, place = call_sites.site_of(frame)
        known = self._sites.get(name)
        if known is None and len(self._sites) >= MAX_SITES:
            return
        self.note("evaluation-in-train-mode", len(active) / max(len(layers), 1), name)
        if not active and not functional and known is None:
            return  # as it should be
        site = known or {**place, "calls": 0, "repeats": 1, "is_discarded": False}
        site["calls"] += 1
        site["step"] = self._step
        site["repeats"] = max(site["repeats"], self._repeats(name, inputs))
        site["is_discarded"] |= call_sites.is_discarded(frame)
        if active:
            site["layer"], site["kind"] = active[0][0], type(active[0][1]).__name__
            site["whole_model"] = module.training
        self._sites[name] = site
        self.fact("evaluation_sites", {name: dict(site)})
        for drop in functional:
            self._report(drop, module, name)

    def _is_new_data(self) -> bool:
        """Whether the last batch came from a data set that no backward has followed yet."""
        return self.state is not None and self._dataset not in {None, *self._trained_on}

    def _suspect(self, module: nn.Module, frame: FrameType) -> None:
        """Remember a call that may turn out an evaluation."""
        active = [(name, layer) for name, layer in self._layers_of(module) if layer.training]
        is_own = self.state is not None and self.state.is_part_of(module)
        if active and is_own and len(self._unsure) < MAX_SITES:
            kind = type(active[0][1]).__name__
            site = call_sites.site_of(frame)
            self._unsure.append(Call(sequence_number(), *site, (active[0][0], kind)))
            self.wake("on_backward")

    def on_backward(self, loss: Tensor) -> None:
        if self._unsure:
            calls, self._unsure = self._unsure, []
            oldest = call_sites.oldest_number(loss)
            unused = [call for call in calls if oldest is not None and call.number <= oldest]
            self._settle(unused)
            if unused:
                return  # the last batch was the evaluation's, and not trained on
        if self._dataset is not None:
            self._trained_on.add(self._dataset)
        self.rest("on_backward")

    def finish(self) -> None:
        self._settle(self._unsure)

    def _settle(self, calls: Sequence[Call]) -> None:
        """No backward has used these calls: evaluations with gradients on and in train mode."""
        for call in calls:
            self.note("evaluation-in-train-mode", 1.0, call.site)
            layer, kind = call.active
            repeats = max(self._passes.values(), default=1)
            record = {**call.place, "layer": layer, "kind": kind, "repeats": repeats}
            self.fact("evaluation_sites", {call.site: record})

    def _report(self, drop: Drop, root: nn.Module, caller: str) -> None:
        """A functional dropout: always on, or by the mode of a model that is in train mode."""
        if root.training if drop.is_on_by_mode is None else drop.is_on_by_mode:
            self.note("evaluation-in-train-mode", 1.0, caller)
            return
        self.note("evaluation-dropout", drop.rate, drop.site)
        self.fact("dropout_sites", {drop.site: {**drop.place, "called_from": caller}})

    def _layers_of(self, root: nn.Module) -> list[tuple[str, nn.Module]]:
        """The layers inside a model that behave differently while training."""
        if root not in self._layers:
            self._layers[root] = [
                (name or type(layer).__name__, layer)
                for name, layer in root.named_modules()
                if depends_on_mode(layer)
            ]
        return self._layers[root]

    def _repeats(self, site: str, inputs: Sequence[Any]) -> int:
        """How often this evaluation has given the model the same data at this line."""
        if call_sites.repeats_rows(inputs):
            return MANY_PASSES
        key = (site, call_sites.fingerprint(inputs))
        if key[1] is None:
            return 1
        self._seen[key] = self._seen.get(key, 0) + 1
        return self._seen[key]

    def _repeat_all(self, passes: int) -> None:
        """One evaluation went through the same data set several times."""
        for name, site in self._sites.items():
            if site["step"] == self._step:
                site["repeats"] = passes
                self.fact("evaluation_sites", {name: dict(site)})

    def _follow_step(self) -> None:
        """Evaluations are told apart by the training's steps between them."""
        if self.step != self._step:
            self._step = self.step
            self._seen.clear()
            self._passes.clear()


def depends_on_mode(layer: nn.Module) -> bool:
    """Whether a layer computes something else in eval mode."""
    if isinstance(layer, _DropoutNd):
        return layer.p > 0
    if isinstance(layer, _BatchNorm):
        return layer.track_running_stats and layer.running_mean is not None
    if isinstance(layer, nn.RNNBase):
        return layer.dropout > 0 and layer.num_layers > 1
    return isinstance(layer, nn.MultiheadAttention) and layer.dropout > 0


def mode_of(owner: nn.Module | None) -> bool | None:
    """A module's own mode; ``None`` where the model's counts, as for ``nn.Dropout(p)(x)``."""
    return None if owner is None or isinstance(owner, _DropoutNd) else owner.training


def is_known(drop: Drop, layers: Sequence[tuple[str, nn.Module]]) -> bool:
    """Whether a dropout belongs to one of the model's own layers, whose mode is looked at."""
    owner = drop.owner() if drop.owner is not None else None
    return any(layer is owner for _, layer in layers)

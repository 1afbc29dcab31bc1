"""What ranks of a distributed training tell one another: a few weights, a print of the batch.

They leave it in the key-value store that every process group has, at steps 0, 1, 2, 4, 8 …, and
read what is there. No collective is called, nobody waits.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.instrument.trainings import parameters_of

MAX_PARAMETERS: Final = 16
VALUES_EACH: Final = 16
MAX_RANKS: Final = 8
MAX_BATCH_VALUES: Final = 1024
MIN_AVERAGED_SHARE: Final = 0.9


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One step as several ranks saw it.

    Args:
        difference: largest relative difference of the weights; ``None`` if not replicated.
        same_batch: whether all trained on the same batch; ``None`` if not known or not new.
    """

    difference: float | None
    same_batch: bool | None


class Correspondence:
    """One rank's side. Only weights that are meant to be equal are compared.

    Those are meant to be equal that DistributedDataParallel holds in the group of all ranks, or
    whose gradients the script averages over all ranks itself.
    """

    def __init__(self) -> None:
        self._replicas: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._optimizer: weakref.ref[Optimizer] | None = None
        self._averaged: set[tuple[int, int]] = set()
        self._batch = self._last_batch = ""
        self._step = 0
        self._open: dict[int, dict[str, Any]] = {}
        self._hook: Any = None

    # -- what is seen ----------------------------------------------------------------------

    def see_replica(self, module: nn.Module) -> None:
        """A model was wrapped in DistributedDataParallel."""
        self._replicas.add(module)

    def see_reduction(self, tensor: Any, group: Any) -> None:
        """A tensor was summed over ranks."""
        if isinstance(tensor, Tensor) and (group is None or group is torch.distributed.group.WORLD):
            self._averaged.add((tensor.data_ptr(), tensor.numel()))

    def see_step(self, optimizer: Optimizer) -> list[Comparison]:
        """An optimizer stepped: post what is due, compare what others have posted."""
        if not is_distributed():
            return []
        if self._optimizer is None:
            self._optimizer = weakref.ref(optimizer)
        if self._optimizer() is not optimizer:
            return []
        step, self._step = self._step, self._step + 1
        found = self._compare() if self._open else []
        if is_due(step):
            self._post(step, optimizer)
        self._averaged.clear()
        self._batch = ""
        self.listen() if is_due(self._step) else self.deafen()
        return found

    def listen(self) -> None:
        """Take a print of what the next module call is given."""
        if self._hook is None:
            self._hook = nn.modules.module.register_module_forward_pre_hook(self._called)

    def deafen(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def _called(self, module: nn.Module, inputs: Any) -> None:
        if not self._batch and module.training and torch.is_grad_enabled() and is_distributed():
            self._batch = fingerprint(inputs)

    # -- letters ---------------------------------------------------------------------------

    def _post(self, step: int, optimizer: Optimizer) -> None:
        parameters = self._replicated(optimizer)
        if not parameters:
            return
        own = {"weights": some_values(parameters), "batch": self._batch}
        store().set(key(step, torch.distributed.get_rank()), json.dumps(own))
        self._open[step] = own

    def _replicated(self, optimizer: Optimizer) -> list[Tensor]:
        """Parameters of the optimizer that all ranks are meant to hold alike."""
        parameters = parameters_of(optimizer)
        wrapped = {
            id(p) for replica in self._replicas if spans_all_ranks(replica)
            for p in getattr(replica, "_module_parameters", None) or replica.parameters()
        }  # fmt: skip
        found = [p for p in parameters if id(p) in wrapped]
        if not found and self._averaged:
            known = [p for p in parameters if p.grad is not None and not p.grad.is_sparse]
            averaged = [p for p in known if (p.grad.data_ptr(), p.grad.numel()) in self._averaged]  # type: ignore[union-attr]  # is not None
            wanted = MIN_AVERAGED_SHARE * sum(p.numel() for p in known)
            found = averaged if sum(p.numel() for p in averaged) >= wanted else []
        return [p for p in found if type(p.data) is Tensor and p.is_floating_point()]

    def _compare(self) -> list[Comparison]:
        """Steps at which all other ranks have posted by now."""
        rank, size = torch.distributed.get_rank(), torch.distributed.get_world_size()
        others = [other for other in range(size) if other != rank]
        others = others[:: -(-len(others) // MAX_RANKS)]
        found = []
        for step in list(self._open):
            keys = [key(step, other) for other in others]
            if store().check(keys):
                own = self._open.pop(step)
                letters = [json.loads(store().get(one)) for one in keys]
                found.append(self._judge(own, letters))
            elif len(self._open) > 2:  # those never came
                del self._open[step]
        return found

    def _judge(self, own: dict[str, Any], letters: list[dict[str, Any]]) -> Comparison:
        weights = [letter["weights"] for letter in letters]
        alike = all(len(other) == len(own["weights"]) for other in weights)
        batches = [letter["batch"] for letter in letters]
        is_new = bool(own["batch"]) and all(batches) and own["batch"] != self._last_batch
        self._last_batch = own["batch"]
        return Comparison(
            difference=max(distance(own["weights"], o) for o in weights) if alike else None,
            same_batch=all(other == own["batch"] for other in batches) if is_new else None,
        )


def is_distributed() -> bool:
    return torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1


def is_due(step: int) -> bool:
    """0, 1, 2, 4, 8 …"""
    return step & (step - 1) == 0 if step else True


def store() -> Any:
    return torch.distributed.distributed_c10d._get_default_store()


def key(step: int, rank: int) -> str:
    return f"babysit/{step}/{rank}"


def spans_all_ranks(replica: Any) -> bool:
    size = torch.distributed.get_world_size(replica.process_group)
    return bool(size == torch.distributed.get_world_size())


def some_values(parameters: list[Tensor]) -> list[float]:
    """A few values of some parameters, evenly spaced."""
    picked = parameters[:: -(-len(parameters) // MAX_PARAMETERS)]
    pieces = []
    for parameter in picked:
        flat = parameter.detach().reshape(-1)
        pieces.append(flat[:: -(-flat.numel() // VALUES_EACH) or 1].float())
    return [float(f"{value:.8g}") for piece in pieces for value in piece.tolist()]


def fingerprint(inputs: Iterable[Any]) -> str:
    """The same for the same tensors; empty when there is nothing to tell apart."""
    tensors = [value for value in inputs if isinstance(value, Tensor)]
    parts = []
    for tensor in tensors:
        flat = tensor.detach().reshape(-1)
        values = flat[:: -(-flat.numel() // MAX_BATCH_VALUES) or 1].tolist()
        if len(set(values)) > 1:
            parts.append((tuple(tensor.shape), values))
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest() if parts else ""


def distance(left: list[float], right: list[float]) -> float:
    """Difference of two lists of weights relative to their size."""
    difference = sum((a - b) ** 2 for a, b in zip(left, right, strict=True)) ** 0.5
    size = max(sum(a * a for a in left), sum(b * b for b in right)) ** 0.5
    return difference / size if size > 0 else 0.0

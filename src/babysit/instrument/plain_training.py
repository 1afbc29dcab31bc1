"""A training made of a model, a loss and data: what `babysit.checkup(model, loss, data)` tries."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset, TensorDataset

from babysit.errors import BabysitError
from babysit.instrument import losses
from babysit.instrument.levers.batches import split

BATCH: Final = 64
RATE: Final = 1e-3  # of Adam, where no optimizer is given
EPOCHS: Final = 10_000  # the trial's budget ends it
SEED: Final = 0


class PlainTraining:
    """Trains a model with a loss on data, as usual: forward, loss, backward, step.

    Args:
        model: called with the inputs of a batch.
        loss: called with the model's output and the targets.
        data: a ``DataLoader``, a data set, a tuple of tensors (inputs, targets), or any iterable
            of batches that can be gone through again.
        optimizer: one over the model's parameters, or a function from parameters to one; Adam
            with a rate of 0.001 without it.

    Raises:
        BabysitError: one of these is not what it should be.
    """

    def __init__(
        self, model: nn.Module, loss: Callable[..., Tensor], data: Any,
        optimizer: Optimizer | Callable[..., Optimizer] | None = None,
    ) -> None:  # fmt: skip
        check(model, loss)
        self._model, self._loss, self._optimizer = model, loss, optimizer
        self._batches = loader(data)

    def __call__(self) -> None:
        """Train until somebody stops it."""
        self._loss = current(self._loss)
        torch.manual_seed(SEED)
        if torch.initial_seed() != SEED:  # one of several seeds: other first weights, too
            self._model.apply(reset)
        self._model.train()
        optimizer = self._made()
        for _ in range(EPOCHS):
            for batch in self._batches:
                optimizer.zero_grad()
                self._loss_of(batch).backward()
                optimizer.step()

    def _made(self) -> Optimizer:
        if isinstance(self._optimizer, Optimizer):
            return self._optimizer
        if self._optimizer is None:
            return torch.optim.Adam(self._model.parameters(), lr=RATE)
        return self._optimizer(self._model.parameters())

    def _loss_of(self, batch: Any) -> Tensor:
        parts = split(batch)
        if parts is None:
            raise BabysitError(
                f"a batch of the data is a {type(batch).__name__}; it takes (inputs, targets), or "
                "a dictionary with the targets under 'label' or 'target'."
            )
        inputs, targets, _ = parts
        given = list(inputs.values()) if isinstance(inputs, Mapping) else list(inputs)
        wanted = next(iter(targets.values())) if isinstance(targets, Mapping) else targets
        return self._loss(self._model(*given), wanted)


def current(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A loss function as it is now: what was imported by name before is not what changes meet.

    In a trial, a process of its own, such names are bound anew.
    """
    functional = torch.nn.functional
    for name in losses.FUNCTIONS:
        now = getattr(functional, name)
        before = getattr(now, "__wrapped__", now)
        while hasattr(before, "__wrapped__"):
            before = before.__wrapped__
        if loss is before:
            return now  # type: ignore[no-any-return]  # a function of torch
        for module in list(sys.modules.values()):
            if vars(module).get(name) is before and module is not functional:
                setattr(module, name, now)
    return loss


def check(model: Any, loss: Any) -> None:
    """Say what cannot be tried.

    Raises:
        BabysitError: it is not a model, not a loss, or it lies on a GPU.
    """
    if not isinstance(model, nn.Module):
        raise BabysitError(f"model is a {type(model).__name__}; checkup takes a torch.nn.Module.")
    if not callable(loss):
        raise BabysitError(f"loss is a {type(loss).__name__}; checkup takes a function or module.")
    devices = {str(one.device) for one in model.parameters() if one.device.type != "cpu"}
    if devices:
        raise BabysitError(
            f"The model lies on {', '.join(sorted(devices))}; its trials are copies of this "
            "process, which a GPU does not allow. Move it to the CPU, or use "
            "`babysit checkup SCRIPT`."
        )


def loader(data: Any) -> Iterable[Any]:
    """Batches that can be gone through again and again.

    Raises:
        BabysitError: the data cannot be read as batches, or only once.
    """
    if isinstance(data, DataLoader):
        return data
    if isinstance(data, tuple) and len(data) > 1 and all(isinstance(one, Tensor) for one in data):
        if len({len(one) for one in data}) > 1:
            sizes = " and ".join(str(len(one)) for one in data)
            raise BabysitError(f"inputs and targets differ in length: {sizes} examples.")
        data = TensorDataset(*data)
    if isinstance(data, Dataset):
        return DataLoader(data, batch_size=BATCH, shuffle=True)
    if isinstance(data, Iterable) and iter(data) is not data:
        return data
    raise BabysitError(
        f"data is a {type(data).__name__}; it takes a DataLoader, a Dataset, (inputs, targets) as "
        "tensors, or an iterable of batches that can be gone through more than once."
    )


def reset(module: nn.Module) -> None:
    """First weights as the module itself draws them."""
    again = getattr(module, "reset_parameters", None)
    if callable(again):
        again()

"""Small nets that changes of models are tried on, and trainings of them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR

from babysit.change import Change
from babysit.instrument.levers.levers import Levers

DATA = torch.randn(32, 6, generator=torch.Generator().manual_seed(1))
LABELS = (DATA[:, 0] > 0).long()
IMAGES = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(2))
SEQUENCES = torch.randn(8, 5, 6, generator=torch.Generator().manual_seed(3))


def train(
    model: nn.Module, *changes: Change, data: Tensor = DATA, labels: Tensor = LABELS,
    loss: Callable[..., Tensor] = functional.cross_entropy, kind: type[Optimizer] = SGD,
    steps: int = 3, evaluate: Callable[[], object] = int, look: Callable[[], object] = int,
) -> dict[str, str]:  # fmt: skip
    """Train under changes; the refusals. ``evaluate`` first, ``look`` after each step."""
    torch.manual_seed(7)
    optimizer = kind(model.parameters(), lr=0.1)
    schedule = CosineAnnealingLR(optimizer, steps)
    levers = Levers()
    levers.attach(changes)
    try:
        evaluate()
        for _ in range(steps):
            optimizer.zero_grad()
            loss(model(data), labels).backward()
            optimizer.step()
            schedule.step()
            look()
    finally:
        levers.detach()
    return levers.refusals


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return make()


def chain(*layers: nn.Module) -> Callable[[], nn.Sequential]:
    """Copies of layers between two linear layers, drawn when made."""

    def make() -> nn.Sequential:
        own = [copy.deepcopy(layer) for layer in layers]
        made = nn.Sequential(nn.Linear(6, 6), *own, nn.Linear(6, 2))
        for layer in made.modules():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
        return made

    return make


class Calling(nn.Module):
    """A net whose hidden activation, and whose output's, is a function."""

    def __init__(self, hidden: Callable[[Tensor], Any], last: Callable[..., Any] | None = None):
        super().__init__()
        self.body, self.head = nn.Linear(6, 6), nn.Linear(6, 2)
        self.hidden, self.last = hidden, last or (lambda x: x)

    def forward(self, x: Tensor) -> Any:
        return self.last(self.head(self.hidden(self.body(x))))


def weights(model: nn.Module) -> Tensor:
    return torch.cat([one.detach().flatten() for one in model.parameters()])


def assert_alike(model: nn.Module, other: nn.Module) -> None:
    assert torch.equal(weights(model), weights(other))


def assert_does(
    change: Change, to: Callable[[], nn.Module], as_by: Callable[[], nn.Module], **options: Any
) -> None:
    """A training under a change ends with the weights of one whose model was written so."""
    changed, written, untouched = seeded(to), seeded(as_by), seeded(to)
    assert train(changed, change, **options) == {}
    train(written, **options)
    train(untouched, **options)
    assert_alike(changed, written)
    assert not torch.equal(weights(changed), weights(untouched))


def refusal(change: Change, model: nn.Module, **options: Any) -> str:
    """Why a change does not apply, to a training that goes on as without it."""
    other = copy.deepcopy(model)
    refused = train(model, change, **options)
    train(other, **options)
    assert_alike(model, other)
    return refused[str(change)]


def every() -> nn.Module:
    """A net that all changes apply to."""
    return chain(nn.BatchNorm1d(6), nn.Sigmoid(), nn.Dropout(0.2), nn.Linear(6, 6), nn.Sigmoid())()


class Reading(nn.Module):
    """A net for sequences."""

    def __init__(self, p: float = 0.0, kind: type[nn.Module] = nn.LSTM, **options: Any) -> None:
        super().__init__()
        self.core = nn.LSTM(6, 6, 2, dropout=p) if kind is nn.LSTM else kind(**options)
        self.attend, self.head = nn.MultiheadAttention(6, 2, dropout=p), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        read = self.core(x)[0]
        return self.head(self.attend(read, read, read)[0][:, -1])


class Seeing(nn.Module):
    """A net for images, with or without norms by hand."""

    def __init__(self, with_norms: bool = False) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.body, self.head = nn.Linear(6 * 16, 8), nn.Linear(8, 2)
        kinds: list[Callable[[], nn.Module]] = [nn.Identity] * 3
        if with_norms:
            kinds = [
                lambda: nn.BatchNorm2d(4),
                lambda: nn.BatchNorm2d(6),
                lambda: nn.BatchNorm1d(8),
            ]
        self.norms = nn.ModuleList(kind() for kind in kinds)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.norms[0](self.first(x))), 2)
        x = torch.relu(self.norms[1](self.second(x)))
        x = self.norms[2](self.body(x.view(x.size(0), -1)))
        return self.head(x.relu())


SEEN: dict[str, Any] = {"data": IMAGES, "labels": LABELS[:8]}

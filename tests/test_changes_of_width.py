"""Another width: as if a hand had written the model so, where its layers allow it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Optimizer

from babysit.changes.width import ScaleWidth
from tests.changing import (
    DATA,
    IMAGES,
    SEEN,
    Calling,
    Seeing,
    chain,
    refusal,
    seeded,
    train,
    weights,
)

TANH = nn.Tanh()


def wide(factor: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4 * factor, 3, padding=1), nn.BatchNorm2d(4 * factor), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(4 * factor, 6 * factor, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(6 * factor * 4, 8 * factor), nn.LayerNorm(8 * factor), nn.GELU(), nn.Dropout(0.1),
        nn.Linear(8 * factor, 2),
    )  # fmt: skip


def shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: one.shape for name, one in model.state_dict().items()}


@pytest.mark.parametrize("kind", [SGD, Adagrad])
def test_a_wider_model_trains_as_one_written_so(kind: type[Optimizer]) -> None:
    made, seen = seeded(lambda: wide(1)), list[str]()
    held = [id(one) for one in made.parameters()]
    written = wide(3)

    def begin() -> None:
        made(IMAGES)
        assert [id(one) for one in made.parameters()] == held
        assert repr(made) == repr(written)
        written.load_state_dict(made.state_dict())
        torch.manual_seed(5)

    def look() -> None:
        seen.append(weights(made))

    assert train(made, ScaleWidth(factor=3), kind=kind, evaluate=begin, look=look, **SEEN) == {}
    assert repr(made) == repr(wide(1))

    def begin_written() -> None:
        torch.manual_seed(5)

    train(written, kind=kind, evaluate=begin_written, **SEEN)
    assert torch.equal(seen[-1], weights(written))


@pytest.mark.parametrize(("factor", "width"), [(2, 12), (0.5, 3), (0.01, 1), (1.1, 7), (0.75, 5)])
def test_a_width_is_rounded_and_one_at_least(factor: float, width: int) -> None:
    model, seen = chain(TANH)(), list[int]()
    train(model, ScaleWidth(factor=factor), look=lambda: seen.append(model[0].out_features))
    assert seen[0] == width
    assert model[0].out_features == 6


def test_flattening_by_view_and_averaging_are_followed() -> None:
    class Averaging(Seeing):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(6, 8)

        def forward(self, x: Tensor) -> Tensor:
            x = self.second(self.first(x).relu()).relu().mean(dim=(2, 3))
            return self.head(self.body(x))

    for make, last in ((Seeing, 12 * 16), (Averaging, 12)):
        model, seen = make(), list[int]()
        look = lambda: seen.append(model.body.in_features)  # noqa: B023, E731
        assert train(model, ScaleWidth(factor=2), look=look, **SEEN) == {}
        assert seen[0] == last


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(6, 10), nn.Linear(10, 6)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(self.inner(x).relu())


def test_only_what_is_free_to_change_gets_another_width() -> None:
    model, seen = chain(Residual())(), list[Any]()
    look = lambda: seen.append((shapes(model)["1.inner.weight"], shapes(model)["0.weight"]))  # noqa: E731
    assert train(model, ScaleWidth(factor=2), look=look) == {}
    assert seen[0] == ((20, 6), (6, 6))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 6)
        self.two.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(x).relu())


def frozen() -> nn.Module:
    model = chain(TANH)()
    model[0].requires_grad_(False)
    return model


NO_LINK = "no layer's units go into exactly one next linear or convolution"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: nn.Sequential(nn.Linear(6, 2)), NO_LINK),
        (Tied, NO_LINK),
        (frozen, NO_LINK),
        (lambda: Calling(lambda x: x.softmax(dim=1)), NO_LINK),
        (lambda: Calling(lambda x: x.relu() if x.sum() > 0 else x),
         "its forward cannot be followed (symbolically traced variables cannot be used as inputs "
         "to control flow)"),
    ],
)  # fmt: skip
def test_a_width_that_cannot_be_changed_is_told_with_the_reason(
    make: Callable[[], nn.Module], why: str
) -> None:
    expected = f"the width of this model cannot be changed: {why}"
    assert refusal(ScaleWidth(factor=2), make()) == expected


def test_a_factor_that_changes_nothing_is_told() -> None:
    why = refusal(ScaleWidth(factor=1.01), chain(TANH)())
    assert why == "1.01 times its width is the same width"


def test_a_copy_of_a_changed_model_is_not_changed_again() -> None:
    model, seen = chain(TANH)(), list[int]()

    def look() -> None:
        other = copy.deepcopy(model)
        other(DATA)
        seen.append(other[0].out_features)

    train(model, ScaleWidth(factor=2), look=look)
    assert seen == [12, 12, 12]

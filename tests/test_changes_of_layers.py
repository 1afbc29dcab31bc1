"""Changes of a model's layers, mode and width: as if a hand had written the model so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD

from babysit.changes.additions import SLOT, AddBatchNorm, AddDropout
from babysit.changes.modules import DropModule, SetMode
from babysit.changes.width import ScaleWidth
from babysit.instrument.levers.levers import Levers
from tests.changing import (
    DATA,
    LABELS,
    SEEN,
    SEQUENCES,
    Calling,
    Reading,
    Seeing,
    assert_alike,
    assert_does,
    chain,
    refusal,
    seeded,
    train,
)

TANH, RELU = nn.Tanh(), nn.ReLU()


# -- dropping --------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [nn.Tanh(), nn.Dropout(0.5), nn.ELU(inplace=True)])
def test_a_module_is_passed_by(layer: nn.Module) -> None:
    assert_does(
        DropModule(layer="2"), to=chain(nn.GELU(), layer, TANH), as_by=chain(nn.GELU(), TANH)
    )


def test_a_module_inside_another_is_passed_by() -> None:
    inner = nn.Sequential(nn.BatchNorm1d(6), nn.Tanh())
    dropped, written = seeded(chain(inner)), seeded(chain(nn.Tanh()))
    assert train(dropped, DropModule(layer="1.0")) == {}
    train(written)
    assert torch.equal(dropped[0].weight, written[0].weight)
    assert torch.equal(dropped[1][0].running_mean, torch.zeros(6))


def test_a_module_that_is_not_there_is_told_with_similar_ones() -> None:
    why = refusal(DropModule(layer="bodi"), Calling(torch.tanh))
    assert why == "the model has no module bodi; there are body"
    why = refusal(DropModule(layer="x"), Calling(torch.tanh))
    assert why == "the model has no module x; there are body, head"


@pytest.mark.parametrize(
    ("model", "layer", "data", "message"),
    [
        (chain()(), "1", DATA[:8], "`1` (Linear) takes (8, 6) and gives (8, 2)"),
        (Reading(), "attend.out_proj", SEQUENCES, "`attend.out_proj` is not called as a module"),
        (Reading(), "core", SEQUENCES, "`core` (LSTM) takes (8, 5, 6) and gives a tuple"),
    ],
)
def test_a_module_that_cannot_be_dropped_is_told_with_the_reason(
    model: nn.Module, layer: str, data: Tensor, message: str
) -> None:
    assert refusal(DropModule(layer=layer), model, data=data, labels=LABELS[:8]) == message


# -- adding ----------------------------------------------------------------------------------


def test_batch_norm_is_added_after_each_hidden_layer_and_trained() -> None:
    made = seeded(chain(TANH, nn.Linear(6, 6), TANH))
    written = seeded(chain(nn.BatchNorm1d(6), TANH, nn.Linear(6, 6), nn.BatchNorm1d(6), TANH))
    norms: list[nn.Module] = []
    assert train(made, AddBatchNorm(), look=lambda: norms.append(made[2]._modules[SLOT])) == {}
    train(written)
    for mine, other in ((0, 0), (2, 3), (4, 6)):
        assert torch.equal(made[mine].weight, written[other].weight)
    assert torch.equal(norms[0].weight, written[4].weight)
    assert torch.equal(norms[0].running_var, written[4].running_var)


def test_batch_norm_is_added_after_convolutions() -> None:
    made, written = seeded(Seeing), seeded(lambda: Seeing(with_norms=True))
    assert train(made, AddBatchNorm(), **SEEN) == {}
    train(written, **SEEN)
    for name in ("first", "second", "body", "head"):
        assert torch.equal(getattr(made, name).weight, getattr(written, name).weight)


def test_batch_norm_of_sequences_is_over_their_last_dimension() -> None:
    class Last(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, -1]

    model, seen = chain(TANH, Last())(), list[Tensor]()
    train(
        model, AddBatchNorm(), data=SEQUENCES, labels=LABELS[:8],
        look=lambda: seen.append(model[0](SEQUENCES)),
    )  # fmt: skip
    assert seen[0].shape == (8, 5, 6)
    assert torch.allclose(seen[0].mean(dim=(0, 1)), torch.zeros(6), atol=0.2)


def test_a_batch_of_one_example_is_normalised_by_running_averages() -> None:
    assert train(chain(TANH)(), AddBatchNorm(), data=DATA[:1], labels=LABELS[:1]) == {}


def normed(model: nn.Module) -> list[str]:
    return [name for name, one in model.named_modules() if SLOT in one._modules]


def test_no_head_of_several_gets_batch_norm() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two, self.body = nn.Linear(6, 2), nn.Linear(6, 2), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            return self.one(self.body(x).relu()) + self.two(self.body(x).relu())

    model, seen = Heads(), list[list[str]]()
    train(model, AddBatchNorm(), look=lambda: seen.append(normed(model)))
    assert seen[0] == ["body"]


def test_a_forward_that_cannot_be_traced_is_taken_in_the_order_of_registration() -> None:
    def choosing(x: Tensor) -> Tensor:
        return x.relu() if x.sum() > 0 else x.tanh()

    model, seen = Calling(choosing), list[list[str]]()
    train(
        model,
        AddBatchNorm(),
        look=lambda: seen.append(normed(model)),
    )
    assert seen[0] == ["body"]


def test_a_model_whose_hidden_layers_have_norms_gets_no_more() -> None:
    why = refusal(AddBatchNorm(), chain(nn.LayerNorm(6), TANH)())
    assert why == "the model has no hidden layer that lacks a norm"


def test_dropout_is_added_after_hidden_activations_in_training_only() -> None:
    assert_does(
        AddDropout(p=0.5), to=chain(RELU, nn.Linear(6, 6), TANH),
        as_by=chain(RELU, nn.Dropout(0.5), nn.Linear(6, 6), TANH, nn.Dropout(0.5)),
    )  # fmt: skip
    in_evaluation, written = seeded(chain(RELU)).eval(), seeded(chain(RELU))
    assert train(in_evaluation, AddDropout(p=0.5)) == {}
    train(written)
    assert_alike(in_evaluation, written)


def test_no_hidden_activation_to_add_dropout_after_is_told() -> None:
    expected = "the model has no hidden activation layer, such as nn.ReLU"
    assert refusal(AddDropout(p=0.5), Calling(torch.tanh)) == expected
    assert refusal(AddDropout(p=0.5), nn.Sequential(nn.Linear(6, 2), nn.ReLU())) == expected


# -- modes -----------------------------------------------------------------------------------


def test_a_mode_holds_in_training_calls_and_nowhere_else() -> None:
    seen: list[tuple[str, bool]] = []
    when = ["training"]

    def hidden(x: Tensor) -> Tensor:
        seen.append((when[0], model.training))
        return x.tanh()

    model = Calling(hidden)
    model.body.eval()

    def look() -> None:
        seen.append(("after", model.training))
        seen.append(("part", model.body.training))
        when[0] = "evaluation"
        with torch.no_grad():
            model(DATA)

    assert train(model, SetMode(mode="eval"), steps=1, look=look) == {}
    assert seen == [("training", False), ("after", True), ("part", False), ("evaluation", True)]


def test_a_training_in_the_wrong_mode_goes_as_in_the_right_one() -> None:
    make = chain(nn.BatchNorm1d(6), nn.Dropout(0.5))
    wrong, right = seeded(make).eval(), seeded(make)
    train(wrong, SetMode(mode="train"))
    train(right)
    assert_alike(wrong, right)
    assert not wrong.training


# -- several ---------------------------------------------------------------------------------


def test_two_models_are_changed_and_one_suffices() -> None:
    first, second = chain(TANH)(), nn.Sequential(nn.Linear(2, 2))
    optimizer = SGD([*first.parameters(), *second.parameters()], lr=0.1)
    levers = Levers()
    levers.attach([AddDropout(p=0.5), DropModule(layer="1"), ScaleWidth(factor=2)])
    functional.cross_entropy(second(first(DATA)), LABELS).backward()
    optimizer.step()
    levers.detach()
    assert levers.refusals == {}

"""Changes of weights before the first step: how they are drawn, and in which precision."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adagrad, Adam, Optimizer

from babysit.changes.weights import RaiseForgetBias, Reinitialise, SetDtype
from babysit.instrument.levers.levers import Levers
from tests.changing import (
    DATA,
    LABELS,
    SEQUENCES,
    Calling,
    Reading,
    assert_alike,
    chain,
    every,
    refusal,
    seeded,
    train,
)


def drawn(change: Reinitialise | RaiseForgetBias, *layers: nn.Module) -> nn.ModuleList:
    """Layers as a change has drawn them."""

    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers, self.head = nn.ModuleList(layers), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x)

    model = Idle()
    assert train(model, change, steps=1) == {}
    return model.layers


WIDE = (nn.Linear(300, 200), nn.Conv2d(20, 30, 3))


@pytest.mark.parametrize(
    ("change", "linear", "convolution"),
    [
        (Reinitialise(scheme="xavier"), (2 / 500) ** 0.5, (2 / (50 * 9)) ** 0.5),
        (Reinitialise(scheme="kaiming"), (2 / 300) ** 0.5, (2 / 180) ** 0.5),
        (Reinitialise(scheme="orthogonal"), (1 / 300) ** 0.5, (1 / 180) ** 0.5),
        (Reinitialise(scheme="normal"), 0.02, 0.02),
        (Reinitialise(scheme="normal", scale=0.5), 0.5, 0.5),
        (Reinitialise(scheme="default"), (1 / 900) ** 0.5, (1 / 540) ** 0.5),
    ],
    ids=str,
)
def test_weights_are_drawn_by_the_scheme(
    change: Reinitialise, linear: float, convolution: float
) -> None:
    first, second = drawn(change, *copy.deepcopy(WIDE))
    assert first.weight.std().item() == pytest.approx(linear, rel=0.05)
    assert second.weight.std().item() == pytest.approx(convolution, rel=0.1)
    assert bool(first.bias.any()) is (change.scheme == "default")


def test_recurrent_weights_are_drawn_gate_by_gate() -> None:
    (layer,) = drawn(Reinitialise(scheme="orthogonal"), nn.LSTM(6, 6))
    for gate in (*layer.weight_hh_l0.chunk(4), *layer.weight_ih_l0.chunk(4)):
        assert torch.allclose(gate @ gate.T, torch.eye(6), atol=1e-5)
    assert not layer.bias_ih_l0.any()


def test_queries_keys_and_values_are_drawn_one_by_one() -> None:
    (layer,) = drawn(Reinitialise(scheme="orthogonal"), nn.MultiheadAttention(6, 2))
    for part in layer.in_proj_weight.chunk(3):
        assert torch.allclose(part @ part.T, torch.eye(6), atol=1e-5)


def test_norms_keep_their_weights_and_embeddings_unless_drawn_normally() -> None:
    norm, table = nn.LayerNorm(6), nn.Embedding(50, 40, padding_idx=3)
    nn.init.constant_(norm.weight, 3.0)
    before = table.weight.detach().clone()
    drawn(Reinitialise(scheme="xavier"), norm, table, tied(table))
    assert torch.equal(table.weight, before)
    drawn(Reinitialise(scheme="normal"), norm, table)
    assert table.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert not table.weight[3].any()
    assert norm.weight.tolist() == [3.0] * 6


def tied(table: nn.Embedding) -> nn.Linear:
    layer = nn.Linear(40, 50)
    layer.weight = table.weight
    return layer


def test_only_the_layers_that_are_named_are_drawn() -> None:
    before = seeded(every)
    model = copy.deepcopy(before)
    train(
        model, Reinitialise(scheme="kaiming", layers=["0"]), evaluate=lambda: model(DATA), steps=0
    )
    assert not torch.equal(model[0].weight, before[0].weight)
    assert torch.equal(model[4].weight, before[4].weight)


def test_weights_that_were_not_drawn_are_told_with_the_reason() -> None:
    why = refusal(Reinitialise(scheme="xavier", layers=["bodi"]), Calling(torch.tanh))
    assert why == "the model has no module bodi; there are body"


def test_an_average_of_trained_weights_is_not_drawn_anew() -> None:
    model, average = chain(nn.Tanh())(), chain(nn.Tanh())()
    before = copy.deepcopy(average)

    def look() -> None:
        with torch.no_grad():
            average(DATA)

    train(model, Reinitialise(scheme="kaiming"), look=look)
    assert_alike(average, before)


@pytest.mark.parametrize("layer", [nn.LSTM(6, 6, 2, bidirectional=True), nn.LSTMCell(6, 6)])
def test_both_biases_of_a_forget_gate_together_have_the_value(layer: nn.Module) -> None:
    before = dict(copy.deepcopy(layer).named_parameters())
    (changed,) = drawn(RaiseForgetBias(value=2.0), layer)
    after = dict(changed.named_parameters())
    for name in (one for one in after if one.startswith("bias_ih")):
        other = name.replace("_ih", "_hh")
        assert (after[name] + after[other])[6:12].tolist() == [2.0] * 6
        assert torch.equal(after[name][:6], before[name][:6])
        assert torch.equal(after[other][12:], before[other][12:])


def test_a_forget_bias_that_is_not_there_is_told() -> None:
    assert refusal(RaiseForgetBias(), chain()()) == "the model has no LSTM"
    options: dict[str, Any] = {"data": SEQUENCES, "labels": LABELS[:8]}
    without = Reading(kind=nn.RNN, input_size=6, hidden_size=6)
    without.core = nn.LSTM(6, 6, bias=False)
    assert refusal(RaiseForgetBias(), without, **options) == "the model's LSTM has no biases"


# -- precision -------------------------------------------------------------------------------


def on_first(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda scores, labels: loss(scores[:, 0].sigmoid(), labels)


@pytest.mark.parametrize("kind", [SGD, Adam, Adagrad])
@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (functional.cross_entropy, LABELS),
        (on_first(functional.mse_loss), LABELS.float()),
        (on_first(lambda *given: functional.binary_cross_entropy(*given)), LABELS.float()),
        (on_first(lambda *given: functional.huber_loss(*given)), LABELS.float()),
    ],
    ids=["cross_entropy", "mse_loss", "binary_cross_entropy", "huber_loss"],
)
def test_another_precision_trains_as_a_model_converted_by_hand(
    kind: type[Optimizer], loss: Callable[..., Tensor], labels: Tensor
) -> None:
    changed, written = seeded(every), seeded(every).double()
    kept = [id(one) for one in changed.parameters()]
    last: list[Tensor] = []

    def look() -> None:
        last[:] = [one.detach().clone() for one in changed.parameters()]
        changed.eval()
        with torch.no_grad():
            assert changed(DATA).dtype is torch.float64
        changed.train()

    change = SetDtype(dtype="float64")
    assert train(changed, change, kind=kind, loss=loss, labels=labels, look=look) == {}
    labels = labels.double() if labels.is_floating_point() else labels
    train(written, kind=kind, loss=loss, labels=labels, data=DATA.double())
    assert all(map(torch.equal, last, written.parameters()))
    assert [id(one) for one in changed.parameters()] == kept
    assert {one.dtype for one in changed.state_dict().values()} == {torch.float32, torch.int64}


def test_a_recurrent_model_trains_in_bfloat16_and_goes_on_in_its_own_precision() -> None:
    model = Reading()
    options: dict[str, Any] = {"data": SEQUENCES, "labels": LABELS[:8]}
    optimizer = Adam(model.parameters())
    levers = Levers()
    levers.attach([SetDtype(dtype="bfloat16")])
    functional.cross_entropy(model(SEQUENCES), LABELS[:8]).backward()
    assert {one.grad.dtype for one in model.parameters() if one.grad is not None} == {
        torch.bfloat16
    }
    optimizer.step()
    levers.detach()
    functional.cross_entropy(model(SEQUENCES), LABELS[:8]).backward()
    optimizer.step()
    assert train(model, **options) == {}


def test_the_precision_that_a_model_has_already_is_told() -> None:
    why = refusal(SetDtype(dtype="float32"), chain()())
    assert why == "the model is in float32 already"

"""Changes of what functions do while a model runs: as if a hand had written the model so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from babysit.change import Change
from babysit.changes.additions import AddBatchNorm, AddDropout
from babysit.changes.functions import ACTIVATIONS, DropNormalisation, ReplaceActivation, SetDropout
from babysit.changes.modules import SetMode
from tests.changing import (
    DATA,
    LABELS,
    SEQUENCES,
    Calling,
    Reading,
    assert_alike,
    assert_does,
    chain,
    every,
    refusal,
    seeded,
    train,
)


@pytest.mark.parametrize("old", ACTIVATIONS)
@pytest.mark.parametrize("new", ["relu", "gelu"])
def test_an_activation_layer_becomes_another(old: str, new: str) -> None:
    if old != new:
        layers = [chain(ACTIVATIONS[name][0]()) for name in (old, new)]
        assert_does(ReplaceActivation(old=old, new=new), to=layers[0], as_by=layers[1])


@pytest.mark.parametrize(
    "sigmoid",
    [torch.sigmoid, functional.sigmoid, Tensor.sigmoid, torch.special.expit,
     lambda x: (x + 0).sigmoid_(), lambda x: torch.sigmoid(input=x)],
)  # fmt: skip
def test_an_activation_called_as_a_function_becomes_another(sigmoid: Any) -> None:
    change = ReplaceActivation(old="sigmoid", new="relu")
    assert_does(change, to=lambda: Calling(sigmoid), as_by=lambda: Calling(torch.relu))


def relu_in_place(x: Tensor) -> Tensor:
    x = x + 0
    functional.relu(x, inplace=True)  # the result is not used
    return x


def test_an_activation_in_place_becomes_one_in_place() -> None:
    change = ReplaceActivation(old="relu", new="tanh")
    assert_does(change, to=lambda: Calling(relu_in_place), as_by=lambda: Calling(torch.tanh))


def log_loss(scores: Any, labels: Tensor) -> Tensor:
    """A loss by hand that has a sigmoid of its own."""
    scores = scores[0] if isinstance(scores, tuple) else scores
    hot = functional.one_hot(labels, 2).float()
    return functional.binary_cross_entropy(torch.sigmoid(scores), hot)


@pytest.mark.parametrize(
    "last",
    [torch.sigmoid, nn.Sigmoid(), lambda x: (x.sigmoid(), x), lambda x: (x + 0).sigmoid_()],
)
def test_the_outputs_activation_and_the_losss_stay(last: Any) -> None:
    change = ReplaceActivation(old="sigmoid", new="relu")
    assert_does(
        change, to=lambda: Calling(torch.sigmoid, last), as_by=lambda: Calling(torch.relu, last),
        loss=log_loss,
    )  # fmt: skip
    why = refusal(change, Calling(torch.tanh, last), loss=log_loss)
    assert why == "the model uses no sigmoid except for its output"


def test_an_output_that_went_on_changing_is_no_outputs_activation() -> None:
    assert_does(
        ReplaceActivation(old="softplus", new="gelu"),
        to=lambda: Calling(torch.tanh, lambda x: functional.softplus(x).mul_(2)),
        as_by=lambda: Calling(torch.tanh, lambda x: functional.gelu(x).mul_(2)),
    )


def test_what_layers_of_pytorch_do_inside_stays() -> None:
    change = ReplaceActivation(old="relu", new="gelu")
    model = nn.Sequential(nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), nn.Linear(6, 2))
    why = refusal(change, model, data=SEQUENCES, labels=torch.zeros(8, 2).long())
    assert why == "the model uses no relu"


RECOMPUTED: list[Change] = [
    ReplaceActivation(old="sigmoid", new="relu"), DropNormalisation(), SetDropout(p=0.3),
    AddBatchNorm(), AddDropout(p=0.4), SetMode(mode="eval"),
]  # fmt: skip


class Remembering(nn.Module):
    """Blocks that run again during backward."""

    def __init__(self, does: bool) -> None:
        super().__init__()
        self.block, self.head = every()[:6], nn.Linear(6, 2)
        self.does = does

    def run(self, x: Tensor) -> Tensor:
        return functional.dropout(torch.sigmoid(self.block(x)), 0.1, self.training)

    def forward(self, x: Tensor) -> Tensor:
        hidden = checkpoint(self.run, x, use_reentrant=False) if self.does else self.run(x)
        return self.head(hidden)


@pytest.mark.parametrize("change", RECOMPUTED, ids=str)
def test_a_checkpoint_is_recomputed_under_the_change(change: Change) -> None:
    kept, recomputed = (seeded(lambda does=does: Remembering(does)) for does in (False, True))
    assert train(kept, change) == train(recomputed, change)
    assert_alike(kept, recomputed)


NORMS = [
    nn.BatchNorm1d(6),
    nn.LayerNorm(6),
    nn.GroupNorm(2, 6),
    nn.InstanceNorm1d(32),
    nn.RMSNorm(6),
]


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: type(norm).__name__)
def test_a_norm_is_dropped(norm: nn.Module) -> None:
    dropped, written = seeded(chain(norm, nn.Tanh())), seeded(chain(nn.Tanh()))
    assert train(dropped, DropNormalisation()) == {}
    train(written)
    assert torch.equal(dropped[-1].weight, written[-1].weight)
    assert refusal(DropNormalisation(), chain(nn.Tanh())()) == "the model has no normalisation"


def test_a_dropped_norm_keeps_what_follows_in_place_from_what_came_before() -> None:
    class Block(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + functional.layer_norm(x, (6,)).relu_()

    dropped = chain(Block())()
    out: list[Tensor] = []
    train(
        dropped, DropNormalisation(), look=lambda: out.extend([dropped[:2](DATA), dropped[0](DATA)])
    )
    assert torch.equal(out[0], out[1] + out[1].relu())


def test_the_rate_of_all_dropout_is_set() -> None:
    for layer in (nn.Dropout, nn.AlphaDropout):
        assert_does(SetDropout(p=0.5), to=chain(layer(0.1)), as_by=chain(layer(0.5)))

    def calling(p: float) -> nn.Module:
        return Calling(lambda x: functional.dropout(x, p, True))

    assert_does(SetDropout(p=0.5), to=lambda: calling(0.1), as_by=lambda: calling(0.5))
    assert refusal(SetDropout(p=0.5), chain(nn.Tanh())()) == "the model has no dropout"


def test_the_dropout_inside_of_recurrent_layers_and_attention_is_set() -> None:
    options: dict[str, Any] = {"data": SEQUENCES, "labels": LABELS[:8]}
    assert_does(SetDropout(p=0.5), to=lambda: Reading(0.1), as_by=lambda: Reading(0.5), **options)
    model = Reading(0.1)
    train(model, SetDropout(p=0.5), **options)
    assert (model.core.dropout, model.attend.dropout) == (0.1, 0.1)


def attending(p: float) -> nn.Module:
    def attend(x: Tensor) -> Tensor:
        rate = p if model.training else 0.0
        return functional.scaled_dot_product_attention(x, x, x, dropout_p=rate)

    model = Calling(attend)
    return model


def test_dropout_of_attention_as_a_function_is_set_in_training_only() -> None:
    assert_does(SetDropout(p=0.5), to=lambda: attending(0.1), as_by=lambda: attending(0.5))
    assert refusal(SetDropout(p=0.5), attending(0.1).eval()) == "the model has no dropout"

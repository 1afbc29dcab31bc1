"""Changes of models leave no trace, and say what they cannot do."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim import SGD, Adagrad, Adam, Optimizer

from babysit.change import Change
from babysit.changes.additions import AddBatchNorm, AddDropout
from babysit.changes.functions import DropNormalisation, ReplaceActivation, SetDropout
from babysit.changes.modules import DropModule, SetMode
from babysit.changes.weights import RaiseForgetBias, Reinitialise, SetDtype
from babysit.changes.width import ScaleWidth
from babysit.errors import BabysitError
from tests.changing import DATA, chain, every, train

ALL: list[Change] = [
    ReplaceActivation(old="sigmoid", new="relu"), DropModule(layer="2"), DropNormalisation(),
    AddBatchNorm(), SetDropout(p=0.3), AddDropout(p=0.4), SetMode(mode="eval"),
    Reinitialise(scheme="kaiming"), SetDtype(dtype="float64"), ScaleWidth(factor=2),
]  # fmt: skip


def state_of(model: nn.Module) -> list[Any]:
    hooks = torch.nn.modules.module
    parts = [
        (name, type(one), one.training, {k: v for k, v in vars(one).items() if k[0] != "_"},
         len(one._forward_hooks), len(one._forward_pre_hooks), list(one._modules))
        for name, one in model.named_modules()
    ]  # fmt: skip
    shapes = [(name, one.shape, one.dtype) for name, one in model.state_dict().items()]
    world = (
        nn.Module.__call__, torch.autograd.backward, torch.autograd._engine_run_backward,
        functional.binary_cross_entropy, functional.huber_loss, functional.dropout,
        len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks),
    )  # fmt: skip
    return [parts, shapes, world, [id(one) for one in model.parameters()]]


@pytest.mark.parametrize("change", ALL, ids=str)
@pytest.mark.parametrize("kind", [SGD, Adam, Adagrad])
def test_a_change_that_let_go_leaves_no_trace(change: Change, kind: type[Optimizer]) -> None:
    model = every()
    before = state_of(model)
    assert train(model, change, kind=kind) == {}
    assert state_of(model) == before
    train(model, kind=kind)


@pytest.mark.parametrize("change", ALL, ids=str)
def test_a_changed_model_can_be_evaluated_copied_and_saved(change: Change) -> None:
    model = every()
    copies: list[nn.Module] = []

    def look() -> None:
        model.eval()
        with torch.no_grad():
            expected = model(DATA)
            copies.append(copy.deepcopy(model))
            assert torch.equal(copies[-1](DATA), expected)
        torch.save(model, io.BytesIO())
        model.load_state_dict(copies[0].state_dict())
        model.train()

    assert train(model, change, look=look) == {}


@pytest.mark.parametrize("change", ALL, ids=str)
def test_a_model_may_be_evaluated_in_inference_mode_before_it_is_trained(change: Change) -> None:
    model = every()
    evaluate = torch.inference_mode()(lambda: model(DATA))
    assert train(model, change, evaluate=evaluate) == {}


QUIET = [one for one in ALL if not isinstance(one, AddDropout | SetDropout | SetMode)]


@pytest.mark.parametrize("change", QUIET, ids=str)
def test_a_change_draws_no_random_numbers_of_the_training(change: Change) -> None:
    make = chain(nn.BatchNorm1d(6), nn.Sigmoid(), nn.Linear(6, 6), nn.Sigmoid())
    train(make())
    expected = torch.get_rng_state()
    train(make(), change)
    assert torch.equal(torch.get_rng_state(), expected)


@pytest.mark.parametrize("change", ALL, ids=str)
def test_a_part_of_the_model_that_is_called_by_itself_is_not_changed_again(change: Change) -> None:
    model = every()
    seen: list[Any] = []

    def look() -> None:
        before = copy.deepcopy(model.state_dict())
        model[3](DATA)
        after = model.state_dict()
        seen.append([torch.equal(before[name], after[name]) for name in after])

    train(model, change, look=look)
    assert all(map(all, seen))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReplaceActivation(old="swish", new="relu"),
         "replace-activation: old is 'swish'; it takes one of relu, leaky_relu, elu, gelu, silu, "
         "tanh, sigmoid, softplus."),
        (lambda: ReplaceActivation(old="relu", new="relu"),
         "replace-activation: new is 'relu'; it takes another one of relu, leaky_relu, elu, gelu, "
         "silu, tanh, sigmoid, softplus."),
        (lambda: DropModule(layer=""),
         "drop-module: layer is ''; it takes the name of a module, such as features.3."),
        (lambda: SetDropout(p=1.0),
         "set-dropout: p is 1.0; it takes a number from 0 to below 1."),
        (lambda: AddDropout(p=0), "add-dropout: p is 0; it takes a number between 0 and 1."),
        (lambda: SetMode(mode="test"), "set-mode: mode is 'test'; it takes train or eval."),
        (lambda: Reinitialise(scheme="he"),
         "reinitialise: scheme is 'he'; it takes one of xavier, kaiming, orthogonal, normal, "
         "default."),
        (lambda: Reinitialise(scheme="xavier", scale=0.1),
         "reinitialise: scale is 0.1; it takes a number above 0, with the scheme normal only."),
        (lambda: Reinitialise(scheme="xavier", layers="head"),
         "reinitialise: layers is 'head'; it takes a list of modules' names."),
        (lambda: RaiseForgetBias(value=float("inf")),
         "raise-forget-bias: value is inf; it takes a finite number."),
        (lambda: SetDtype(dtype="float16"),
         "set-dtype: dtype is 'float16'; it takes one of float32, float64, bfloat16."),
        (lambda: ScaleWidth(factor=-2),
         "scale-width: factor is -2; it takes a number above 0 other than 1, up to 1000."),
    ],
)  # fmt: skip
def test_a_senseless_parameter_is_told_in_one_sentence(
    make: Callable[[], Change], message: str
) -> None:
    with pytest.raises(BabysitError) as error:
        make()
    assert str(error.value) == message


@pytest.mark.parametrize("change", [ALL[0], ALL[1], ALL[3]], ids=str)
def test_a_compiled_model_is_changed_as_one_that_is_not(change: Change) -> None:
    model = every()
    other = copy.deepcopy(model)
    compiled = torch.compile(other, backend="eager", fullgraph=True)
    assert train(model, change) == train(compiled, change) == {}
    assert all(map(torch.equal, model.parameters(), other.parameters()))

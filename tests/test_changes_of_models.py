"""Changes of models: each does by itself what a hand would have written, and leaves no trace."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adagrad, Adam, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.checkpoint import checkpoint

from babysit.change import Change
from babysit.changes.additions import AddBatchNorm, AddDropout
from babysit.changes.functions import ACTIVATIONS, DropNormalisation, ReplaceActivation, SetDropout
from babysit.changes.modules import DropModule, SetMode
from babysit.changes.weights import RaiseForgetBias, Reinitialise, SetDtype
from babysit.changes.width import ScaleWidth
from babysit.errors import BabysitError
from babysit.instrument.levers.levers import Levers

DATA = torch.randn(32, 6, generator=torch.Generator().manual_seed(1))
LABELS = (DATA[:, 0] > 0).long()
IMAGES = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(2))
SEQUENCES = torch.randn(8, 5, 6, generator=torch.Generator().manual_seed(3))
ALL: list[Change] = [
    ReplaceActivation(old="sigmoid", new="relu"), DropModule(layer="2"), DropNormalisation(),
    AddBatchNorm(), SetDropout(p=0.3), AddDropout(p=0.4), SetMode(mode="eval"),
    Reinitialise(scheme="kaiming"), SetDtype(dtype="float64"), ScaleWidth(factor=2),
]  # fmt: skip
Trained = tuple[nn.Module, dict[str, str]]


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


def chain(*layers: nn.Module) -> Callable[[], nn.Module]:
    """Layers around which two linear layers stand; the layers are copied."""

    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(6, 6), *copy.deepcopy(layers), nn.Linear(6, 2))

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


# -- all -------------------------------------------------------------------------------------


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


# -- functions -------------------------------------------------------------------------------


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


@pytest.mark.parametrize("change", [one for one in ALL if not isinstance(one, DropModule)], ids=str)
def test_a_checkpoint_is_recomputed_under_the_change(change: Change) -> None:
    kept, recomputed = (seeded(lambda does=does: Remembering(does)) for does in (False, True))
    assert train(kept, change) == train(recomputed, change)
    assert_alike(kept, recomputed)


NORMS = [
    nn.BatchNorm1d(6),
    nn.LayerNorm(6),
    nn.GroupNorm(2, 6),
    nn.InstanceNorm1d(6),
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


class Reading(nn.Module):
    """A net for sequences."""

    def __init__(self, p: float = 0.0, kind: type[nn.Module] = nn.LSTM, **options: Any) -> None:
        super().__init__()
        self.core = nn.LSTM(6, 6, 2, dropout=p) if kind is nn.LSTM else kind(**options)
        self.attend, self.head = nn.MultiheadAttention(6, 2, dropout=p), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        read = self.core(x)[0]
        return self.head(self.attend(read, read, read)[0][:, -1])


def test_the_dropout_inside_of_recurrent_layers_and_attention_is_set() -> None:
    options: dict[str, Any] = {"data": SEQUENCES, "labels": torch.zeros(8).long(), "steps": 2}
    options["labels"] = torch.zeros(8).long()
    model = Reading(0.1)
    assert_does(
        SetDropout(p=0.5), to=lambda: Reading(0.1), as_by=lambda: Reading(0.5),
        **options | {"labels": torch.zeros(8).long()},
    )  # fmt: skip
    train(model, SetDropout(p=0.5), **options)
    assert (model.core.dropout, model.attend.dropout) == (0.1, 0.1)

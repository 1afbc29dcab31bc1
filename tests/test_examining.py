"""Examinations: what a model's call, made again in other ways, shows of sound and broken models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from babysit.change import Change
from babysit.changes.examining import ExamineBatchMixing, ExamineModes, ExamineSingleExamples
from babysit.errors import BabysitError
from babysit.instrument.examinations import FunctionExamination, FunctionResults
from babysit.instrument.levers.levers import Levers

Batches = Callable[[int], tuple[Tensor, ...]]
INFLUENCE = "cross-example-influence"


def rows(step: int) -> tuple[Tensor, ...]:
    return (torch.randn(6, 8, generator=torch.Generator().manual_seed(step)),)


def sequences(step: int) -> tuple[Tensor, ...]:
    return (torch.randn(6, 5, 4, generator=torch.Generator().manual_seed(step)),)


def tokens(step: int) -> tuple[Tensor, ...]:
    return (torch.randint(9, (6, 5), generator=torch.Generator().manual_seed(step)),)


class Of(nn.Module):
    """A model that does what a function does, with a layer to learn behind it."""

    def __init__(self, function: Callable[..., Tensor], width: int = 8, out: int = 3) -> None:
        super().__init__()
        self.function, self.last = function, nn.Linear(width, out)

    def forward(self, *args: Any) -> Tensor:
        output: Tensor = self.last(self.function(*args))
        return output


class Recurrent(nn.Module):
    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 8, batch_first=batch_first)
        self.head = nn.Linear(8, 3)

    def forward(self, steps: Tensor) -> Tensor:
        output: Tensor = self.head(self.lstm(steps)[0][:, -1])
        return output


class TimeFirst(Recurrent):
    def __init__(self) -> None:
        super().__init__(batch_first=False)

    def forward(self, steps: Tensor) -> Any:
        states, last = self.lstm(steps)
        return {"scores": self.head(states).flatten(0, 1), "state": last}


class Tokens(nn.Module):
    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.embedding, self.positions = nn.Embedding(9, 8), nn.Embedding(6, 8)
        self.head, self.dim = nn.Linear(8, 3), dim

    def forward(self, tokens: Tensor) -> Any:
        embedded = self.embedding(tokens) + self.positions(torch.arange(tokens.shape[1]))
        return ({"logits": self.head(embedded.softmax(dim=self.dim))},)


def train(
    model: nn.Module,
    change: Change,
    batches: Batches = rows,
    *,
    steps: int = 4,
    loss: Callable[[Tensor], Tensor] = torch.mean,
) -> Levers:
    """Train under a change; the same weights and numbers must come of it as without."""
    levers = Levers()
    levers.attach([change])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(steps):
        output = model(*batches(step))
        while not isinstance(output, Tensor):
            output = next(iter(output.values() if isinstance(output, dict) else output))
        loss(output).backward()
        optimizer.step()
        optimizer.zero_grad()
    levers.detach()
    return levers


def noted(levers: Levers) -> dict[str, float]:
    return {name: value for _, name, value in levers.notes}


def influence(model: nn.Module, batches: Batches = rows, steps: int = 4) -> float | str:
    """What is noted, or why nothing is."""
    levers = train(model, ExamineBatchMixing(), batches, steps=steps)
    found = noted(levers).get(INFLUENCE)
    return found if found is not None else levers.refusals["examine-batch-mixing"]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# -- mixing of examples ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "batches"),
    [
        (nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 3)), rows),
        (Of(lambda x: F.dropout(x, 0.5)), rows),
        (Recurrent(batch_first=True), sequences),
        (TimeFirst(), sequences),
        (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), sequences),
        (Tokens(), tokens),
        (torch.nn.utils.parametrizations.weight_norm(nn.Linear(8, 3)), rows),
    ],
    ids=[
        "batch-norm",
        "dropout-left-on",
        "lstm",
        "time-first",
        "attention",
        "tokens",
        "weight-norm",
    ],
)
def test_a_model_that_keeps_examples_apart_shows_exactly_0(
    model: nn.Module, batches: Batches
) -> None:
    assert influence(model, batches) == 0


@pytest.mark.parametrize(
    ("model", "batches"),
    [
        (Recurrent(batch_first=False), sequences),
        (Of(lambda x: x.softmax(dim=0)), rows),
        (Of(lambda x: x - x.mean(dim=0)), rows),
        (Of(lambda x: x.t().reshape(6, 8)), rows),
        (Of(lambda x: x.roll(1, dims=0)), rows),
    ],
    ids=["batch-as-time", "softmax", "mean", "view-for-permute", "shifted"],
)
def test_a_model_that_mixes_examples_is_found(model: nn.Module, batches: Batches) -> None:
    found = influence(model, batches)
    assert isinstance(found, float)
    assert found > 0.01


def test_a_loader_tells_examples_from_time() -> None:
    assert influence(Tokens(dim=0), tokens) == 0  # if these were (time, batch)
    loader = DataLoader(TensorDataset(torch.zeros(60)), batch_size=6)

    def loaded(step: int) -> tuple[Tensor, ...]:
        next(iter(loader))
        return tokens(step)

    found = influence(Tokens(dim=0), loaded)
    assert isinstance(found, float)
    assert found > 0.01


def test_an_output_that_hangs_on_others_only_counts_as_1() -> None:
    assert influence(Of(lambda x: x.roll(1, dims=0))) == 1.0


def adjacent(step: int) -> tuple[Tensor, ...]:
    return (*rows(step), torch.eye(6).roll(1, 0) + step)


def edges(step: int) -> tuple[Tensor, ...]:
    return (*rows(step), torch.tensor([[0, 1, 2], [1, 2, 3]]))


@pytest.mark.parametrize(
    ("model", "batches", "why"),
    [
        (Of(lambda x: x - x.mean(0)), lambda _: rows(0), "every step has the same batch"),
        (Of(lambda x, a: a @ x), adjacent, "as the edges of a graph do"),
        (Of(lambda x, e: x.index_add(0, e[1], x[e[0]])), edges, "as the edges of a graph do"),
        (nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8, track_running_stats=False)), rows,
         "batch norm takes its statistics from the batch"),
        (Of(lambda x: F.normalize(x) @ F.normalize(x).T, 6, 6), rows, "no row"),
        (Of(lambda x: x.mean(0)), rows, "no row for each example"),
        (Of(lambda x: x - x.mean(0)), lambda step: (rows(step)[0][: 6 - step],),
         "the batches differ in size"),
        (nn.Linear(8, 3), lambda step: (rows(step)[0][:1],), "only one example in the batch"),
    ],
    ids=["full-batch", "adjacency", "edges", "batch-norm", "contrast", "set", "lengths", "single"],
)  # fmt: skip
def test_mixing_that_may_be_meant_is_not_judged(
    model: nn.Module, batches: Batches, why: str
) -> None:
    if why == "no row":  # every example is compared with every other
        nn.init.eye_(model.last.weight)
        why = "each is compared with all"
    found = influence(model, batches)
    assert isinstance(found, str)
    assert why in found


def test_one_sequence_without_a_batch_is_not_taken_for_examples() -> None:
    lstm = nn.LSTM(8, 8)
    model = Of(lambda x: lstm(x.unsqueeze(1))[0].squeeze(1))
    model.lstm = lstm
    assert "as one sequence" in str(influence(model))


def test_a_chain_of_modules_is_examined_where_the_data_enter() -> None:
    first, second = Of(lambda x: x.softmax(0)), nn.Linear(3, 2)
    levers = Levers()
    levers.attach([ExamineBatchMixing()])
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.1)
    for step in range(4):
        second(first(*rows(step))).mean().backward()
        optimizer.step()
    levers.detach()
    assert noted(levers)[INFLUENCE] > 0.01


def test_two_optimizers_that_step_after_one_call_are_no_obstacle() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 3))
    levers = Levers()
    levers.attach([ExamineBatchMixing()])
    optimizers = [torch.optim.SGD(one.parameters(), lr=0.1) for one in model]
    for step in range(4):
        model(*rows(step)).mean().backward()
        for optimizer in optimizers:
            optimizer.step()
    levers.detach()
    assert noted(levers) == {INFLUENCE: 0}
    assert not levers.refusals


def test_a_training_shorter_than_wished_is_still_judged() -> None:
    assert influence(nn.Linear(8, 3), steps=2) == 0


def test_an_examination_leaves_the_training_as_it_was() -> None:
    def weights(*changes: Change) -> list[Tensor]:
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 3))
        train(model, *changes, loss=lambda y: F.mse_loss(y, torch.zeros_like(y)))
        return list(model.state_dict().values())

    plain = weights(ExamineModes(at_step=100))
    for change in (ExamineBatchMixing(), ExamineSingleExamples(), ExamineModes(at_step=2)):
        assert all(map(torch.equal, plain, weights(change)))


# -- examples alone --------------------------------------------------------------------------


def alone(model: nn.Module, batches: Batches = rows) -> dict[str, float]:
    notes = noted(train(model, ExamineSingleExamples(), batches))
    return {name.removeprefix("single-example-"): value for name, value in notes.items()}


def test_a_sound_model_says_the_same_of_an_example_alone() -> None:
    found = alone(nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)))
    assert found["difference"] < 1e-5
    assert (found["crash"], found["dimensions-lost"]) == (0, 0)


def test_a_mean_over_the_batch_says_something_else_of_an_example_alone() -> None:
    assert alone(Of(lambda x: x - x.mean(0)))["difference"] > 0.1


def test_a_dimension_squeezed_away_is_noted() -> None:
    model = nn.Sequential(Of(lambda x: x), nn.Linear(3, 1), Squeeze())
    assert alone(model)["dimensions-lost"] == 1


class Squeeze(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.squeeze()


def test_a_crash_with_one_example_is_a_result() -> None:
    def softmax_of_columns(x: Tensor) -> Tensor:
        return x.squeeze().softmax(dim=1)

    assert alone(Of(softmax_of_columns)) == {"crash": 1.0}


def test_a_model_for_one_batch_size_only_is_not_judged() -> None:
    levers = train(Of(lambda x: x.view(6, 8)), ExamineSingleExamples())
    assert "cannot be called again" in levers.refusals["examine-single-examples"]


# -- modes -----------------------------------------------------------------------------------


def modes(model: nn.Module, loss: Callable[[Tensor], Tensor], at_step: int = 2) -> Levers:
    return train(model, ExamineModes(at_step=at_step), loss=loss)


def squares(output: Tensor) -> Tensor:
    return F.mse_loss(output.squeeze(-1), torch.ones(6))


def test_without_dropout_both_modes_have_the_same_loss() -> None:
    found = noted(modes(nn.Linear(8, 1), squares))
    assert found["train-mode-loss"] == pytest.approx(found["eval-mode-loss"])


def test_strong_dropout_makes_the_modes_differ() -> None:
    found = noted(modes(nn.Sequential(nn.Dropout(0.9), nn.Linear(8, 1)), squares))
    assert found["train-mode-loss"] > 1.2 * found["eval-mode-loss"]


def test_a_training_that_ends_early_is_examined_all_the_same() -> None:
    assert set(noted(modes(nn.Linear(8, 1), squares, at_step=50))) == {
        "train-mode-loss", "eval-mode-loss",
    }  # fmt: skip


def test_a_loss_of_something_else_than_the_output_is_not_judged() -> None:
    levers = modes(nn.Linear(8, 1), lambda y: squares(y * 2))
    assert "no loss is taken" in levers.refusals["examine-modes(at_step=2)"]


def test_parameters_are_checked() -> None:
    for make in (lambda: ExamineBatchMixing(steps=1), lambda: ExamineModes(at_step=0)):
        with pytest.raises(BabysitError, match="it takes a number of steps"):
            make()


# -- gradients of custom functions -----------------------------------------------------------


def function(
    forward: Callable[..., Any], backward: Callable[..., Any], name: str = "Own", doc: str = ""
) -> type[Function]:
    """A function of its input alone; backward gets the input and the gradient."""

    def run(ctx: Any, x: Tensor, *others: Any) -> Any:
        ctx.save_for_backward(x)
        ctx.num = len(others)
        return forward(x, *others)

    def back(ctx: Any, gradient: Tensor) -> Any:
        return (backward(ctx.saved_tensors[0], gradient), *[None] * ctx.num)

    own = {"forward": staticmethod(run), "backward": staticmethod(back), "__doc__": doc}
    return type(name, (Function,), own)


@pytest.fixture
def examined() -> Iterator[Callable[..., FunctionResults]]:
    examination = FunctionExamination()
    examination.attach()

    def examine(kind: type[Function], *others: Any, dtype: Any = torch.float32) -> FunctionResults:
        for seed in range(3):
            x = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed)).to(dtype)
            kind.apply(x.requires_grad_(), *others)
        return examination.results()

    yield examine
    examination.detach()


def test_a_right_backward_has_no_error(examined: Any) -> None:
    found = examined(function(torch.sin, lambda x, g: g * x.cos()))
    assert found.errors == {"Own": [0.0, 0.0]}
    assert not found.surrogates


@pytest.mark.parametrize(
    ("forward", "backward", "others"),
    [
        (torch.sin, lambda x, g: -g * x.cos(), ()),
        (torch.square, lambda x, g: g * x, ()),
        (torch.sigmoid, lambda x, g: g * x.sigmoid(), ()),
        (lambda x: x * (x > 0), lambda x, g: 0.5 * g * (x > 0), ()),
        (lambda x, scale: (x * scale).tanh(), lambda x, g: g * (1 - x.tanh() ** 2), (3.0,)),
    ],
    ids=["sign", "factor", "derivative", "half-relu", "scale-forgotten"],
)
def test_a_wrong_backward_is_found(examined: Any, forward: Any, backward: Any, others: Any) -> None:
    found = examined(function(forward, backward), *others)
    assert min(found.errors["Own"]) > 0.1
    assert not found.surrogates


@pytest.mark.parametrize(
    ("forward", "backward"),
    [
        (torch.round, lambda x, g: g),
        (torch.sign, lambda x, g: g * (x.abs() < 1)),
        (lambda x: x.sign() * x.abs().mean(), lambda x, g: g),
        (lambda x: (x > 0).to(x), lambda x, g: g / (1 + x.abs()) ** 2),
        (lambda x: x.round() * x, lambda x, g: g * x),
        (lambda x: x.view_as(x), lambda x, g: -0.3 * g),
        (lambda x: x.clone(), lambda x, g: g.clamp(-0.01, 0.01)),
        (lambda x: x.sin(), lambda x, g: (g * x.cos()).clamp(-0.01, 0.01)),
        (lambda x: x.relu(), lambda x, g: g.relu() * (x > 0)),
        (lambda x: x.clamp(-0.5, 0.5), lambda x, g: g),
        (lambda x: x.sin(), lambda x, g: g * x.cos() + torch.randn_like(x)),
    ],
    ids=["round", "sign", "scaled-sign", "spike", "quantiser", "reversal", "clip-only", "clip",
         "guided", "clamp-through", "noise"],
)  # fmt: skip
def test_a_backward_that_differs_by_intent_is_a_surrogate(
    examined: Any, forward: Any, backward: Any
) -> None:
    found = examined(function(forward, backward))
    assert found.surrogates == ["Own"]


def test_a_backward_is_a_surrogate_where_its_class_says_so(examined: Any) -> None:
    kind = function(torch.sin, lambda x, g: g, doc="Sine with a straight-through gradient.")
    assert examined(kind).surrogates == ["Own"]


def double_is_refused(x: Tensor) -> Tensor:
    if x.dtype == torch.float64:
        raise TypeError("only float32")
    return x.sin()


counter = [0.0]


def counting(x: Tensor) -> Tensor:
    counter[0] += 1
    return x * x * counter[0]


@pytest.mark.parametrize(
    "forward", [double_is_refused, lambda x: x.float().sin(), counting],
    ids=["float32-only", "float32-inside", "state"],
)  # fmt: skip
def test_a_function_that_cannot_be_examined_is_not_judged(examined: Any, forward: Any) -> None:
    found = examined(function(forward, lambda x, g: g))
    assert not found.errors
    assert found.unjudged["Own"]


def test_inputs_that_want_no_gradient_are_constants(examined: Any) -> None:
    found = examined(function(lambda x, y, n: (x * y) ** n, lambda x, g: 8 * x * g),
                     torch.full((4, 3), 2.0), 2)  # fmt: skip
    assert found.errors == {"Own": [0.0, 0.0]}


def test_the_place_is_the_line_of_the_class(examined: Any) -> None:
    class Cube(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> Tensor:
            return gradients[0] * 2 * ctx.saved_tensors[0] ** 2

    found = examined(Cube)
    assert found.places["Cube"]["code"] == "class Cube(Function):"
    assert found.errors["Cube"][0] == pytest.approx(1 / 3, rel=1e-3)


def test_functions_of_torch_and_after_detaching_are_left_alone() -> None:
    before = vars(Function)["apply"]
    examination = FunctionExamination()
    examination.attach()
    examination.detach()
    assert vars(Function)["apply"] is before

"""Modes of layers: in evaluations, and what batch norm makes of its batches."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import babysit
from babysit.findings import Finding
from babysit.rule import Rule
from babysit.rules.mode.batch_norm_stale_statistics import BatchNormStaleStatistics
from babysit.rules.mode.functional_dropout_always_on import FunctionalDropoutAlwaysOn
from babysit.rules.mode.gradient_tracking_in_evaluation import GradientTrackingInEvaluation
from babysit.rules.mode.train_mode_during_evaluation import TrainModeDuringEvaluation
from babysit.run import Training
from babysit.wiring import DROPOUT, PARAMETER, Node, Wiring, share_kept

DATA = torch.randn(80, 6, generator=torch.Generator().manual_seed(1))
LABELS = (DATA[:, 0] > 0).long()


class Net(nn.Module):
    """A layer, a norm, a dropout as layer or as function."""

    def __init__(self, drop: Callable[..., Tensor] | None = None) -> None:
        super().__init__()
        self.body, self.norm, self.head = nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Linear(12, 2)
        self.drop = drop or nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.drop(F.relu(self.norm(self.body(x)))))
        return scores


def watched(
    model: nn.Module, evaluate: Callable[[nn.Module], object], steps: int = 12, every: int = 4
) -> Training:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with babysit.watch(quiet=True, store=False) as watch:
        for step in range(1, steps + 1):
            model.train()
            loss = F.cross_entropy(model(DATA[:64]), LABELS[:64])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
            optimizer.step()
            if step % every == 0:
                evaluate(model)
    assert watch.run is not None
    return watch.run.trainings[1]


def found(rule: type[Rule], training: Training) -> list[Finding]:
    return [one for one in rule().conclude(training) if isinstance(one, Finding)]


@torch.no_grad()
def loss_as_it_is(model: nn.Module) -> Tensor:
    return F.cross_entropy(model(DATA[64:]), LABELS[64:])


def loss_in_eval_mode(model: nn.Module) -> Tensor:
    return loss_as_it_is(model.eval())


@torch.no_grad()
def monte_carlo(model: nn.Module) -> Tensor:
    return torch.stack([model(DATA[64:]) for _ in range(10)]).mean(dim=0)


@torch.no_grad()
def measure_norms(model: nn.Module) -> None:
    model(DATA[64:])


def test_an_evaluation_in_train_mode_is_told_with_its_line_and_layer() -> None:
    (finding,) = found(TrainModeDuringEvaluation, watched(Net(), loss_as_it_is))
    assert finding.where is not None
    assert finding.where.code == "return F.cross_entropy(model(DATA[64:]), LABELS[64:])"
    assert finding.where.layer == "norm"
    assert finding.severity == "error"


@pytest.mark.parametrize("evaluate", [loss_in_eval_mode, monte_carlo, measure_norms])
def test_passes_in_train_mode_that_are_meant_are_left_alone(
    evaluate: Callable[[nn.Module], object],
) -> None:
    assert not found(TrainModeDuringEvaluation, watched(Net(), evaluate))


def test_targets_made_without_gradients_in_every_step_are_no_evaluation() -> None:
    def guess(model: nn.Module) -> Tensor:
        with torch.no_grad():
            guesses: Tensor = model(DATA[64:] + torch.randn(16, 6)).argmax(dim=1)
            return guesses

    assert not found(TrainModeDuringEvaluation, watched(Net(), guess, every=1))


def test_other_data_that_no_backward_uses_is_an_evaluation_even_with_gradients_on() -> None:
    loader = DataLoader(TensorDataset(DATA[64:]), batch_size=8)

    def count(model: nn.Module) -> int:
        return sum(int(model(x).argmax(dim=1).sum()) for (x,) in loader)

    assert found(TrainModeDuringEvaluation, watched(Net(), count))
    assert not found(TrainModeDuringEvaluation, watched(Net(), lambda model: count(model.eval())))


@pytest.mark.parametrize(
    ("drop", "is_on"),
    [
        (lambda x: F.dropout(x, 0.4), True),
        (lambda x: nn.Dropout(0.4)(x), True),
        (lambda x: F.dropout(x, 0.4, training=False), False),
        (lambda x: F.dropout(x, 0.0), False),
    ],
)
def test_a_dropout_that_ignores_the_mode_is_found(
    drop: Callable[[Tensor], Tensor], is_on: bool
) -> None:
    training = watched(Net(drop), loss_in_eval_mode)
    assert bool(found(FunctionalDropoutAlwaysOn, training)) == is_on
    assert not found(TrainModeDuringEvaluation, training)


def test_an_evaluation_that_builds_graphs_is_found_unless_they_are_used() -> None:
    def unused(model: nn.Module) -> Tensor:
        scores: Tensor = model.eval()(DATA[64:])
        return scores

    def attack(model: nn.Module) -> Tensor:
        example = DATA[64:].clone().requires_grad_()
        return torch.autograd.grad(model.eval()(example).sum(), example)[0]

    assert found(GradientTrackingInEvaluation, watched(Net(), unused))
    assert not found(GradientTrackingInEvaluation, watched(Net(), attack))
    assert not found(GradientTrackingInEvaluation, watched(Net(), loss_in_eval_mode))


def test_batch_norm_is_compared_with_what_it_keeps() -> None:
    model = Net()
    model.norm.momentum = 0.25
    training = watched(model, loss_in_eval_mode, steps=12)
    assert training.series("batch-norm-values", "norm").last == 64
    left = training.series("batch-norm-start-left", "norm")
    expected = [0.75 ** (step + 1) for step in left.steps.tolist()]
    assert left.values.tolist() == pytest.approx(expected)

    batch = model.body(DATA[:64]).detach()
    mean, variance = batch.mean(dim=0), batch.var(dim=0)
    kept, spread = model.norm.running_mean, model.norm.running_var
    assert kept is not None
    assert spread is not None
    plain = 0.5 * (variance / spread + (mean - kept) ** 2 / spread - 1 - (variance / spread).log())
    latest = training.series("batch-norm-mismatch", "norm").last
    assert latest == pytest.approx(plain.mean().item(), abs=0.05)


def test_statistics_that_never_follow_the_data_are_found() -> None:
    def train(momentum: float) -> Training:
        torch.manual_seed(0)
        model = Net()
        model.norm.momentum = momentum
        with torch.no_grad():
            model.body.bias.add_(2)
        return watched(model, loss_in_eval_mode, steps=60, every=20)

    assert found(BatchNormStaleStatistics, train(0.0))
    assert not found(BatchNormStaleStatistics, train(0.1))


def test_dropouts_in_a_row_multiply_and_ways_around_them_count_as_they_are() -> None:
    weight, drop = Node(op=PARAMETER, parameter="w"), {"p": 0.5}
    straight = (
        weight, Node(op="Addmm", inputs=(None, 0)), Node(op=DROPOUT, inputs=(1, None), facts=drop),
        Node(op=DROPOUT, inputs=(2, None), facts=drop),
    )  # fmt: skip
    assert share_kept(Wiring(nodes=straight)) == 0.25
    assert share_kept(Wiring(nodes=(*straight, Node(op="Add", inputs=(1, 3))))) == 1.0

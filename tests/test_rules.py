"""Rules on whole little trainings: what real bugs have taught beyond the clinic's pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import CyclicLR, LRScheduler, StepLR
from torch.utils.data import DataLoader, Dataset

import babysit
from babysit import catalogue
from babysit.diagnosis import Diagnosis
from babysit.findings import Finding
from babysit.rule import Rule, training_of
from babysit.rules.generalisation.early_stopping_missed import EarlyStoppingMissed
from babysit.rules.updates.learning_rate_too_high import LearningRateTooHigh
from babysit.rules.updates.learning_rate_too_low import LearningRateTooLow
from babysit.rules.updates.loss_not_decreasing import LossNotDecreasing
from babysit.rules.updates.weight_decay_too_strong import WeightDecayTooStrong
from babysit.run import Optimizer, Parameter
from babysit.wiring import Node, chain

GENERATOR = torch.Generator().manual_seed(5)
DATA = torch.randn(256, 6, generator=GENERATOR)
CLASSES = DATA[:, :3].argmax(dim=1)
HALVES = (DATA[:, :1] > 0).float()
Loss = Callable[[nn.Module, Tensor], Tensor]


def net(outputs: int, *last: nn.Module) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, outputs), *last)


def trained(
    model: nn.Module,
    loss_of: Loss,
    *,
    steps: int = 80,
    schedule: Callable[[Any], LRScheduler] | None = None,
    between: Callable[[int], None] = lambda step: None,
) -> Diagnosis:
    """The diagnosis of a short training with Adam on batches of 32."""
    with babysit.watch(quiet=True, store=False) as session:
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        scheduler = schedule(optimizer) if schedule is not None else None
        for step in range(steps):
            optimizer.zero_grad()
            rows = torch.arange(32) + 32 * (step % 8)
            loss_of(model, rows).backward()  # type: ignore[no-untyped-call]  # PyTorch's
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            between(step)
    assert session.diagnosis is not None
    return session.diagnosis


def found(diagnosis: Diagnosis, rule: str) -> Finding | None:
    return next((finding for finding in diagnosis.findings if finding.rule == rule), None)


def line(finding: Finding | None) -> str:
    """The source line in this file that a finding points to."""
    assert finding is not None and finding.where is not None and finding.where.line is not None
    return Path(__file__).read_text().splitlines()[finding.where.line - 1].strip()


def classes(model: nn.Module, rows: Tensor) -> Tensor:
    return F.cross_entropy(model(DATA[rows]), CLASSES[rows])


def by_hand(model: nn.Module, rows: Tensor) -> Tensor:
    p = model(DATA[rows]).clamp(1e-6, 1 - 1e-6)
    return -(HALVES[rows] * p.log() + (1 - HALVES[rows]) * (1 - p).log()).mean()


def test_raw_scores_that_are_clamped_are_no_probabilities() -> None:
    sick = trained(net(1), by_hand)
    assert "clamp(1e-6" in line(found(sick, "logits-into-probability-loss"))
    healthy = trained(net(1, nn.Sigmoid()), by_hand)
    assert found(healthy, "logits-into-probability-loss") is None


def test_a_sigmoid_before_cross_entropy_counts_as_probabilities() -> None:
    assert found(trained(net(3, nn.Sigmoid()), classes), "softmax-before-cross-entropy")
    assert found(trained(net(3), classes), "softmax-before-cross-entropy") is None


@pytest.mark.parametrize(("bound", "is_sick"), [(1.0, True), (20.0, False)])
def test_scores_that_cannot_part_are_reported(bound: float, is_sick: bool) -> None:
    diagnosis = trained(net(3, nn.Hardtanh(-bound, bound)), classes)
    assert (found(diagnosis, "output-activation-unsuited") is not None) == is_sick
    diagnosis = trained(net(3, nn.Softsign()), classes)
    assert found(diagnosis, "output-activation-unsuited") is not None


def test_what_a_loss_refuses_is_laid_to_the_activation_that_made_it() -> None:
    model, criterion = net(1, nn.ReLU()), nn.BCELoss()
    with babysit.watch(quiet=True, store=False) as session, pytest.raises(RuntimeError):
        torch.optim.Adam(model.parameters())
        criterion(3 + model(DATA), HALVES)
    assert session.diagnosis is not None
    assert found(session.diagnosis, "logits-into-probability-loss") is not None
    with babysit.watch(quiet=True, store=False) as session, pytest.raises(RuntimeError):
        torch.optim.Adam(model.parameters())
        criterion(model(100 * DATA), HALVES)
    assert session.diagnosis is not None
    refused = found(session.diagnosis, "output-activation-unsuited")
    assert refused is not None and refused.where is not None
    assert refused.where.layer == "3"


def test_a_model_left_in_eval_mode_is_shown_where_it_was_put_there() -> None:
    model = nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, 3))

    def evaluate(step: int) -> None:
        if step == 20:
            model.eval()

    diagnosis = trained(model, classes, between=evaluate)
    assert line(found(diagnosis, "eval-mode-during-training")) == "model.eval()"


@pytest.mark.parametrize(("gamma", "is_sick"), [(0.0, True), (1.0, False)])
def test_a_schedule_that_reaches_zero_early_is_reported(gamma: float, is_sick: bool) -> None:
    diagnosis = trained(net(3), classes, schedule=lambda o: StepLR(o, 30, gamma=gamma), steps=100)
    finding = found(diagnosis, "scheduler-misstepped")
    assert (finding is not None) == is_sick
    if is_sick:
        assert "StepLR" in line(finding) and "since then (70 %)" in finding.message  # type: ignore[union-attr]


def test_a_rate_that_a_scheduler_raised_too_far_is_laid_to_the_scheduler() -> None:
    schedule = lambda o: CyclicLR(o, 5e-3, 3.0, step_size_up=40, cycle_momentum=False)  # noqa: E731
    diagnosis = trained(net(3), classes, schedule=schedule, steps=200)
    assert "CyclicLR" in line(found(diagnosis, "learning-rate-too-high"))


class Fused(nn.Module):
    """Two layers, of which a copy is used once they are fused."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.out = nn.Linear(6, 16), nn.Linear(16, 3)
        self.copy: nn.Linear | None = None

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.out(torch.relu((self.copy or self.left)(x)))
        return scores


def test_layers_that_a_copy_has_replaced_are_not_taken_for_another_models() -> None:
    model = Fused()
    with babysit.watch(quiet=True, store=False) as session:
        model.out.requires_grad_(False)
        optimizer = torch.optim.Adam(model.left.parameters(), lr=5e-3)
        model.copy = nn.Linear(6, 16)
        for _ in range(40):
            optimizer.zero_grad()
            classes(model, torch.arange(64)).backward()  # type: ignore[no-untyped-call]  # PyTorch's
            optimizer.step()
    assert session.diagnosis is not None
    rules = [finding.rule for finding in session.diagnosis.roots]
    assert rules == ["parameters-not-in-optimizer", "parameters-without-gradient"]
    missing = found(session.diagnosis, "parameters-not-in-optimizer")
    assert missing is not None and missing.where is not None and missing.where.layer == "copy"


@pytest.mark.parametrize(("value", "is_sick"), [(0.5, True), (0.0, False)])
def test_units_that_begin_equal_and_not_at_zero_are_reported(value: float, is_sick: bool) -> None:
    model = net(3)
    nn.init.constant_(model[0].weight, value)
    nn.init.uniform_(model[0].bias, -1, 1)
    finding = found(trained(model, classes), "symmetric-initialisation")
    assert (finding is not None) == is_sick


def test_a_sum_that_overflows_half_precision_is_found_where_nothing_was_saved() -> None:
    def summed(model: nn.Module, rows: Tensor) -> Tensor:
        scores = model(DATA[rows]).half() + 100
        return scores.repeat(2000, 1).sum()

    finding = found(trained(net(1), summed, steps=8), "half-precision-overflow")
    assert "sum()" in line(finding)


class Shown(Dataset[tuple[Tensor, Tensor]]):
    """Examples through a transform."""

    def __init__(self, first: int, transform: Callable[[Tensor], Tensor]) -> None:
        self.first, self.transform = first, transform

    def __len__(self) -> int:
        return 128

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(DATA[self.first + index]), CLASSES[self.first + index]


def as_trained(x: Tensor) -> Tensor:
    return x


def enlarged(x: Tensor) -> Tensor:
    return 5 * x + 3


def test_inputs_of_another_scale_are_laid_to_the_evaluations_transform() -> None:
    model = net(3)
    train = DataLoader(Shown(0, as_trained), batch_size=16, shuffle=True)
    test = DataLoader(Shown(128, enlarged), batch_size=64)
    with babysit.watch(quiet=True, store=False) as session:
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        for _ in range(6):
            for x, y in train:
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()  # type: ignore[no-untyped-call]  # PyTorch's
                optimizer.step()
            with torch.no_grad():
                for x, y in test:
                    F.cross_entropy(model(x), y)
    assert session.diagnosis is not None
    finding = found(session.diagnosis, "train-validation-mismatch")
    assert line(finding) == "def enlarged(x: Tensor) -> Tensor:"


@pytest.mark.parametrize(("strength", "is_sick"), [(3.0, True), (1e-4, False)])
def test_a_penalty_in_the_loss_is_judged_by_its_effect(strength: float, is_sick: bool) -> None:
    def penalised(model: nn.Module, rows: Tensor) -> Tensor:
        weights = [p for p in model.parameters() if p.dim() > 1]
        return (
            classes(model, rows) + strength * torch.stack([w.pow(2).sum() for w in weights]).sum()
        )

    diagnosis = trained(net(3), penalised, steps=400)
    assert (found(diagnosis, "weight-decay-too-strong") is not None) == is_sick


@pytest.mark.parametrize(("shift", "is_sick"), [(1, True), (0, False)])
def test_evaluations_in_which_a_net_that_has_learnt_guesses(shift: int, is_sick: bool) -> None:
    model = net(3)

    def evaluate(step: int) -> None:
        if step % 40 == 39:
            with torch.no_grad():
                held = torch.randn(300, 6, generator=GENERATOR)
                right = (held[:, :3].argmax(dim=1) + shift) % 3
                (model(held).argmax(dim=1) == right).float().mean()

    diagnosis = trained(model, classes, steps=400, between=evaluate)
    assert (found(diagnosis, "train-validation-mismatch") is not None) == is_sick


class Length(torch.autograd.Function):
    """A norm whose gradient divides by it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        length = x.pow(2).sum(dim=1).sqrt()
        ctx.save_for_backward(x, length)
        return length

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        x, length = ctx.saved_tensors
        return grads[0].unsqueeze(1) * x / length.unsqueeze(1)


def test_a_gradient_that_breaks_is_laid_to_a_function_of_the_users_own() -> None:
    def distance(model: nn.Module, rows: Tensor) -> Tensor:
        first, second = model(DATA[rows]), model(DATA[rows.roll(1)])
        apart = first - second
        apart[0] = apart[0] - apart[0].detach()
        lengths: Tensor = Length.apply(apart)  # type: ignore[no-untyped-call]  # PyTorch's
        return lengths.mean()

    finding = found(trained(net(3), distance, steps=6), "non-finite-gradient")
    assert "return grads[0].unsqueeze(1) * x" in line(finding)  # in its own backward


def test_a_model_that_cannot_be_hashed_is_put_into_eval_mode_without_a_fault(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Unhashable(nn.Linear):
        __hash__ = None  # type: ignore[assignment]  # what an own __eq__ does

        def __eq__(self, other: object) -> bool:
            return self is other

    with babysit.watch(quiet=True, store=False):
        Unhashable(6, 3).train(False)
    assert "a fault of ours" not in capsys.readouterr().err


def test_one_hot_rows_under_binary_cross_entropy_are_left_alone() -> None:
    def singly(model: nn.Module, rows: Tensor) -> Tensor:
        rows_of_classes = F.one_hot(CLASSES[rows], 3).float()
        return F.binary_cross_entropy_with_logits(model(DATA[rows]), rows_of_classes)

    assert found(trained(net(3), singly), "loss-unsuited-to-task") is None


def negated(model: nn.Module, rows: Tensor) -> Tensor:
    return -F.cross_entropy(model(DATA[rows]), CLASSES[rows])


def without_minus(model: nn.Module, rows: Tensor) -> Tensor:
    return F.log_softmax(model(DATA[rows]), 1).gather(1, CLASSES[rows, None]).mean()


def minus_errors(model: nn.Module, rows: Tensor) -> Tensor:
    return 0.5 * -((model(DATA[rows]) - DATA[rows, :3]) ** 2).mean()


@pytest.mark.parametrize(
    ("loss_of", "code"),
    [(negated, "-F.cross"), (without_minus, ".gather(1"), (minus_errors, "0.5 * -")],
)
def test_a_negated_loss_is_shown_at_its_sign(loss_of: Loss, code: str) -> None:
    finding = found(trained(net(3), loss_of), "loss-unsuited-to-task")
    assert code in line(finding)
    assert finding is not None and "wrong sign" in finding.message and finding.is_certain


def test_an_attack_that_raises_a_models_loss_is_left_alone() -> None:
    model, change = net(3).requires_grad_(False), nn.Parameter(torch.zeros(256, 6))
    with babysit.watch(quiet=True, store=False) as session:
        optimizer = torch.optim.Adam([change], lr=0.1)
        for _ in range(80):
            optimizer.zero_grad()
            (-F.cross_entropy(model(DATA + change), CLASSES)).backward()
            optimizer.step()
    assert session.diagnosis is not None
    assert found(session.diagnosis, "loss-unsuited-to-task") is None


def test_log_likelihood_that_is_maximised_is_left_alone() -> None:
    model = net(3)
    with babysit.watch(quiet=True, store=False) as session:
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, maximize=True)
        for step in range(80):
            optimizer.zero_grad()
            without_minus(model, torch.arange(32) + 32 * (step % 8)).backward()  # type: ignore[no-untyped-call]  # PyTorch's
            optimizer.step()
    assert session.diagnosis is not None
    assert found(session.diagnosis, "loss-unsuited-to-task") is None


@pytest.mark.parametrize(("sign", "is_sick"), [(-1.0, True), (1.0, False)])
def test_a_loss_that_runs_away_below_zero_is_laid_to_its_term(sign: float, is_sick: bool) -> None:
    model = net(6)
    with babysit.watch(quiet=True, store=False) as session:
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        for _ in range(600):
            optimizer.zero_grad()
            mean, spread = model(DATA).chunk(2, dim=1)
            kl = sign * -0.5 * (1 + spread - mean**2 - spread.exp()).sum(1).mean()
            (F.mse_loss(mean, DATA[:, :3]) + kl).backward()
            optimizer.step()
    assert session.diagnosis is not None
    finding = found(session.diagnosis, "loss-diverging")
    assert (finding is not None) == is_sick
    assert finding is None or "with its term `kl`" in finding.message


@pytest.mark.parametrize(("shift", "is_sick"), [(1, True), (0, False)])
def test_a_net_that_learns_shifted_labels_by_heart_is_told_to_check_them(
    shift: int, is_sick: bool
) -> None:
    model, held = net(3), torch.randn(300, 6, generator=torch.Generator().manual_seed(8))
    labels, right = CLASSES[:64].roll(shift), held[:, :3].argmax(dim=1)
    with babysit.watch(quiet=True, store=False) as session:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for step in range(240):
            optimizer.zero_grad()
            rows = torch.arange(32) + 32 * (step % 2)
            F.cross_entropy(model(DATA[rows]), labels[rows]).backward()  # type: ignore[no-untyped-call]  # PyTorch's
            optimizer.step()
            if step % 20 == 19:
                with torch.no_grad():
                    (model(held).argmax(dim=1) == right).float().mean()
    assert session.diagnosis is not None
    finding = found(session.diagnosis, "overfitting")
    assert (finding is not None) == is_sick
    assert finding is None or "labels belong to their inputs" in finding.remedies[0].text


@pytest.mark.parametrize(
    ("accuracies", "is_sick"),
    [([0.02, 0.09, 0.12, 0.1, 0.08, 0.09, 0.11, 0.14, 0.09, 0.16], True),
     ([0.02, 0.1, 0.12, 0.2, 0.25, 0.3, 0.35, 0.4, 0.42, 0.44], False)],
)  # fmt: skip
def test_a_lucky_last_evaluation_is_no_improvement(accuracies: list[float], is_sick: bool) -> None:
    shares = {str(label): [0.1] for label in range(10)}
    training = training_of(
        loss=[2.3] * 200, eval_accuracy={"a": accuracies}, label_share=shares
    )  # fmt: skip
    assert bool(list(LossNotDecreasing().check(training))) == is_sick


@pytest.mark.parametrize(("scale", "is_sick"), [(1.0, True), (0.2, False)])
def test_stopping_early_is_advised_where_something_was_learnt(scale: float, is_sick: bool) -> None:
    rates = [0.2, 0.6, 0.93, 0.9, 0.84, 0.8, 0.75, 0.72, 0.72, 0.71]
    training = training_of(
        loss=[2.0 * 0.98**step for step in range(200)],
        eval_accuracy={"a": {20 * i: scale * rate for i, rate in enumerate(rates)}},
        label_share={str(label): [0.1] for label in range(10)},
    )
    said = list(EarlyStoppingMissed().check(training))
    assert bool(said) == is_sick
    assert not said or "validation error rate" in said[0].message  # type: ignore[union-attr]


@pytest.mark.parametrize(("accuracy", "is_sick"), [(0.8, True), (0.92, False)])
def test_a_decay_that_keeps_a_net_from_its_own_examples_is_reported(
    accuracy: float, is_sick: bool
) -> None:
    training = training_of(
        loss=[2.2 * 0.99**step for step in range(50)] + [1.35] * 300,
        parameters=(Parameter(name="fc.weight", shape=(8, 8)),),
        optimizer=Optimizer(kind="SGD", groups=({"lr": 0.05, "weight_decay": 0.1},)),
        weight_rms={"fc.weight": [0.07] * 20},
        gradient_rms={"fc.weight": [0.011] * 20},
        train_accuracy={20 * i: accuracy for i in range(17)},
        neighbour_accuracy=[0.94],
    )
    assert bool(list(WeightDecayTooStrong().check(training))) == is_sick


@pytest.mark.parametrize(
    ("rule", "update", "rates", "factor"),
    [
        (LearningRateTooHigh(), 0.2, [0.3], 1 / 30), (LearningRateTooHigh(), 0.04, [0.3], 1 / 3),
        (LearningRateTooLow(), 1e-6, [1e-5], 1000), (LearningRateTooLow(), 2e-4, [1e-5], 10),
    ],
)  # fmt: skip
def test_a_rate_is_changed_by_as_much_as_its_updates_ask(
    rule: Rule, update: float, rates: list[float], factor: float
) -> None:
    leap = [2.3, 9.0, 30.0] if factor < 1 else [2.3] * 3
    training = training_of(
        loss=[*leap, *[2.4, 2.39, 2.41, 2.4] * 30], learning_rate=rates,
        parameters=(Parameter(name="fc.weight", shape=(8, 8)),),
        weight_rms={"fc.weight": [1.0] * 20}, update_rms={"fc.weight": [update] * 20},
    )  # fmt: skip
    (finding,) = rule.check(training)
    assert isinstance(finding, Finding)
    assert finding.remedies[0].change == {"name": "scale-learning-rate", "factor": factor}
    word = f"{factor:,}" if factor > 1 else f"{round(1 / factor)}"
    assert f"by {word}, to {rates[0] * factor:.3g}" in finding.remedies[0].text


def message(rule: str, **record: Any) -> str:
    """What a rule says of a training in plain numbers."""
    judge: Rule = catalogue.rules()[rule]()
    (finding,) = judge.conclude(training_of(**record))
    assert isinstance(finding, Finding)
    return finding.message


def test_a_loss_at_the_level_of_guessing_is_told_as_that() -> None:
    scores = Node(op="LogSoftmax", shape=(32, 10))
    wiring = chain(scores, Node(op="NllLoss", facts={"reduction": 1}))
    stuck = {"loss": [2.31 + 0.01 * (-1) ** step for step in range(300)]}
    said = message("loss-not-decreasing", wiring=wiring, **stuck)
    assert said == (
        "the loss does not fall: it stays at guessing (2.3) over the first 30 steps and over the "
        "last"
    )
    assert "2.31 over the first 30 steps, 2.31 over" in message("loss-not-decreasing", **stuck)


@pytest.mark.parametrize(
    ("distance", "words"), [(1, "anew at every step, 99"), (2, "anew about every 2 steps, 50")]
)
def test_how_often_an_optimizer_is_rebuilt_is_told_in_words(distance: int, words: str) -> None:
    rebuilt = dict.fromkeys(range(1, 100, distance), 1.0)
    optimizer = Optimizer(kind="Adam", groups=({"betas": (0.9, 0.999)},))
    loss = [2.0] * 100
    said = message("optimizer-recreated", loss=loss, optimizer_rebuilt=rebuilt, optimizer=optimizer)
    assert words in said


def test_batches_of_one_class_are_set_against_all_batches_together() -> None:
    said = message("data-not-shuffled", label_purity=[1.0] * 20, label_majority=[0.4] * 20)
    assert said == (
        "the batches are sorted by label: 100 % of a batch belong to one class, the commonest "
        "class of all batches together has 40 %"
    )

"""What is recorded of schedulers, optimizers and batches, and which schedules are left alone."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

import babysit
from babysit.findings import Finding
from babysit.measures import phase
from babysit.rules.updates.optimizer_recreated import OptimizerRecreated
from babysit.rules.updates.scheduler_misstepped import SchedulerMisstepped
from babysit.run import Training

DATA = torch.randn(80, 4, generator=torch.Generator().manual_seed(1))
LABELS = (DATA[:, 0] > 0).long()
EPOCHS, BATCHES = 20, 10
Maker = Callable[[Optimizer], Any]


def train(optimizer: Optimizer, model: nn.Module, after_batch: Any, after_epoch: Any) -> None:
    loader = DataLoader(TensorDataset(DATA, LABELS), batch_size=8, shuffle=True)
    for _ in range(EPOCHS):
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            after_batch(loss)
        after_epoch(loss)


def scheduled(make: Maker, *, per_batch: bool, uses_metric: bool = False) -> Training:
    """A small training under a scheduler, watched."""
    watch = babysit.watch(quiet=True, store=False)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = make(optimizer)

    def step(loss: torch.Tensor) -> None:
        scheduler.step(*((loss.item(),) if uses_metric else ()))

    def rest(loss: torch.Tensor) -> None:
        return None

    train(optimizer, model, step if per_batch else rest, rest if per_batch else step)
    watch.__exit__(None, None, None)
    assert watch.run is not None
    return watch.run.trainings[1]


def findings(rule: Any, training: Training) -> list[Finding]:
    return [found for found in rule().conclude(training) if isinstance(found, Finding)]


HEALTHY: dict[str, tuple[Maker, bool]] = {
    "cosine by batch": (lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS * BATCHES), True),
    "cosine by epoch": (lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS), False),
    "warm restarts": (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 40), True),
    "one cycle": (lambda o: lr_scheduler.OneCycleLR(o, 0.1, EPOCHS * BATCHES + 1), True),
    "cyclic": (lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, step_size_up=20), True),
    "steps": (lambda o: lr_scheduler.MultiStepLR(o, [8, 12, 16], gamma=0.1), False),
    "steps in batches": (lambda o: lr_scheduler.MultiStepLR(o, [80, 120, 180], gamma=0.1), True),
    "exponential": (lambda o: lr_scheduler.ExponentialLR(o, 0.8), False),
    "stopped early": (lambda o: lr_scheduler.CosineAnnealingLR(o, 7 * EPOCHS), False),
    "one after another": (
        lambda o: lr_scheduler.SequentialLR(
            o,
            [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.CosineAnnealingLR(o, 17)],
            milestones=[3],
        ),
        False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_schedule_is_left_alone(name: str) -> None:
    make, per_batch = HEALTHY[name]
    assert not findings(SchedulerMisstepped, scheduled(make, per_batch=per_batch))


def test_a_schedule_driven_by_a_metric_is_left_alone() -> None:
    training = scheduled(
        lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1), per_batch=False, uses_metric=True
    )
    assert not findings(SchedulerMisstepped, training)


SICK: dict[str, tuple[Maker, bool]] = {
    "steps by batch": (lambda o: lr_scheduler.StepLR(o, 5, gamma=0.5), True),
    "cosine of epochs by batch": (lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS), True),
    "cosine of batches by epoch": (
        lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS * BATCHES), False
    ),
    "one cycle of batches by epoch": (
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=EPOCHS * BATCHES), False
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SICK)
def test_a_misstepped_schedule_is_found_at_its_step(name: str) -> None:
    make, per_batch = SICK[name]
    [finding] = findings(SchedulerMisstepped, scheduled(make, per_batch=per_batch))
    assert finding.where is not None
    assert "scheduler.step" in (finding.where.code or "")


def test_a_scheduler_that_is_never_stepped_is_found_where_it_was_made() -> None:
    watch = babysit.watch(quiet=True, store=False)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.StepLR(optimizer, 5)
    train(optimizer, model, lambda loss: None, lambda loss: None)
    watch.__exit__(None, None, None)
    assert watch.run is not None
    [finding] = findings(SchedulerMisstepped, watch.run.trainings[1])
    assert scheduler.last_epoch == 0
    assert finding.where is not None
    assert "StepLR" in (finding.where.code or "")


def rebuilt(times: int, *, resets: bool = False, kind: type[Optimizer] = torch.optim.Adam) -> Any:
    """A training whose optimizer is made anew, with or without fresh weights."""
    watch = babysit.watch(quiet=True, store=False)
    model = nn.Linear(4, 2)
    fresh = copy.deepcopy(model.state_dict())
    for _ in range(times):
        if resets:
            model.load_state_dict(fresh)
        optimizer = kind(model.parameters(), lr=0.01)
        for _ in range(10):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(DATA), LABELS).backward()
            optimizer.step()
    watch.__exit__(None, None, None)
    assert watch.run is not None
    return watch.run.trainings[1]


def test_an_optimizer_made_anew_again_and_again_is_found() -> None:
    training = rebuilt(8)
    assert training.series("optimizer-rebuilt").steps.tolist() == list(range(10, 80, 10))
    [finding] = findings(OptimizerRecreated, training)
    assert "7 times in 80 steps" in finding.message


def test_stages_folds_and_optimizers_without_memory_are_left_alone() -> None:
    assert not findings(OptimizerRecreated, rebuilt(3))
    assert not len(rebuilt(8, resets=True).series("optimizer-rebuilt"))
    assert not len(rebuilt(8, kind=torch.optim.SGD).series("optimizer-rebuilt"))


def test_batches_data_set_and_passes_come_from_the_loader() -> None:
    training = scheduled(HEALTHY["exponential"][0], per_batch=False)
    assert training.facts["num_examples"] == 80
    assert training.series("epoch").values.tolist() == [*range(1, EPOCHS + 1)]
    assert set(training.series("batch-size").values) == {8.0}
    assert not training.series("batch-repeats").values[1:].any()


def test_a_batch_of_all_the_data_repeats() -> None:
    training = rebuilt(1)
    assert set(training.series("batch-size").values) == {80.0}
    assert training.series("batch-repeats").values[1:].all()


def test_the_noise_of_a_batch_is_the_standard_error_of_its_losses() -> None:
    watch = babysit.watch(quiet=True, store=False)
    model = nn.Linear(4, 2)
    losses = nn.functional.cross_entropy(model(DATA), LABELS, reduction="none").detach()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    nn.functional.cross_entropy(model(DATA), LABELS).backward()
    optimizer.step()
    watch.__exit__(None, None, None)
    assert watch.run is not None
    noise = watch.run.trainings[1].series("loss-noise").first
    assert noise == pytest.approx((losses.std() / 80**0.5).item(), rel=1e-4)


def test_the_phase_of_a_schedule_is_read_from_its_rates() -> None:
    training = Training()
    training.steps = 100
    for step, rate in [(0, 0.01), (5, 0.05), (10, 0.1), (50, 0.03), (90, 1e-5)]:
        training.record("learning-rate", rate, step=step, place="0")
    found = [phase(training, step) for step in (3, 20, 60, 95)]
    assert found == ["warm-up", "constant", "decay", "ended"]


@pytest.mark.parametrize(("mode", "is_sick"), [("max", True), ("min", False)])
def test_a_plateau_schedule_with_the_wrong_mode_is_found(mode: str, is_sick: bool) -> None:
    torch.manual_seed(0)
    training = scheduled(
        lambda o: lr_scheduler.ReduceLROnPlateau(o, mode=mode, patience=0), per_batch=False,
        uses_metric=True,
    )  # fmt: skip
    said = findings(SchedulerMisstepped, training)
    assert bool(said) == is_sick
    assert not said or 'Set mode="min"' in said[0].remedies[0].text


def test_an_accuracy_under_mode_min_is_found() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    with babysit.watch(quiet=True, store=False) as watch:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
        for _ in range(30):
            for rows in torch.arange(80).split(16):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(DATA[rows]), LABELS[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                scheduler.step((model(DATA[:64]).argmax(1) == LABELS[:64]).float().mean().item())
    assert watch.run is not None
    (said,) = findings(SchedulerMisstepped, watch.run.trainings[1])
    assert 'mode="max"' in said.remedies[0].text

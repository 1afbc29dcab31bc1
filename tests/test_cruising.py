"""Steps that go by: nothing of what they were is lost, and whatever is new is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import babysit
from babysit.instrument import cruising, pacing
from babysit.run import Training

NUM_STEPS = 60
BOUND = 20
generator = torch.Generator().manual_seed(0)
INPUTS = torch.randn(64, 4, generator=generator)
TARGETS = INPUTS.sum(dim=1, keepdim=True)
OTHERS = torch.randn(32, 4, generator=generator)


@pytest.fixture(autouse=True)
def num_passed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Training cruises from early on, as often as it may; the steps that did."""
    monkeypatch.setattr(cruising, "FIRST_STEP", 5)
    monkeypatch.setattr(cruising, "SHARE", 1e-9)
    monkeypatch.setattr(pacing, "ALLOWANCE_SECONDS", -1.0)
    passed: list[int] = []
    keep = cruising.Stepping.pass_by

    def count(self: cruising.Stepping, state: cruising.TrainingState, thread: cruising.Thread):  # type: ignore[no-untyped-def]
        passed.append(state.step)
        keep(self, state, thread)

    monkeypatch.setattr(cruising.Stepping, "pass_by", count)
    yield passed


class Loop:
    """A plain training, with something done after every step."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.losses: list[float] = []

    def loss(self) -> Tensor:
        return F.mse_loss(self.model(INPUTS), TARGETS)

    def step(self, factor: float = 1.0) -> None:
        self.optimizer.zero_grad()
        loss = factor * self.loss()
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())


def watched(
    each: Callable[[Loop, int], None], after: Callable[[Loop], None] | None = None
) -> Training:
    with babysit.watch(quiet=True, store=False) as watching:
        loop = Loop()
        for step in range(NUM_STEPS):
            each(loop, step)
        if after is not None:
            after(loop)
    assert watching.run is not None
    (training,) = watching.run.trainings.values()
    losses = training.series("loss").values
    assert losses.tolist() == pytest.approx(loop.losses, nan_ok=True)
    assert training.series("loss").steps.tolist() == list(range(len(loop.losses)))
    return training


def test_every_loss_is_recorded(num_passed: list[int]) -> None:
    training = watched(lambda loop, step: loop.step())
    assert len(num_passed) > NUM_STEPS / 2
    assert training.steps == NUM_STEPS
    assert len(training.series("step-seconds").values) == NUM_STEPS - 1


def test_rates_are_recorded_at_their_steps(num_passed: list[int]) -> None:
    def each(loop: Loop, step: int) -> None:
        loop.optimizer.param_groups[0]["lr"] = 0.01 / (1 + step)
        loop.step()

    training = watched(each)
    assert num_passed
    rates = training.series("learning-rate", "0").values
    assert rates.tolist() == pytest.approx([0.01 / (1 + step) for step in range(NUM_STEPS)])


def test_a_loss_that_leaps_is_looked_at(num_passed: list[int]) -> None:
    watched(lambda loop, step: loop.step(1e4 if step == 41 else 1.0))
    assert num_passed
    assert 41 not in num_passed


def test_a_bad_loss_is_seen_in_its_step(num_passed: list[int]) -> None:
    training = watched(lambda loop, step: loop.step(float("nan") if step == 41 else 1.0))
    assert num_passed
    assert 41 not in num_passed
    assert training.facts["autopsy"]["step"] == 41


def test_more_backwards_than_before_are_seen(num_passed: list[int]) -> None:
    def each(loop: Loop, step: int) -> None:
        loop.optimizer.zero_grad()
        losses = [loop.loss() for _ in range(1 + (step >= 30))]
        for loss in losses:
            loss.backward()
        loop.optimizer.step()
        loop.losses.append(losses[0].item())

    training = watched(each)
    assert min(num_passed) < 30 < max(num_passed)
    assert training.series("backwards").steps.tolist() == list(range(30, NUM_STEPS))
    assert len(training.series("gradients-kept")) == 0


def test_evaluations_in_between_are_recorded(num_passed: list[int]) -> None:
    def each(loop: Loop, step: int) -> None:
        loop.step()
        if step % 10 == 9:
            loop.model.eval()
            with torch.no_grad():
                F.mse_loss(loop.model(OTHERS), OTHERS.sum(dim=1, keepdim=True))
            loop.model.train()

    training = watched(each)
    assert num_passed
    (name,) = training.places("eval-loss")
    assert len(training.series("eval-loss", name).values) == NUM_STEPS // 10


def test_training_in_eval_mode_is_seen(num_passed: list[int]) -> None:
    def each(loop: Loop, step: int) -> None:
        if step == 30:
            loop.model.eval()
        loop.step()

    training = watched(each)
    assert max(num_passed) < 30
    assert training.series("model-in-eval-mode").steps.tolist() == list(range(30, NUM_STEPS))


@pytest.mark.parametrize("is_cleared", [lambda step: step < 30, lambda step: step % 2 == 0])
def test_gradients_that_are_kept_are_seen_in_their_step(
    is_cleared: Callable[[int], bool], num_passed: list[int]
) -> None:
    def each(loop: Loop, step: int) -> None:
        if is_cleared(step):
            loop.optimizer.zero_grad()
        loss = loop.loss()
        loss.backward()
        loop.optimizer.step()
        loop.losses.append(loss.item())

    kept = watched(each).series("gradients-kept").steps.tolist()
    assert kept == [step for step in range(1, NUM_STEPS) if not is_cleared(step)]


def test_short_epochs_of_a_loader_are_counted_and_keep_nothing(num_passed: list[int]) -> None:
    with babysit.watch(quiet=True, store=False) as watching:
        loop = Loop()
        data = torch.utils.data.TensorDataset(INPUTS, TARGETS)
        for _ in range(NUM_STEPS // 2):
            for inputs, targets in torch.utils.data.DataLoader(data, batch_size=32):
                loop.optimizer.zero_grad()
                F.mse_loss(loop.model(inputs), targets).backward()
                loop.optimizer.step()
    assert watching.run is not None
    (training,) = watching.run.trainings.values()
    assert num_passed
    assert training.series("epoch").values.tolist() == list(range(1, NUM_STEPS // 2 + 1))
    assert len(training.series("gradients-kept")) == 0


def test_norms_of_clipped_gradients_are_recorded_at_every_step(num_passed: list[int]) -> None:
    norms = []

    def each(loop: Loop, step: int) -> None:
        loop.optimizer.zero_grad()
        loss = loop.loss()
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(loop.model.parameters(), 1.0).item())
        loop.optimizer.step()
        loop.losses.append(loss.item())

    training = watched(each)
    assert len(num_passed) > NUM_STEPS / 2
    assert training.series("gradient-norm-before-clip").values.tolist() == pytest.approx(norms)


def test_gradients_that_are_set_are_not_kept_ones(num_passed: list[int]) -> None:
    def each(loop: Loop, step: int) -> None:
        loss, parameters = loop.loss(), list(loop.model.parameters())
        for parameter, gradient in zip(
            parameters, torch.autograd.grad(loss, parameters), strict=True
        ):
            parameter.grad = gradient
        loop.optimizer.step()
        loop.losses.append(loss.item())

    assert len(watched(each).series("gradients-kept")) == 0


def test_a_second_optimizer_ends_it(num_passed: list[int]) -> None:
    def after(loop: Loop) -> None:
        first, loop.optimizer = loop.optimizer, torch.optim.SGD(loop.model.parameters(), lr=0.01)
        for _ in range(BOUND):
            loop.step()
        del first

    watched(lambda loop, step: loop.step(), after)
    assert num_passed
    assert max(num_passed) < NUM_STEPS


def test_a_step_that_fails_is_not_counted(num_passed: list[int]) -> None:
    def each(loop: Loop, step: int) -> None:
        if step != 41:
            loop.step()
            return
        loop.optimizer.zero_grad()
        loop.loss().backward()
        loop.optimizer.param_groups[0]["lr"] = "high"
        with pytest.raises((TypeError, ValueError)):
            loop.optimizer.step()
        loop.optimizer.param_groups[0]["lr"] = 0.01

    training = watched(each)
    assert num_passed
    assert training.steps == NUM_STEPS - 1


def test_logged_metrics_stand_at_their_step(num_passed: list[int]) -> None:
    def each(loop: Loop, step: int) -> None:
        loop.step()
        if step in (20, 41):
            babysit.log(score=float(step))

    training = watched(each)
    assert num_passed
    logged = training.series("logged", "score")
    assert logged.steps.tolist() == [step + 1 for step in (20, 41)]

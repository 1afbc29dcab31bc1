"""What readings and probes say of numerics, memory, debug switches and ranks; and to whom."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import babysit
from babysit.instrument import correspondence
from babysit.run import Training

DATA = torch.randn(64, 5, generator=torch.Generator().manual_seed(2))
TARGET = DATA[:, :1] * 0.5 + 0.1
LossOf = Callable[[nn.Module, int], Tensor]


def mean_square(model: nn.Module, step: int) -> Tensor:
    return F.mse_loss(model(DATA), TARGET)


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))


def train(
    loss_of: LossOf = mean_square,
    *,
    steps: int = 12,
    model: nn.Module | None = None,
    after: Callable[[Tensor], object] = lambda loss: None,
    lr: float = 0.05,
) -> tuple[Training, set[str]]:
    """A short training: its record, and the rules that found something."""
    model = model or net()
    with babysit.watch(quiet=True, store=False) as watching:
        optimizer = torch.optim.SGD(model.parameters(), lr=lr)
        for step in range(steps):
            optimizer.zero_grad()
            loss = loss_of(model, step)
            loss.backward()
            optimizer.step()
            after(loss)
    assert watching.run is not None
    assert watching.diagnosis is not None
    training = next(iter(watching.run.trainings.values()))
    return training, {finding.rule for finding in watching.diagnosis.findings}


# -- gradients, data, parameters -----------------------------------------------------------


def test_a_root_behind_where_is_named_as_the_origin_of_a_nan_gradient() -> None:
    def loss_of(model: nn.Module, step: int) -> Tensor:
        out = model(DATA) - 10
        return torch.where(out > 0, out.sqrt(), out).sum() + mean_square(model, step)

    _, found = train(loss_of)
    assert "non-finite-gradient" in found


def test_a_root_of_zero_that_a_relu_holds_off_is_no_finding() -> None:
    def loss_of(model: nn.Module, step: int) -> Tensor:
        return torch.relu(model(DATA) - 0.2).sqrt().mean() + mean_square(model, step)

    training, found = train(loss_of)
    assert training.series("closest-operand", "Sqrt 0").last == 0
    assert not found & {"unsafe-operation", "non-finite-gradient"}


@pytest.mark.parametrize("is_fused", [False, True], ids=["usual", "fused"])
def test_gradients_that_a_scaler_skips_are_no_finding(is_fused: bool) -> None:
    """A fused optimizer is called for such a step as well, and leaves it out by itself."""
    model = net()
    with babysit.watch(quiet=True, store=False) as watching:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, fused=is_fused)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30)
        for _ in range(40):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16):
                loss = F.mse_loss(model(DATA), TARGET)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    assert watching.run is not None
    training = watching.run.trainings[1]
    assert training.series("skipped-steps").last >= 8
    assert training.series("scaled-steps").last == 40
    assert watching.diagnosis is not None
    assert not {f.rule for f in watching.diagnosis.findings if f.severity != "advice"}


def test_a_scaler_without_half_precision_is_said_to_be_idle() -> None:
    model = net()
    with babysit.watch(quiet=True, store=False) as watching:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
        for _ in range(40):
            optimizer.zero_grad()
            scaler.scale(mean_square(model, 0)).backward()
            scaler.step(optimizer)
            scaler.update()
    assert watching.diagnosis is not None
    assert "half-precision-overflow" in {f.rule for f in watching.diagnosis.findings}


@pytest.mark.parametrize("place", ["input", "target"])
def test_missing_values_in_the_data_are_found_where_they_enter(place: str) -> None:
    broken = {"input": DATA.clone(), "target": TARGET.clone()}
    broken[place][3, 0] = torch.nan

    training, found = train(lambda m, _: F.mse_loss(m(broken["input"]), broken["target"]))
    label = "Addmm 0" if place == "input" else "MseLoss 0"
    expected = 1 / broken[place].numel()
    assert training.series("non-finite-share", label).first == pytest.approx(expected, rel=1e-3)
    assert "non-finite-input" in found
    assert "non-finite-parameter" not in found


def test_infinite_masks_and_forbidden_transitions_are_no_finding() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(5, 4)
            self.transitions = nn.Parameter(torch.zeros(4))
            self.transitions.data[0] = -torch.inf
            self.register_buffer("mask", torch.tensor([0.0, -torch.inf, 0.0, 0.0]))

        def forward(self, x: Tensor) -> Tensor:
            return torch.softmax(self.body(x) + self.mask + self.transitions, dim=1)

    _, found = train(lambda m, _: (m(DATA)[:, 2:3] - TARGET.sigmoid()).square().mean(),
                     model=Masked())  # fmt: skip
    assert not {name for name in found if name.startswith("non-finite")}


def test_broken_running_statistics_are_found_although_the_loss_is_finite() -> None:
    model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    model[1].running_var.fill_(torch.nan)  # type: ignore[operator]  # a tensor
    _, found = train(model=model)
    assert "non-finite-parameter" in found


# -- operations at their edge --------------------------------------------------------------


def test_logs_and_quotients_with_a_constant_are_not_at_their_edge() -> None:
    def loss_of(model: nn.Module, step: int) -> Tensor:
        out = torch.relu(model(DATA))
        scores = torch.cat([out, -out], dim=1) * 50
        shifted = (scores - scores.amax(dim=1, keepdim=True)).exp()
        share = shifted / shifted.sum(dim=1, keepdim=True)
        root = (out.square() + 1e-8).sqrt()
        return -(share + 1e-8).log().mean() + root.mean() + (1 / (out + 1e-6)).clamp(max=1).mean()

    training, found = train(loss_of)
    assert training.places("closest-operand")
    assert "unsafe-operation" not in found
    assert "non-finite-gradient" not in found


def test_the_log_of_a_softmax_that_underflows_is_at_its_edge() -> None:
    def loss_of(model: nn.Module, step: int) -> Tensor:
        scores = torch.cat([model(DATA), model(DATA) + 75], dim=1)
        return -scores.softmax(dim=1).log()[:, 1].mean() + mean_square(model, step)

    _, found = train(loss_of)
    assert "unsafe-operation" in found


# -- memory --------------------------------------------------------------------------------


def test_losses_kept_with_their_graph_are_counted() -> None:
    kept: list[Tensor] = []
    training, found = train(steps=120, after=kept.append)
    assert training.series("kept-graphs").last >= 5
    assert training.series("kept-graph-age").last > 50
    assert "memory-leak" in found


def test_outputs_kept_with_their_graph_are_counted() -> None:
    kept: list[Tensor] = []

    def loss_of(model: nn.Module, step: int) -> Tensor:
        kept.append(model(DATA))
        return F.mse_loss(kept[-1], TARGET)

    _, found = train(loss_of, steps=120)
    assert "memory-leak" in found


@pytest.mark.parametrize("limit", [4, 16])
def test_a_short_history_and_detached_values_are_no_leak(limit: int) -> None:
    history: deque[Tensor] = deque(maxlen=limit)
    values: list[Tensor] = []

    def after(loss: Tensor) -> None:
        history.append(loss)
        values.append(loss.detach())

    _, found = train(steps=120, after=after)
    assert "memory-leak" not in found


def test_a_graph_shared_by_all_steps_is_no_leak() -> None:
    model = net()
    base = torch.ones(64, 1, requires_grad=True)
    shared = base.sin() * 0.1

    def loss_of(model: nn.Module, step: int) -> Tensor:
        loss = F.mse_loss(shared.clone() + model(DATA), TARGET)
        backward = loss.backward
        loss.backward = lambda: backward(retain_graph=True)  # type: ignore[method-assign]
        return loss

    _, found = train(loss_of, steps=120, model=model)
    assert "memory-leak" not in found


# -- half precision, debug switches --------------------------------------------------------


@pytest.mark.parametrize(("lr", "steps", "is_lost"), [(1e-4, 400, True), (0.5, 40, False)])
def test_updates_below_the_resolution_of_bfloat16_are_counted(
    lr: float, steps: int, is_lost: bool
) -> None:
    def loss_of(model: nn.Module, step: int) -> Tensor:
        return F.mse_loss(model(DATA.bfloat16()).float(), TARGET)

    training, found = train(loss_of, steps=steps, model=net().bfloat16(), lr=lr)
    shares = sorted(training.series("lost-share").values)
    assert (shares[len(shares) // 2] > 0.5) == is_lost
    assert ("lost-update" in found) == is_lost


def test_parameters_in_single_precision_lose_no_update() -> None:
    training, _ = train(lr=1e-6)
    assert not training.has("lost-share")


@pytest.mark.parametrize("steps", [4, 30])
def test_the_scripts_own_anomaly_mode_stays_as_it_set_it(steps: int) -> None:
    seen = []

    def loss_of(model: nn.Module, step: int) -> Tensor:
        loss = mean_square(model, step)
        loss.register_hook(lambda _: seen.append(torch.is_anomaly_enabled()))
        return loss

    with babysit.watch(quiet=True, store=False) as watching:
        model = net()
        torch.autograd.set_detect_anomaly(True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for step in range(steps):
            optimizer.zero_grad()
            loss_of(model, step).backward()
            optimizer.step()
        assert torch.is_anomaly_enabled()
        assert torch.is_anomaly_check_nan_enabled()
        torch.autograd.set_detect_anomaly(False)
        assert not torch.is_anomaly_enabled()
    assert all(seen)
    assert watching.run is not None
    assert len(watching.run.trainings[1].series("anomaly-mode")) == steps


def test_anomaly_mode_around_some_steps_ends_with_them() -> None:
    with babysit.watch(quiet=True, store=False) as watching:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for step in range(6):
            with (
                torch.autograd.detect_anomaly(check_nan=step < 2)
                if step < 3
                else torch.enable_grad()
            ):
                assert torch.is_anomaly_enabled() or step >= 3
                optimizer.zero_grad()
                mean_square(model, step).backward()
                optimizer.step()
    assert not torch.is_anomaly_enabled()
    assert watching.run is not None
    assert len(watching.run.trainings[1].series("anomaly-mode")) == 3


# -- ranks ---------------------------------------------------------------------------------


def test_prints_of_batches_differ_where_the_batches_do() -> None:
    same = correspondence.fingerprint([DATA, 3])
    assert same == correspondence.fingerprint([DATA.clone(), 4])
    assert same != correspondence.fingerprint([DATA.flip(0)])
    assert not correspondence.fingerprint([torch.zeros(4, 4)])
    assert not correspondence.fingerprint([])


def test_ranks_write_at_steps_that_double() -> None:
    assert [n for n in range(20) if correspondence.is_due(n)] == [0, 1, 2, 4, 8, 16]


def test_the_distance_of_weights_is_relative() -> None:
    assert correspondence.distance([3.0, 4.0], [3.0, 4.0]) == 0
    assert correspondence.distance([300.0, 400.0], [300.0, 395.0]) == pytest.approx(0.01)
    assert correspondence.distance([0.0], [0.0]) == 0

"""What the instrument records, against the same quantities computed plainly beside it."""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

import babysit
from babysit.run import Run, Training

DATA = torch.randn(96, 6, generator=torch.Generator().manual_seed(1))
LABELS = (DATA[:, 0] + DATA[:, 1] > 0).long()


class Net(nn.Module):
    """Two layers whose activation is functional."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(6, 12)
        self.head = nn.Linear(12, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.relu(self.body(x)))


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield


class Watched:
    """A watch whose run is read afterwards."""

    def __init__(self) -> None:
        self.watch = babysit.watch(quiet=True, store=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.watch.__exit__(*exception)

    @property
    def run(self) -> Run:
        assert self.watch.run is not None
        return self.watch.run

    @property
    def training(self) -> Training:
        assert len(self.run.trainings) == 1, [t.name for t in self.run.trainings.values()]
        return self.run.trainings[1]


def fit(model: nn.Module, optimizer: Any, steps: int = 12) -> list[float]:
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(DATA), LABELS)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_losses_and_gradient_norms_are_those_of_the_training() -> None:
    model = Net()
    norms = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.register_step_pre_hook(
        lambda *_: norms.append(
            torch.cat([p.grad.reshape(-1) for p in model.parameters()]).norm().item()
        )
    )
    with Watched() as watched:
        losses = fit(model, optimizer)
    assert watched.training.series("loss").values.tolist() == pytest.approx(losses)
    recorded = watched.training.series("gradient-norm")
    expected = np.array(norms)[recorded.steps]
    np.testing.assert_allclose(recorded.values, expected, rtol=1e-5)
    assert watched.training.series("learning-rate", "0").values.tolist() == [0.1]


def test_weights_gradients_and_updates_of_sampled_steps_match_a_plain_computation() -> None:
    model, optimizer, rows = Net(), None, []
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def before(*_: Any) -> None:
        rows.append([model.body.weight.detach().clone(), model.body.weight.grad.clone()])

    def after(*_: Any) -> None:
        rows[-1].append(model.body.weight.detach().clone())

    optimizer.register_step_pre_hook(before)
    optimizer.register_step_post_hook(after)
    with Watched() as watched:
        fit(model, optimizer)
    training = watched.training
    sizes = training.series("weight-rms", "body.weight")
    assert {0, 1, 2} <= set(sizes.steps.tolist())
    for signal, plain in {
        "weight-rms": lambda old, gradient, new: old,
        "gradient-rms": lambda old, gradient, new: gradient,
        "update-rms": lambda old, gradient, new: new - old,
    }.items():
        series = training.series(signal, "body.weight")
        for step, value in zip(series.steps, series.values, strict=True):
            expected = plain(*rows[step]).square().mean().sqrt().item()
            assert value == pytest.approx(expected, rel=1e-5), (signal, step)


def test_layers_and_source_lines_are_those_of_the_users_code() -> None:
    model = Net()
    with Watched() as watched:
        fit(model, torch.optim.SGD(model.parameters(), lr=0.1))
    wiring = watched.training.wirings[0]
    layers = {node.op: node for node in wiring.nodes}
    assert {"body.weight", "body.bias", "head.weight", "head.bias"} == wiring.parameters
    assert layers["Relu"].layer == "body"
    assert "F.relu(self.body(x))" in (layers["Relu"].code or "")
    assert "F.cross_entropy" in (layers["NllLoss"].code or "")
    assert watched.training.source("backward").code == "loss.backward()"
    place = watched.training.optimizers[0].place
    assert place is not None
    assert "torch.optim.SGD" in (place.code or "")


def test_a_layer_in_a_sequential_gets_the_line_that_built_it() -> None:
    with Watched() as watched:
        model = nn.Sequential(
            nn.Linear(6, 4),
            nn.Tanh(),
            nn.Linear(4, 2),
            nn.Softmax(dim=1),
        )
        fit(model, torch.optim.SGD(model.parameters(), lr=0.1))
    softmax = next(n for n in watched.training.wirings[0].nodes if n.op == "Softmax")
    assert (softmax.layer, softmax.code) == ("3", "nn.Softmax(dim=1),")
    finding = watched.watch.diagnosis.findings[0]
    assert finding.rule == "softmax-before-cross-entropy"
    assert finding.where.line == softmax.line


def test_accumulated_backwards_make_one_step() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Watched() as watched:
        for _ in range(6):
            optimizer.zero_grad()
            for part in (slice(0, 48), slice(48, 96)):
                (F.cross_entropy(model(DATA[part]), LABELS[part]) / 2).backward()
            optimizer.step()
    assert watched.training.steps == 6
    assert watched.training.series("backwards").values.tolist() == [2.0] * 6
    assert not watched.training.has("gradients-kept")


def test_a_closure_with_many_backwards_is_one_step() -> None:
    model = Net()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(DATA), LABELS)
        loss.backward()
        return loss

    with Watched() as watched:
        for _ in range(4):
            optimizer.step(closure)
    assert watched.training.steps == 4


@pytest.mark.parametrize("to_none", [True, False])
def test_clearing_is_told_from_keeping_however_it_is_done(to_none: bool) -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with Watched() as watched:
        for step in range(10):
            if step >= 5:
                optimizer.zero_grad(set_to_none=to_none)
            F.cross_entropy(model(DATA), LABELS).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    assert watched.training.series("gradients-kept").steps.tolist() == [1, 2, 3, 4]
    assert len(watched.training.series("gradient-norm-before-clip")) > 0


def test_two_networks_that_fight_are_two_trainings_that_know_of_each_other() -> None:
    generator, critic = nn.Linear(3, 2), nn.Linear(2, 1)
    first = torch.optim.SGD(generator.parameters(), lr=0.01)
    second = torch.optim.SGD(critic.parameters(), lr=0.01)
    with Watched() as watched:
        for _ in range(8):
            fake = generator(torch.randn(16, 3))
            second.zero_grad()
            (critic(fake.detach()).mean() - critic(torch.randn(16, 2)).mean()).backward()
            second.step()
            first.zero_grad()
            (-critic(fake).mean()).backward()
            first.step()
    assert [t.steps for t in watched.run.trainings.values()] == [8, 8]
    assert all(t.facts.get("is_adversarial") for t in watched.run.trainings.values())


def test_two_optimizers_of_one_loss_are_one_training() -> None:
    model = Net()
    first = torch.optim.SGD(model.body.parameters(), lr=0.1)
    second = torch.optim.Adam(model.head.parameters(), lr=0.01)
    with Watched() as watched:
        for _ in range(8):
            model.zero_grad()
            F.cross_entropy(model(DATA), LABELS).backward()
            first.step()
            second.step()
    training = watched.training
    assert training.steps == 8
    assert {optimizer.kind for optimizer in training.optimizers} == {"SGD", "Adam"}
    assert all(parameter.optimized for parameter in training.parameters.values())


def test_models_trained_one_after_another_are_judged_alone() -> None:
    with Watched() as watched:
        for _ in range(3):
            model = Net()
            fit(model, torch.optim.SGD(model.parameters(), lr=0.1), steps=6)
    assert [t.steps for t in watched.run.trainings.values()] == [6, 6, 6]
    assert all("body.weight" in t.parameters for t in watched.run.trainings.values())


@pytest.mark.parametrize("how", ["backward", "grad", "replace"])
def test_updates_by_hand_are_steps_of_a_training(how: str) -> None:
    w = (0.1 * torch.randn(6, 2)).requires_grad_()
    with Watched() as watched:
        for _ in range(20):
            loss = F.cross_entropy(DATA @ w, LABELS)
            if how == "backward":
                loss.backward()
                w.data -= 0.5 * w.grad
                w.grad = None
            else:
                (gradient,) = torch.autograd.grad(loss, w)
                if how == "grad":
                    with torch.no_grad():
                        w -= 0.5 * gradient
                else:
                    w = (w - 0.5 * gradient).detach().requires_grad_()
    assert watched.training.steps >= 19
    assert set(watched.training.parameters) == {"w"}
    updates, weights = (watched.training.series(s, "w") for s in ("update-rms", "weight-rms"))
    assert updates.values.min() > 0
    assert len(weights) >= 5


def test_gradients_taken_for_other_ends_are_no_training() -> None:
    model = Net()
    with Watched() as watched:
        for _ in range(20):
            x = DATA.clone().requires_grad_()
            torch.autograd.grad(model(x)[:, 0].sum(), x)
    assert not watched.run.has_trained


def test_evaluations_are_told_apart_by_where_they_are_made() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    x, y = DATA[:32], LABELS[:32]
    expected = []
    with Watched() as watched:
        for _ in range(6):
            fit(model, optimizer, steps=2)
            with torch.no_grad():
                logits = model(x)
                expected.append(
                    (F.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean())
                )
            with torch.no_grad():
                F.cross_entropy(model(DATA[32:]), LABELS[32:])
    losses = watched.training.places("eval-loss")
    assert len(losses) == 2
    assert all(len(series) == 6 for series in losses.values())
    first = next(iter(losses.values())).values.tolist()
    assert first == pytest.approx([loss for loss, _ in expected], rel=1e-5)
    accuracy = next(iter(watched.training.places("eval-accuracy").values())).values.tolist()
    assert accuracy == pytest.approx([float(share) for _, share in expected])


def test_dead_units_are_counted_by_unit_over_many_examples() -> None:
    model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 2))
    with torch.no_grad():
        model[0].bias[:7] = -100.0
    with Watched() as watched:
        fit(model, torch.optim.SGD(model.parameters(), lr=0.01), steps=40)
    series = watched.training.series("dead-share", "0")
    assert len(series) > 0
    assert series.last == pytest.approx(0.7)


def test_eval_mode_is_noted_only_where_layers_care() -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.5), nn.Linear(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with Watched() as watched:
        fit(model, optimizer, steps=4)
        model.eval()
        fit(model, optimizer, steps=4)
    assert watched.training.series("in-eval-mode").steps.tolist() == [4, 5, 6, 7]


def test_tensors_saved_under_checkpointing_are_not_unpacked() -> None:
    calls = []
    body = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 12))
    body[0].register_forward_hook(lambda *_: calls.append(1))
    head = nn.Linear(12, 2)
    optimizer = torch.optim.SGD([*body.parameters(), *head.parameters()], lr=0.1)
    with Watched() as watched:
        for _ in range(5):
            optimizer.zero_grad()
            F.cross_entropy(head(checkpoint(body, DATA, use_reentrant=False)), LABELS).backward()
            optimizer.step()
    assert len(calls) == 10, "once forward and once recomputed, no more"
    assert watched.training.steps == 5


def test_the_operation_that_made_a_nan_is_named_with_line_and_operand() -> None:
    w = torch.ones(6, 1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.0)
    with Watched() as watched:
        for step in range(6):
            optimizer.zero_grad()
            p = torch.sigmoid(DATA @ w)
            q = torch.log(p * (0.0 if step == 4 else 1.0))
            (-q.mean()).backward()
            optimizer.step()
    finding = next(f for f in watched.watch.diagnosis.findings if f.rule == "non-finite-loss")
    assert finding.where.op == "log"
    assert finding.where.code == "q = torch.log(p * (0.0 if step == 4 else 1.0))"
    assert finding.first_step == 4


def test_losses_scaled_for_half_precision_are_read_unscaled() -> None:
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    losses = []
    with Watched() as watched:
        for _ in range(6):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(DATA), LABELS)
            losses.append(loss.item())
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    assert watched.training.series("loss").values.tolist() == pytest.approx(losses)


def test_deep_copies_for_a_rate_test_do_not_join_the_real_training() -> None:
    model = Net()
    with Watched() as watched:
        trial = copy.deepcopy(model)
        fit(trial, torch.optim.SGD(trial.parameters(), lr=10.0), steps=5)
        fit(model, torch.optim.SGD(model.parameters(), lr=0.1), steps=9)
    assert [t.steps for t in watched.run.trainings.values()] == [5, 9]


@pytest.mark.parametrize("how", ["function", "method"])
def test_compiled_models_are_watched_without_breaking_their_graphs(how: str) -> None:
    from torch._dynamo.testing import CompileCounter

    counter, model = CompileCounter(), Net()
    with Watched() as watched, warnings.catch_warnings():
        warnings.simplefilter("error")
        if how == "function":
            compiled = torch.compile(model, backend=counter, fullgraph=True)
        else:
            model.compile(backend=counter, fullgraph=True)
            compiled = model
        fit(compiled, torch.optim.SGD(model.parameters(), lr=0.1), steps=30)
    assert counter.frame_count == 1
    assert watched.training.steps == 30
    assert len(watched.training.series("update-rms", "body.weight")) > 5


def test_a_model_of_one_layer_is_named_by_its_class() -> None:
    model = nn.Linear(6, 2)
    with Watched() as watched:
        fit(model, torch.optim.SGD(model.parameters(), lr=0.1))
    assert watched.training.places("input-rms").keys() == {"Linear"}
    assert set(watched.training.parameters) == {"weight", "bias"}


@pytest.mark.parametrize("clears", [True, False])
def test_gradients_kept_are_noticed_when_updates_are_made_by_hand(clears: bool) -> None:
    model = Net()
    with Watched() as watched:
        for _ in range(12):
            F.cross_entropy(model(DATA), LABELS).backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter -= 0.01 * parameter.grad
                    if clears:
                        parameter.grad.zero_()
    kept = watched.training.series("gradients-kept").steps.tolist()
    assert kept[:9] == ([] if clears else list(range(2, 11)))


class Actor(Net):
    """One of two models that are trained in turn."""


def titles(run: Run) -> list[str]:
    return [training.name for training in run.trainings.values()]


def train_in_turn(actor: nn.Module, critic: nn.Module, *, reaches_actor: bool) -> None:
    """Each model has its own optimizer; both run in every step."""
    for_actor = torch.optim.SGD(actor.parameters(), lr=0.01)
    for_critic = torch.optim.SGD(critic.parameters(), lr=0.01)
    for _ in range(12):
        with torch.no_grad():
            action = actor(DATA)
        for_critic.zero_grad()
        F.cross_entropy(critic(action), LABELS).backward()
        for_critic.step()
        for_actor.zero_grad()
        critic(actor(DATA) if reaches_actor else action).mean().backward()
        for_actor.step()


@pytest.mark.parametrize("reaches_actor", [True, False])
def test_a_training_is_named_after_the_model_whose_parameters_it_updates(
    reaches_actor: bool,
) -> None:
    with Watched() as watched:
        train_in_turn(Actor(), nn.Linear(2, 2), reaches_actor=reaches_actor)
    assert titles(watched.run) == ["training 1 (Linear)", "training 2 (Actor)"]


def test_a_ready_made_model_gives_its_training_the_name_of_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    teacher = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2))
    monkeypatch.setattr(sys.modules["__main__"], "teacher", teacher, raising=False)
    with Watched() as watched:
        model = Net()
        fit(model, torch.optim.SGD(model.body.parameters(), lr=0.1))
        fit(teacher, torch.optim.SGD(teacher[1].parameters(), lr=0.1))
    assert titles(watched.run) == ["training 1 (body)", "training 2 (teacher)"]


def test_layers_without_a_name_are_told_with_their_class() -> None:
    with Watched() as watched:
        model = nn.Sequential(nn.Linear(6, 4), nn.Softmax(dim=1))
        fit(model, torch.optim.SGD(model.parameters(), lr=0.1))
    training = watched.training
    assert training.titled("`0`, `1`, `0` and `2`") == (
        "`0` (Linear 6→4), `1` (Softmax), `0` and `2`"
    )
    assert watched.watch.diagnosis is not None
    (finding,) = (f for f in watched.watch.diagnosis.findings if f.severity == "error")
    assert "the output of `1` (Softmax) is already" in finding.message
    assert finding.to_json()["where"]["layer"] == "1"


def test_a_loss_module_is_no_layer() -> None:
    criterion = nn.CrossEntropyLoss()
    model = Net()
    with Watched() as watched:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(4):
            optimizer.zero_grad()
            criterion(model(DATA), LABELS).backward()
            optimizer.step()
    nodes = {node.op: node for node in watched.training.wirings[0].nodes}
    assert nodes["NllLoss"].layer == "head"  # as for the function: what gave it its scores
    assert nodes["Relu"].layer == "body"


def test_a_loss_that_does_not_reach_what_its_optimizer_holds_is_told_so() -> None:
    with Watched() as watched:
        train_in_turn(Actor(), nn.Sequential(nn.Linear(2, 2)), reaches_actor=False)
    assert watched.watch.diagnosis is not None
    (finding,) = (f for f in watched.watch.diagnosis.findings if f.severity == "error")
    assert finding.rule == "weights-not-updating"
    assert "does not depend on what its optimizer holds (" in finding.message
    assert "critic(actor(DATA) if" in ((finding.where and finding.where.code) or "")
    assert [remedy.name for remedy in finding.remedies] == ["keep-the-graph"]

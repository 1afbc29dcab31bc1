"""Changes of rates, gradients, updates and runs: each does what it says, and leaves no trace."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim import optimizer as hooks
from torch.optim.lr_scheduler import LambdaLR, OneCycleLR, StepLR

from babysit.change import Change, read_change
from babysit.changes.gradients import ClearGradients, ClipGradients, ClipGradientValues
from babysit.changes.rates import (
    DecayLearningRate,
    DecayOnPlateau,
    ScaleLearningRate,
    SetLearningRate,
    SweepLearningRate,
)
from babysit.changes.runs import Reseed, StopAfter
from babysit.changes.updates import (
    AddMissingParameters,
    ChangeOptimizer,
    Freeze,
    SetMomentum,
    SetWeightDecay,
    Unfreeze,
)
from babysit.errors import BabysitError
from babysit.instrument.levers.levers import Levers
from babysit.launch import Stop

Make = Callable[[nn.Module], Optimizer]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def sgd(model: nn.Module) -> Optimizer:
    return SGD(model.parameters(), lr=0.1)


def two_groups(model: Any) -> Optimizer:
    return SGD(
        [{"params": model.features.parameters(), "lr": 0.01}, {"params": model.head.parameters()}],
        lr=0.1,
    )


@dataclass
class Run:
    """What a training left, with its changes taken back."""

    model: nn.Module
    optimizer: Optimizer
    levers: Levers
    num_steps: int
    rates: list[float]

    @property
    def weights(self) -> Tensor:
        return torch.cat([one.detach().flatten() for one in self.model.parameters()])

    @property
    def refusal(self) -> str:
        return " ".join(self.levers.refusals.values())


def train(
    *changes: Change,
    make: Make = sgd,
    steps: int = 3,
    model: nn.Module | None = None,
    schedule: Callable[[Optimizer], Any] | None = None,
    with_closure: bool = False,
    keeps_gradients: bool = False,
    evaluations: Iterator[float] | None = None,
    sees: Callable[[Optimizer, Any, Any], None] = lambda *_: None,
) -> Run:
    """An ordinary small training under changes; ``sees`` is a hook of the script's after steps."""
    model = model or net()
    optimizer = make(model)
    scheduler = schedule and schedule(optimizer)
    numbers = torch.Generator().manual_seed(1)
    levers, rates, num_steps = Levers(), [], 0
    levers.attach(changes)
    optimizer.register_step_post_hook(
        lambda one, *_: rates.append(float(one.param_groups[-1]["lr"]))
    )
    optimizer.register_step_post_hook(sees)
    try:
        for num_steps in range(1, steps + 1):  # noqa: B007  # also when it is stopped
            x, y = torch.randn(8, 4, generator=numbers), torch.randn(8, 2, generator=numbers)

            def compute(x: Tensor = x, y: Tensor = y) -> Tensor:
                if not keeps_gradients:
                    optimizer.zero_grad()
                loss = nn.functional.mse_loss(model(x), y)
                loss.backward()
                return loss

            if with_closure:
                optimizer.step(compute)
            else:
                compute()
                optimizer.step()
            if scheduler:
                scheduler.step()
            if evaluations:
                with torch.no_grad():
                    nn.functional.mse_loss(
                        torch.tensor(next(evaluations)).sqrt(), torch.tensor(0.0)
                    )
    except Stop:
        pass
    finally:
        levers.detach()
    return Run(model, optimizer, levers, num_steps, rates)


def same(one: Run, other: Run) -> bool:
    return torch.allclose(one.weights, other.weights, rtol=1e-6, atol=1e-7)


def sgd_at(rate: float, **options: Any) -> Make:
    return lambda model: SGD(model.parameters(), lr=rate, **options)


# -- all of them ---------------------------------------------------------------------------

ALL = (
    ScaleLearningRate(factor=0.3),
    SetLearningRate(rate=0.7),
    SweepLearningRate(low=0.1, high=1.0, steps=50),
    DecayLearningRate(after=2, every=1),
    DecayOnPlateau(),
    ClipGradients(max_norm=0.1),
    ClipGradientValues(max_value=0.1),
    ClearGradients(),
    SetWeightDecay(decay=0.3),
    SetMomentum(momentum=0.5),
    SetMomentum(momentum=0.0),
    ChangeOptimizer(kind="Adam", rate=0.01),
    AddMissingParameters(),
    Freeze(layers=("features",)),
    Unfreeze(layers=("features",)),
    StopAfter(steps=100),
    Reseed(seed=3),
)


def traces(run: Run) -> Any:
    """Everything about a training that a change could leave behind, but weights and moments."""
    groups = [
        {
            key: float(value) if key == "lr" else value
            for key, value in group.items()
            if key != "params"
        }
        for group in run.optimizer.param_groups
    ]
    return (
        groups,
        [len(group["params"]) for group in run.optimizer.param_groups],
        sorted(vars(run.optimizer)),
        len(run.optimizer._optimizer_step_pre_hooks),
        len(run.optimizer._optimizer_step_post_hooks),
        len(hooks._global_optimizer_pre_hooks),
        len(hooks._global_optimizer_post_hooks),
        [one.requires_grad for one in run.model.parameters()],
        [sorted(vars(module)) for module in run.model.modules()],
    )


MAKES: dict[str, Make] = {
    "sgd": sgd_at(0.1, weight_decay=0.1),
    "momentum": sgd_at(0.1, momentum=0.9),
    "adam": lambda model: Adam(model.parameters(), lr=torch.tensor(0.01), capturable=False),
    "rmsprop": lambda model: RMSprop(model.parameters(), lr=0.01, momentum=0.9),
}


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
@pytest.mark.parametrize("change", ALL, ids=str)
def test_a_change_leaves_no_trace(change: Change, make: Make) -> None:
    def schedule(optimizer: Optimizer) -> Any:
        return StepLR(optimizer, 2, 0.5)

    plain = train(make=make, schedule=schedule, steps=5)
    changed = train(change, make=make, schedule=schedule, steps=5)
    assert traces(changed) == traces(plain)


@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
@pytest.mark.parametrize("change", ALL, ids=str)
def test_the_training_goes_on_without_the_change(change: Change, make: Make) -> None:
    run = train(change, make=make)
    again = train(make=lambda _: run.optimizer, model=run.model)
    assert again.weights.isfinite().all()


def test_changes_together_leave_no_trace() -> None:
    changes = ScaleLearningRate(factor=0.3), SetLearningRate(rate=0.7), DecayOnPlateau()
    assert traces(train(*changes)) == traces(train())


def test_a_step_that_raises_leaves_no_trace() -> None:
    model = net()
    optimizer, levers = sgd(model), Levers()
    levers.attach([ScaleLearningRate(factor=0.1), ChangeOptimizer(kind="Adam")])

    def fail() -> float:
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)
        raise ValueError

    with pytest.raises(ValueError):
        optimizer.step(fail)
    levers.detach()
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert not optimizer._optimizer_step_pre_hooks


@pytest.mark.parametrize("change", ALL, ids=str)
def test_a_change_comes_back_from_its_json(change: Change) -> None:
    assert read_change(change.to_json()) == change


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("scale-learning-rate", {"factor": 0}, "factor is 0; it takes a number above 0"),
        ("scale-learning-rate", {"factor": math.inf}, "factor is inf; it takes a number above 0"),
        ("set-learning-rate", {"rate": "x"}, "rate is 'x'; it takes a number above 0"),
        (
            "sweep-learning-rate",
            {"low": 1, "high": 0.1, "steps": 9},
            "high is 0.1; it takes a number above 1",
        ),
        (
            "sweep-learning-rate",
            {"low": 1, "high": 2, "steps": 1},
            "steps is 1; it takes a number of steps, 2 or more",
        ),
        (
            "decay-learning-rate",
            {"after": 5, "every": 5},
            "after is 5; it takes a number of steps above every, which is 5",
        ),
        ("decay-on-plateau", {"divide_by": 1}, "divide_by is 1; it takes a number above 1"),
        ("clip-gradients", {"max_norm": -1}, "max_norm is -1; it takes a number above 0"),
        ("clip-gradient-values", {"max_value": True}, "max_value is True; it takes a number above"),
        ("set-weight-decay", {"decay": -0.1}, "decay is -0.1; it takes a number, 0 or above"),
        ("set-momentum", {"momentum": 1.0}, "momentum is 1.0; it takes a number from 0 to below 1"),
        ("change-optimizer", {"kind": "Adm"}, "kind is 'Adm'; it takes one of Adadelta, Adafactor"),
        ("change-optimizer", {"kind": "LBFGS"}, "kind is 'LBFGS'; it takes one of"),
        (
            "change-optimizer",
            {"kind": "Adagrad", "momentum": 0.9},
            "momentum is 0.9; it takes nothing: Adagrad has no momentum",
        ),
        ("freeze", {"layers": []}, "layers is (); it takes a list of names of layers"),
        ("unfreeze", {"layers": "head"}, "layers is 'head'; it takes a list of names of layers"),
        ("stop-after", {}, "steps is None; it takes a number of steps, 1 or more, or seconds"),
        ("stop-after", {"seconds": 0}, "seconds is 0; it takes a number above 0"),
        ("reseed", {"seed": -1}, "seed is -1; it takes an integer, 0 or more"),
    ],
)
def test_a_bad_parameter_is_told_in_one_sentence(
    name: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(BabysitError) as caught:
        read_change({"name": name, **parameters})
    assert str(caught.value).startswith(f"{name}: {message}")


# -- rates ---------------------------------------------------------------------------------


def test_a_scaled_rate_trains_as_if_the_script_had_it() -> None:
    assert same(train(ScaleLearningRate(factor=0.5)), train(make=sgd_at(0.05)))


def test_a_rate_that_is_a_tensor_is_scaled_in_place() -> None:
    rate = torch.tensor(0.1)
    run = train(ScaleLearningRate(factor=0.5), make=lambda model: SGD(model.parameters(), lr=rate))
    assert same(run, train(make=sgd_at(0.05)))
    assert run.optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(0.1)


def test_schedulers_never_see_a_scaled_rate() -> None:
    def schedule(optimizer: Optimizer) -> Any:
        return StepLR(optimizer, 2, 0.1)

    run = train(ScaleLearningRate(factor=0.5), schedule=schedule, steps=5)
    assert run.rates == pytest.approx([0.05, 0.05, 0.005, 0.005, 0.0005])
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(0.001)


def test_a_set_rate_keeps_the_ratio_of_groups() -> None:
    seen = []
    train(
        SetLearningRate(rate=1.0),
        make=two_groups,
        sees=lambda one, *_: seen.append([group["lr"] for group in one.param_groups]),
    )
    assert seen == [pytest.approx([0.1, 1.0])] * 3


def test_a_set_rate_follows_warm_up_and_schedule() -> None:
    def schedule(optimizer: Optimizer) -> Any:
        return LambdaLR(optimizer, lambda step: step / 4)

    run = train(SetLearningRate(rate=1.0), schedule=schedule, steps=5)
    assert run.rates == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_a_set_rate_is_the_peak_of_a_one_cycle() -> None:
    def schedule(optimizer: Optimizer) -> Any:
        return OneCycleLR(optimizer, max_lr=0.2, total_steps=11)

    run = train(SetLearningRate(rate=1.0), schedule=schedule, steps=10)
    assert max(run.rates) == pytest.approx(1.0, rel=0.05)


def test_a_rate_that_began_at_nothing_is_set_directly() -> None:
    assert train(SetLearningRate(rate=0.3), make=sgd_at(0.0)).rates == pytest.approx([0.3] * 3)


def test_a_sweep_grows_geometrically_and_stops() -> None:
    run = train(SweepLearningRate(low=0.001, high=0.1, steps=5), steps=50)
    expected = [0.001 * 10 ** (0.5 * step) for step in range(5)]
    assert run.rates == pytest.approx(expected)
    assert run.num_steps == 5
    noted = [(step, value) for step, name, value in run.levers.notes if name == "learning-rate"]
    assert [step for step, _ in noted] == list(range(5))
    assert [value for _, value in noted] == pytest.approx(expected)
    assert [note for note in run.levers.notes if note[1] == "nominal-rate"] == [
        (0, "nominal-rate", pytest.approx(0.1))
    ]


def test_a_sweep_overrides_schedules_and_keeps_the_ratio_of_groups() -> None:
    seen = []
    train(
        SweepLearningRate(low=0.01, high=1.0, steps=3),
        make=two_groups,
        schedule=lambda optimizer: StepLR(optimizer, 1, 0.1),
        sees=lambda one, *_: seen.append([group["lr"] for group in one.param_groups]),
    )
    assert seen == [pytest.approx([0.1 * rate, rate]) for rate in (0.01, 0.1, 1.0)]


def test_a_rate_decays_first_after_some_steps_then_every_few() -> None:
    run = train(DecayLearningRate(after=3, every=2, divide_by=2), steps=8)
    assert run.rates == pytest.approx([0.1] * 3 + [0.05] * 2 + [0.025] * 2 + [0.0125])


def test_a_rate_decays_when_evaluations_stop_improving() -> None:
    losses = iter([1.0, 0.9, 0.95, 0.9, 0.8, math.nan, 0.9, 1.0])
    run = train(DecayOnPlateau(divide_by=2, patience=2), steps=8, evaluations=losses)
    assert run.rates == pytest.approx([0.1] * 4 + [0.05] * 3 + [0.025])


def test_a_plateau_without_evaluations_does_not_apply() -> None:
    assert "no evaluation" in train(DecayOnPlateau()).refusal


# -- gradients -----------------------------------------------------------------------------


@pytest.mark.parametrize("with_closure", [False, True])
def test_gradients_are_clipped_by_their_norm_over_all_parameters(with_closure: bool) -> None:
    norms = []

    def sees(optimizer: Optimizer, *_: Any) -> None:
        gradients = [p.grad.flatten() for group in optimizer.param_groups for p in group["params"]]
        norms.append(torch.cat(gradients).norm().item())

    train(ClipGradients(max_norm=0.01), make=two_groups, with_closure=with_closure, sees=sees)
    assert norms == pytest.approx([0.01] * 3, rel=1e-3)


def test_small_gradients_are_not_clipped() -> None:
    assert same(train(ClipGradients(max_norm=1e3)), train())


@pytest.mark.parametrize("with_closure", [False, True])
def test_gradients_are_clipped_by_value(with_closure: bool) -> None:
    largest = []

    def sees(optimizer: Optimizer, *_: Any) -> None:
        parameters = optimizer.param_groups[0]["params"]
        largest.append(max(p.grad.abs().max().item() for p in parameters))

    train(ClipGradientValues(max_value=0.01), with_closure=with_closure, sees=sees)
    assert largest == pytest.approx([0.01] * 3)


def scaled_step(change: Change, make: Make) -> tuple[Tensor, Levers]:
    """The head's weights after one step under a GradScaler."""
    model, levers = net(), Levers()
    optimizer, scaler = make(model), torch.amp.GradScaler("cpu", init_scale=64.0)
    levers.attach([change])
    scaler.scale(model(torch.ones(2, 4)).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    levers.detach()
    return model.head.weight.detach(), levers


def test_gradients_that_a_fused_step_will_unscale_are_clipped_as_unscaled() -> None:
    change = ClipGradients(max_norm=0.5)
    plain, _ = scaled_step(change, sgd)
    fused, _ = scaled_step(change, sgd_at(0.1, fused=True))
    assert torch.allclose(fused, plain)


def test_cleared_gradients_do_not_add_up_over_steps() -> None:
    cleared = train(ClearGradients(), keeps_gradients=True)
    assert same(cleared, train())
    assert all(one.grad is None for one in cleared.model.parameters())


def test_cleared_gradients_still_add_up_within_a_step() -> None:
    model = net()
    optimizer, levers = sgd(model), Levers()
    levers.attach([ClearGradients()])
    for _ in range(2):
        model(torch.ones(1, 4)).sum().backward()
    once = torch.autograd.grad(model(torch.ones(1, 4)).sum(), model.head.bias)[0]
    assert torch.equal(model.head.bias.grad, 2 * once)
    optimizer.step()
    levers.detach()
    assert model.head.bias.grad is None


# -- options of optimizers -----------------------------------------------------------------


def test_weight_decay_is_set() -> None:
    assert same(train(SetWeightDecay(decay=0.2)), train(make=sgd_at(0.1, weight_decay=0.2)))


def test_groups_left_without_weight_decay_stay_so() -> None:
    def make(model: Any) -> Optimizer:
        groups = [
            {"params": model.features.parameters(), "weight_decay": 0.0},
            {"params": model.head.parameters()},
        ]
        return AdamW(groups, lr=0.01)

    seen = []
    train(
        SetWeightDecay(decay=0.5),
        make=make,
        sees=lambda one, *_: seen.append([group["weight_decay"] for group in one.param_groups]),
    )
    assert seen == [[0.0, 0.5]] * 3


def test_weight_decay_of_an_optimizer_without_does_not_apply() -> None:
    run = train(SetWeightDecay(decay=0.5), make=lambda m: torch.optim.Rprop(m.parameters()))
    assert run.refusal == "Rprop has no weight decay"


@pytest.mark.parametrize("kind", [SGD, RMSprop])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize("before", [0.0, 0.9])
def test_momentum_is_set(kind: Any, momentum: float, before: float) -> None:
    changed = train(
        SetMomentum(momentum=momentum),
        make=lambda model: kind(model.parameters(), lr=0.01, momentum=before),
    )
    expected = train(make=lambda model: kind(model.parameters(), lr=0.01, momentum=momentum))
    assert same(changed, expected)
    assert all(
        ("momentum_buffer" in state) <= (before > 0) for state in changed.optimizer.state.values()
    )


def test_the_momentum_of_adam_is_its_first_beta() -> None:
    changed = train(SetMomentum(momentum=0.5), make=lambda m: Adam(m.parameters(), lr=0.01))
    expected = train(make=lambda m: Adam(m.parameters(), lr=0.01, betas=(0.5, 0.999)))
    assert same(changed, expected)


def test_a_schedule_of_momentum_is_overridden() -> None:
    seen = []
    train(
        SetMomentum(momentum=0.3),
        make=sgd_at(0.1, momentum=0.9),
        schedule=lambda optimizer: OneCycleLR(optimizer, max_lr=0.2, total_steps=11),
        sees=lambda one, *_: seen.append(one.param_groups[0]["momentum"]),
    )
    assert seen == [0.3] * 3


def test_momentum_of_an_optimizer_without_does_not_apply() -> None:
    run = train(SetMomentum(momentum=0.5), make=lambda m: torch.optim.Adagrad(m.parameters()))
    assert run.refusal == "Adagrad has no momentum"


# -- another optimizer ---------------------------------------------------------------------

KINDS = (
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "ASGD",
    "NAdam",
    "RAdam",
    "Rprop",
    "SGD",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_closure", [False, True])
def test_another_optimizer_updates_as_if_the_script_had_it(kind: str, with_closure: bool) -> None:
    if not hasattr(torch.optim, kind):
        pytest.skip(f"this PyTorch has no {kind}")

    def make(model: nn.Module) -> Optimizer:
        options = {} if kind == "Rprop" else {"weight_decay": 0.0}
        return getattr(torch.optim, kind)(model.parameters(), lr=0.02, **options)

    changed = train(ChangeOptimizer(kind=kind, rate=0.02), with_closure=with_closure)
    assert changed.refusal == ""
    assert same(changed, train(make=make, with_closure=with_closure))


def fused(model: nn.Module) -> Optimizer:
    return Adam(model.parameters(), lr=0.1, fused=True)


@pytest.mark.parametrize("make", [sgd, fused])
def test_the_optimizer_of_the_script_does_nothing_any_more(make: Make) -> None:
    run = train(ChangeOptimizer(kind="Adagrad", rate=1e-30), make=make)
    assert torch.equal(run.weights, train(steps=0).weights)
    assert not run.optimizer.state


def test_without_a_rate_another_optimizer_has_the_rates_of_the_script() -> None:
    changed = train(ChangeOptimizer(kind="Adam"), make=two_groups)

    def make(model: Any) -> Optimizer:
        groups = [
            {"params": model.features.parameters(), "lr": 0.01},
            {"params": model.head.parameters()},
        ]
        return Adam(groups, lr=0.1)

    assert same(changed, train(make=make))


def test_another_optimizer_follows_the_schedule_in_proportion() -> None:
    def schedule(optimizer: Optimizer) -> Any:
        return StepLR(optimizer, 1, 0.5)

    changed = train(ChangeOptimizer(kind="Adam", rate=0.01), make=sgd_at(0.4), schedule=schedule)
    expected = train(make=lambda m: Adam(m.parameters(), lr=0.01), schedule=schedule)
    assert same(changed, expected)


@pytest.mark.filterwarnings("error")
def test_a_scheduler_does_not_miss_the_steps_of_another_optimizer() -> None:
    train(ChangeOptimizer(kind="Adam"), schedule=lambda optimizer: StepLR(optimizer, 1, 0.5))


def test_another_optimizer_has_the_momentum_and_weight_decay_asked_for() -> None:
    changed = train(
        ChangeOptimizer(kind="AdamW", rate=0.02, momentum=0.5), make=sgd_at(0.1, weight_decay=0.3)
    )
    expected = train(
        make=lambda m: AdamW(m.parameters(), lr=0.02, betas=(0.5, 0.999), weight_decay=0.3)
    )
    assert same(changed, expected)
    changed = train(ChangeOptimizer(kind="SGD", momentum=0.5), make=lambda m: Adam(m.parameters()))
    assert same(changed, train(make=sgd_at(0.001, momentum=0.5)))


@pytest.mark.parametrize("with_closure", [False, True])
def test_hooks_of_optimizers_fire_once_in_each_step(with_closure: bool) -> None:
    fired: list[str] = []
    handles = [
        hooks.register_optimizer_step_pre_hook(lambda *_: fired.append("global before")),
        hooks.register_optimizer_step_post_hook(lambda *_: fired.append("global after")),
    ]

    def make(model: nn.Module) -> Optimizer:
        optimizer = sgd(model)
        optimizer.register_step_pre_hook(lambda *_: fired.append("before"))
        optimizer.register_step_post_hook(lambda *_: fired.append("after"))
        return optimizer

    run = train(ChangeOptimizer(kind="Adam"), make=make, with_closure=with_closure, steps=2)
    for handle in handles:
        handle.remove()
    assert fired == ["global before", "before", "after", "global after"] * 2
    assert run.levers.step == 2


@pytest.mark.parametrize("with_closure", [False, True])
def test_gradients_are_back_after_the_step_of_another_optimizer(with_closure: bool) -> None:
    run = train(ChangeOptimizer(kind="Adam", rate=1e-30), steps=1, with_closure=with_closure)
    plain = train(steps=1, make=sgd_at(0.0), with_closure=with_closure)
    for one, other in zip(run.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


def test_hooks_of_the_script_meet_the_gradients_with_another_optimizer() -> None:
    def clear(optimizer: Optimizer, *_: Any) -> None:
        assert optimizer.param_groups[0]["params"][0].grad is not None
        optimizer.zero_grad()

    run = train(ChangeOptimizer(kind="SGD"), keeps_gradients=True, sees=clear)
    assert same(run, train())


def test_a_closure_returns_its_loss_with_another_optimizer() -> None:
    model = net()
    optimizer, levers = sgd(model), Levers()
    levers.attach([ChangeOptimizer(kind="Adam"), ClipGradients(max_norm=1.0)])

    def compute() -> Tensor:
        loss = model(torch.ones(1, 4)).square().sum()
        loss.backward()
        return loss

    loss = optimizer.step(closure=compute)
    levers.detach()
    assert torch.equal(loss, net()(torch.ones(1, 4)).square().sum())


@pytest.mark.parametrize("with_closure", [False, True])
def test_clipping_acts_on_another_optimizer_in_whatever_order(with_closure: bool) -> None:
    changes = ChangeOptimizer(kind="SGD", momentum=0.5), ClipGradients(max_norm=0.01)
    one = train(*changes, with_closure=with_closure)
    other = train(*reversed(changes), with_closure=with_closure)
    expected = train(changes[1], make=sgd_at(0.1, momentum=0.5))
    assert same(one, other)
    assert same(one, expected)


def test_a_scaled_rate_acts_on_another_optimizer() -> None:
    changes = ChangeOptimizer(kind="Adam", rate=0.02), ScaleLearningRate(factor=0.5)
    expected = train(make=lambda m: Adam(m.parameters(), lr=0.01))
    assert same(train(*changes), expected)
    assert same(train(*reversed(changes)), expected)


def test_another_optimizer_follows_groups_added_later() -> None:
    def make(model: Any) -> Optimizer:
        optimizer = SGD(model.head.parameters(), lr=0.1)
        added = []

        def add(one: Optimizer, *_: Any) -> None:
            if not added:
                added.append(one.add_param_group({"params": list(model.features.parameters())}))

        optimizer.register_step_post_hook(add)
        return optimizer

    assert same(train(ChangeOptimizer(kind="SGD"), make=make), train(make=make))


def test_a_grad_scaler_works_with_another_optimizer() -> None:
    changed, levers = scaled_step(
        ChangeOptimizer(kind="SGD", rate=0.1), lambda m: Adam(m.parameters())
    )
    assert not levers.refusals
    assert torch.allclose(changed, scaled_step(StopAfter(steps=9), sgd)[0])


def test_a_fused_optimizer_under_a_grad_scaler_is_not_replaced() -> None:
    _, levers = scaled_step(ChangeOptimizer(kind="Adam"), sgd_at(0.1, fused=True))
    assert "unscales gradients in its step" in str(levers.refusals)


def test_an_optimizer_of_many_evaluations_is_not_replaced() -> None:
    run = train(
        ChangeOptimizer(kind="SGD"),
        make=lambda m: torch.optim.LBFGS(m.parameters()),
        with_closure=True,
    )
    assert run.refusal == "LBFGS evaluates the loss several times in each step"


def test_a_step_that_may_be_recorded_is_not_replaced() -> None:
    optimizer, levers = Adam(net().parameters(), capturable=True), Levers()
    levers.attach([ChangeOptimizer(kind="SGD")])
    optimizer.step()
    levers.detach()
    assert "the optimizer is capturable" in str(levers.refusals)


def test_parameters_that_another_optimizer_does_not_take_are_told() -> None:
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this PyTorch has no optimizer for matrices alone")
    run = train(ChangeOptimizer(kind="Muon"))
    assert run.refusal.startswith("Muon does not take these parameters: ")
    assert same(run, train())


def test_sparse_gradients_that_another_optimizer_does_not_take_are_told() -> None:
    table = nn.Embedding(3, 2, sparse=True)
    optimizer, levers = sgd(table), Levers()
    levers.attach([ChangeOptimizer(kind="Adam")])
    table(torch.tensor([1])).sum().backward()
    optimizer.step()
    levers.detach()
    assert list(levers.refusals.values()) == ["gradients are sparse, which Adam does not take"]


# -- which parameters ----------------------------------------------------------------------


def head_only(model: Any) -> Optimizer:
    return SGD(model.head.parameters(), lr=0.1)


def test_missing_parameters_are_trained_as_the_others() -> None:
    assert same(train(AddMissingParameters(), make=head_only), train())


def test_missing_parameters_have_names_where_the_others_have() -> None:
    run = train(AddMissingParameters(), make=lambda m: SGD(list(m.head.named_parameters()), lr=0.1))
    assert same(run, train())
    names = run.optimizer.param_groups[0].get("param_names")  # of PyTorch 2.6 on
    assert names in (None, ["weight", "bias"])


def test_missing_parameters_are_gone_in_the_end() -> None:
    run = train(AddMissingParameters(), make=lambda m: Adam(m.head.parameters()))
    assert len(run.optimizer.param_groups[0]["params"]) == 2
    assert len(run.optimizer.state) == 2


def test_where_nothing_is_missing_nothing_is_added() -> None:
    assert (
        train(AddMissingParameters()).refusal == "optimizers hold all trainable parameters already"
    )


def test_parameters_of_an_optimizer_that_steps_later_stay_its_own() -> None:
    model = net()
    first, second = SGD(model.head.parameters(), lr=0.1), SGD(model.features.parameters(), lr=0.5)
    levers = Levers()
    levers.attach([AddMissingParameters()])
    for _ in range(2):
        model(torch.ones(1, 4)).sum().backward()
        first.step()
        second.step()
    levers.detach()
    assert [len(one.param_groups[0]["params"]) for one in (first, second)] == [2, 2]


def test_missing_parameters_join_an_optimizer_that_is_made_anew() -> None:
    model = net()
    levers = Levers()
    levers.attach([AddMissingParameters()])
    kept = []
    for _ in range(2):
        kept.append(head_only(model))
        model(torch.ones(1, 4)).sum().backward()
        before = model.features[0].weight.clone()
        kept[-1].step()
        assert not torch.equal(model.features[0].weight, before)
    assert [len(one.param_groups[0]["params"]) for one in kept] == [2, 4]
    levers.detach()
    assert [len(one.param_groups[0]["params"]) for one in kept] == [2, 2]


def moved(run: Run) -> set[str]:
    """The parameters that have other values than at the start."""
    start = dict(net().named_parameters())
    named = {name.removeprefix("module."): one for name, one in run.model.named_parameters()}
    return {name for name, one in named.items() if not torch.equal(one, start[name])}


FEATURES = {"features.0.weight", "features.0.bias"}
HEAD = {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("layers", "trained"),
    [
        (("features",), HEAD),
        (("features.0",), HEAD),
        (("head", "features.0.bias"), {"features.0.weight"}),
    ],
)
@pytest.mark.parametrize("with_closure", [False, True])
def test_frozen_layers_do_not_move(
    layers: tuple[str, ...], trained: set[str], with_closure: bool
) -> None:
    make = sgd_at(0.1, momentum=0.9, weight_decay=0.1)
    assert moved(train(Freeze(layers=layers), make=make, with_closure=with_closure)) == trained


def test_layers_of_a_wrapped_model_are_found() -> None:
    run = train(Freeze(layers=("features",)), model=nn.DataParallel(net()))
    assert run.refusal == ""
    assert moved(run) == HEAD


def test_layers_that_the_script_thaws_again_stay_frozen() -> None:
    def thaw(optimizer: Optimizer, *_: Any) -> None:
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.requires_grad_(True)

    assert moved(train(Freeze(layers=("features",)), sees=thaw)) == HEAD


@pytest.mark.parametrize("kind", [Freeze, Unfreeze])
def test_layers_that_are_not_there_are_told_with_the_nearest(kind: Any) -> None:
    run = train(kind(layers=("head", "feature")))
    assert run.refusal == "there is no layer 'feature'; the nearest is features"
    assert same(run, train())
    run = train(kind(layers=("zzz",)))
    assert run.refusal == "there is no layer 'zzz'; there are features, features.0 and head"


def test_part_of_a_name_is_no_layer() -> None:
    assert "no layer 'feat'" in train(Freeze(layers=("feat",))).refusal


def test_layers_may_belong_to_several_models() -> None:
    body, head = net().features, nn.Sequential(net().head)
    optimizer = SGD([*body.parameters(), *head.parameters()], lr=0.1)
    levers = Levers()
    levers.attach([Freeze(layers=("0.bias",))])
    before = copy.deepcopy(body), copy.deepcopy(head)
    head(body(torch.ones(2, 4))).sum().backward()
    optimizer.step()
    levers.detach()
    assert torch.equal(body[0].bias, before[0][0].bias)
    assert torch.equal(head[0].bias, before[1][0].bias)
    assert not torch.equal(head[0].weight, before[1][0].weight)


def test_a_model_is_not_frozen_as_a_whole() -> None:
    run = train(Freeze(layers=("features", "head")))
    assert run.refusal == "nothing of the model would be left to train"
    assert same(run, train())


def frozen_net() -> Net:
    model = net()
    model.features.requires_grad_(False)
    return model


def test_layers_are_thawed_also_where_no_optimizer_holds_them() -> None:
    for make in (sgd, head_only):
        run = train(Unfreeze(layers=("features",)), model=frozen_net(), make=make)
        assert same(run, train())
        assert not any(one.requires_grad for one in run.model.features.parameters())
        assert all(one.grad is None for one in run.model.features.parameters())


def test_thawing_what_is_trained_already_does_not_apply() -> None:
    assert train(Unfreeze(layers=("features",))).refusal == "features was trained already"


def test_thawing_what_runs_without_gradients_does_not_apply() -> None:
    class Fixed(Net):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                x = self.features(x)
            return self.head(x)

    model = Fixed()
    model.features.requires_grad_(False)
    run = train(Unfreeze(layers=("features",)), model=model, steps=15)
    assert run.refusal == "no gradient reaches features: it may run under no_grad"


# -- runs ----------------------------------------------------------------------------------


def test_a_run_stops_after_so_many_steps() -> None:
    assert train(StopAfter(steps=4), steps=50).num_steps == 4


def test_a_run_stops_after_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(Levers, "_elapsed", lambda self: next(clock))
    assert train(StopAfter(seconds=3), steps=50).num_steps == 4
    assert train(StopAfter(steps=2, seconds=1000), steps=50).num_steps == 2


def test_another_seed_is_the_same_one_every_time() -> None:
    turned = {seed: Reseed(seed=seed).turn(42) for seed in range(100)}
    assert turned[0] == 42
    assert len(set(turned.values())) == 100
    assert all(0 <= one < 2**32 for one in turned.values())
    assert Reseed(seed=1).turn(42) == 299_968_676
    assert Reseed(seed=1).turn(42) != Reseed(seed=1).turn(43)


def test_a_reseeded_training_draws_other_numbers() -> None:
    def first_weights(*changes: Change) -> Tensor:
        levers = Levers()
        levers.attach(changes)
        nn.Linear(1, 1)
        weights = net().head.weight.detach().clone()
        levers.detach()
        return weights

    one, again, other = (first_weights(Reseed(seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(first_weights(Reseed(seed=0)), first_weights())

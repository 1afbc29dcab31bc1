"""What the loss reaches, what clipping finds, and which healthy programs must not be accused."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import babysit
from babysit.run import Run

OURS = {
    "exploding-gradients", "gradient-spikes", "gradients-not-averaged", "clipping-too-tight",
    "clipping-misplaced", "parameters-without-gradient", "unused-module", "constant-loss",
    "frozen-parameters-in-optimizer", "unregistered-parameters",
}  # fmt: skip
DATA = torch.randn(96, 6, generator=torch.Generator().manual_seed(1))
LABELS = (DATA[:, 0] + DATA[:, 1] > 0).long()
Act = Callable[[Any], None]


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    torch.manual_seed(0)
    yield


def watched(train: Callable[[], None]) -> Run:
    watch = babysit.watch(quiet=True, store=False)
    try:
        train()
    finally:
        watch.__exit__(None, None, None)
    assert watch.run is not None
    return watch.run


def found(train: Callable[[], None]) -> set[str]:
    """Which of the rules of this topic find something, consequences left out."""
    roots = babysit.diagnose(watched(train)).roots
    return {finding.rule for finding in roots} & OURS


class Net(nn.Module):
    """A body and a head; what stands between is given."""

    def __init__(self, between: Callable[[torch.Tensor], torch.Tensor] = F.relu) -> None:
        super().__init__()
        self.body = nn.Linear(6, 16)
        self.head = nn.Linear(16, 2)
        self.between = between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.between(self.body(x)))


def nothing(_: Any) -> None:
    pass


def fit(
    model: nn.Module, *, steps: int = 60, before_backward: Act = nothing,
    before_step: Act = nothing, after_step: Act = nothing, loss_of: Any = F.cross_entropy,
    parameters: Any = None,
) -> None:  # fmt: skip
    optimizer = torch.optim.Adam(parameters or model.parameters(), lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model(DATA), LABELS)
        before_backward(model)
        loss.backward()
        before_step(model)
        optimizer.step()
        after_step(model)


# -- gradients that are cut off ----------------------------------------------------------


def test_layers_before_a_detach_are_found_with_the_line_of_their_call() -> None:
    model = Net(lambda x: F.relu(x.detach()))
    run = watched(lambda: fit(model))
    finding = next(f for f in babysit.diagnose(run).roots if f.rule in OURS)
    assert finding.rule == "parameters-without-gradient"
    assert finding.where is not None and finding.where.layer == "body"
    assert finding.severity == "error"


def test_layers_under_no_grad_are_a_warning_only() -> None:
    class Cut(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                x = self.body(x)
            return self.head(x)

    run = watched(lambda: fit(Cut()))
    severities = {f.rule: f.severity for f in babysit.diagnose(run).roots}
    assert severities["parameters-without-gradient"] == "warning"


class Pooled(Net):
    """A head whose output no loss uses, fed by the trained body."""

    def __init__(self) -> None:
        super().__init__()
        self.pooler = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = F.relu(self.body(x))
        self.pooled = self.pooler(hidden)
        return self.head(hidden)


class Features(Net):
    """A body in eval mode, used for its features."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            x = self.body.eval()(x)
        return self.head(x)


class Momentum(Net):
    """A target network inside the model that follows by a moving average."""

    def __init__(self) -> None:
        super().__init__()
        self.target = copy.deepcopy(self.body)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            for own, other in zip(self.target.parameters(), self.body.parameters(), strict=True):
                own.mul_(0.9).add_(other, alpha=0.1)
            target = self.target(x)
        hidden = self.body(x)
        return self.head(F.relu(hidden) + 0 * (hidden - target))


class Experts(Net):
    """Of four experts only two are ever chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = F.relu(self.body(x))
        return self.head(self.experts[0](hidden) + self.experts[2](hidden))


class Attentive(Net):
    """``out_proj`` of attention is used without being called."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.body(x)[:, None].expand(-1, 3, -1)
        return self.head(self.attention(hidden, hidden, hidden)[0].mean(dim=1))


class Fixed(Net):
    """Constants kept as frozen parameters, and a frozen table of loaded vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.waves = nn.Parameter(torch.randn(6, 16), requires_grad=False)
        self.table = nn.Embedding.from_pretrained(torch.randn(50, 16) * 0.3 + 0.1, freeze=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        extra = self.table(x[:, 0].abs().long())
        return self.head(torch.sin(x @ self.waves) + self.body(x) + extra)


class Conditional(Net):
    """A branch that runs now and then."""

    count = 0

    def __init__(self) -> None:
        super().__init__()
        self.extra = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = F.relu(self.body(x))
        self.count += 1
        return self.head(self.extra(hidden) if self.count % 3 == 0 else hidden)


class Adapted(Net):
    """A low-rank addition whose second factor begins at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(6, 12, bias=False), nn.Linear(12, 16, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.relu(self.body(x) + self.up(self.down(x))))


@pytest.mark.parametrize(
    "model", [Net, Pooled, Features, Momentum, Experts, Attentive, Fixed, Conditional, Adapted]
)
def test_layers_that_are_left_out_with_good_reason_are_not_reported(model: Any) -> None:
    assert found(lambda: fit(model())) == set()


def test_an_old_head_with_trained_weights_may_stay_in_the_model_unused() -> None:
    class Reused(Net):
        def __init__(self, old: Net) -> None:
            super().__init__()
            self.body, self.old_head = old.body, old.head

    def train() -> None:
        first = Net()
        fit(first, steps=100)
        fit(Reused(first))

    assert found(train) == set()


def test_a_generator_and_a_critic_in_one_module_are_not_accused() -> None:
    def train() -> None:
        pair = nn.ModuleDict({"maker": nn.Linear(4, 16), "critic": nn.Linear(16, 1)})
        maker = torch.optim.Adam(pair["maker"].parameters())
        critic = torch.optim.Adam(pair["critic"].parameters())
        for _ in range(40):
            for _ in range(5):
                fake = pair["maker"](torch.randn(32, 4))
                loss = F.softplus(pair["critic"](fake.detach())).mean()
                critic.zero_grad()
                (loss + F.softplus(-pair["critic"](torch.randn(32, 16))).mean()).backward()
                critic.step()
            maker.zero_grad()
            F.softplus(-pair["critic"](pair["maker"](torch.randn(32, 4)))).mean().backward()
            maker.step()

    assert found(train) == set()


# -- layers hidden from the model --------------------------------------------------------


class Hidden(Net):
    def __init__(self, kind: Any) -> None:
        super().__init__()
        layers = [nn.Linear(16, 16), nn.Sequential(nn.Linear(16, 16), nn.Tanh())]
        self.layers = {str(i): layer for i, layer in enumerate(layers)} if kind is dict else (
            kind(layers)
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.body(x))
        for layer in self.layers.values() if isinstance(self.layers, dict) else self.layers:
            x = layer(x)
        return self.head(x)


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_layers_in_plain_containers_are_named_by_where_they_hide(kind: Any) -> None:
    run = watched(lambda: fit(Hidden(kind)))
    held = {p.name.removeprefix("Hidden."): p for p in run.trainings[1].parameters.values()}
    first = "layers['0'].weight" if kind is dict else "layers[0].weight"
    assert not held[first].registered
    assert not held[first].optimized
    assert held["body.weight"].registered
    assert {f.rule for f in babysit.diagnose(run).roots} & OURS == {"unregistered-parameters"}


def test_hidden_layers_that_an_optimizer_holds_all_the_same_are_fine() -> None:
    def train() -> None:
        model = Hidden(list)
        hidden = [parameter for layer in model.layers for parameter in layer.parameters()]
        fit(model, parameters=[*model.parameters(), *hidden])

    assert found(train) == set()


# -- losses without a slope --------------------------------------------------------------


@pytest.mark.parametrize(
    "loss_of",
    [
        lambda out, y: torch.tensor(F.cross_entropy(out, y).item(), requires_grad=True),
        lambda out, y: F.cross_entropy(out.detach().clone().requires_grad_(), y),
        lambda out, y: (torch.sigmoid(out[:, 0]).round() - y).abs().mean(),
    ],
)
def test_a_loss_that_no_parameter_can_change_is_the_root(loss_of: Any) -> None:
    assert found(lambda: fit(Net(), loss_of=loss_of)) == {"constant-loss"}


def test_a_margin_that_everyone_keeps_has_no_slope_by_right() -> None:
    def hinge(out: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return F.relu(out.square().sum(dim=1) - 1e6).mean()

    assert found(lambda: fit(Net(), loss_of=hinge)) == set()


# -- clipping ----------------------------------------------------------------------------


def clip(model: nn.Module) -> None:
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)


def test_clipping_in_its_place_is_silent_and_elsewhere_an_error() -> None:
    assert found(lambda: fit(Net(), before_step=clip)) == set()
    assert found(lambda: fit(Net(), before_backward=clip)) == {"clipping-misplaced"}
    assert found(lambda: fit(Net(), after_step=clip)) == {"clipping-misplaced"}


def test_a_norm_that_is_only_measured_may_be_taken_anywhere() -> None:
    def measure(model: nn.Module) -> None:
        nn.utils.clip_grad_norm_(model.parameters(), float("inf"))

    assert found(lambda: fit(Net(), after_step=measure)) == set()


def test_several_optimizers_and_accumulation_may_clip_as_they_like() -> None:
    def train() -> None:
        model = Net()
        first = torch.optim.SGD(model.body.parameters(), lr=0.1)
        second = torch.optim.Adam(model.head.parameters())
        for _ in range(30):
            for _ in range(2):
                F.cross_entropy(model(DATA), LABELS).div(2).backward()
                clip(model)
            for layer, optimizer in ((model.body, first), (model.head, second)):
                clip(layer)
                optimizer.step()
                optimizer.zero_grad()

    assert found(train) == set()


def test_scaled_gradients_have_to_be_unscaled_before_they_are_clipped() -> None:
    def train(unscales: bool) -> None:
        model, scaler = Net(), torch.amp.GradScaler("cpu")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(20):
            optimizer.zero_grad()
            scaler.scale(F.cross_entropy(model(DATA), LABELS)).backward()
            if unscales:
                scaler.unscale_(optimizer)
            clip(model)
            scaler.step(optimizer)
            scaler.update()

    assert found(lambda: train(True)) == set()
    assert found(lambda: train(False)) == {"clipping-misplaced"}


def test_a_loss_that_is_clamped_from_above_is_reported_where_it_bites() -> None:
    def at_most(limit: float) -> Any:
        return lambda out, y: F.cross_entropy(out, y).clamp(max=limit)

    assert found(lambda: fit(Net(), loss_of=at_most(0.3))) == {"clipping-misplaced"}
    assert found(lambda: fit(Net(), loss_of=at_most(50.0))) == set()


# -- sums --------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "expected"), [(0.2, {"gradients-not-averaged"}), (0.0005, set())])
def test_a_summed_loss_is_reported_only_where_the_steps_are_too_long(
    rate: float, expected: set[str]
) -> None:
    def train() -> None:
        model = Net(torch.tanh)
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        for _ in range(80):
            optimizer.zero_grad()
            F.cross_entropy(model(DATA), LABELS, reduction="sum").backward()
            optimizer.step()

    assert found(train) == expected


def test_a_summed_loss_is_harmless_under_an_adaptive_optimizer() -> None:
    def summed(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(out, y, reduction="sum")

    assert found(lambda: fit(Net(), loss_of=summed)) == set()

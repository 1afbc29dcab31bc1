"""Levers take hold of trainings of every make, reach nothing else, and let go without a trace."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import optimizer as optimizers
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from babysit.change import CannotApplyError, Change
from babysit.change import Levers as LeversProtocol
from babysit.instrument import losses
from babysit.instrument.levers.batches import Rows
from babysit.instrument.levers.levers import Levers
from babysit.launch import Stop

X = torch.randn(24, 4, generator=torch.Generator().manual_seed(1))
Y = (X[:, 0] > 0).long()


class Doing(Change):
    """Whatever a test wants to do with the levers."""

    def __init__(self, apply: Callable[[LeversProtocol], None]) -> None:
        object.__setattr__(self, "act", apply)

    def apply(self, levers: LeversProtocol) -> None:
        self.act(levers)  # type: ignore[attr-defined]  # set above

    def to_json(self) -> dict[str, Any]:
        return {"name": "doing", "number": id(self)}


@contextmanager
def attached(*changes: Change | Callable[..., Any], **options: Any) -> Iterator[Levers]:
    """Levers that hold some changes, or functions of them, in a training."""
    levers = Levers(**options)
    levers.attach([one if isinstance(one, Change) else Doing(one) for one in changes])
    try:
        yield levers
    finally:
        levers.detach()


def touched() -> list[Any]:
    """Everything that levers can lay hold of."""
    functions = [(F, name) for name in (*losses.FUNCTIONS, "softmax", "sigmoid")]
    owners = [
        *functions, (nn.Module, "__call__"), (DataLoader, "__iter__"),
        (torch.autograd, "backward"), (torch, "manual_seed"), (torch, "softmax"),
        (torch, "sigmoid"), (Tensor, "softmax"), (Tensor, "sigmoid"),
    ]  # fmt: skip
    hooks = (optimizers._global_optimizer_pre_hooks, optimizers._global_optimizer_post_hooks)
    return [vars(owner).get(name) for owner, name in owners] + [dict(one) for one in hooks]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))


def train(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    loss: Callable[..., Tensor] | None = None,
) -> dict[str, Tensor]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in batches:
        optimizer.zero_grad()
        (loss or F.cross_entropy)(model(x), y).backward()
        optimizer.step()
    return {key: value.clone() for key, value in model.state_dict().items()}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return all(torch.allclose(left[key], right[key], atol=1e-6) for key in left)


def parts(size: int = 8) -> list[tuple[Tensor, Tensor]]:
    return list(zip(X.split(size), Y.split(size), strict=True))


def double(levers: LeversProtocol) -> None:
    levers.on_inputs(lambda tensor: tensor * 2)


def flip(levers: LeversProtocol) -> None:
    levers.on_targets(lambda target: 1 - target)


def double_and_flip(levers: LeversProtocol) -> None:
    double(levers)
    flip(levers)


REFERENCE = train(net(), [(2 * x, 1 - y) for x, y in parts()])


def in_index_batches(model: nn.Module) -> None:
    train(model, ((X[i : i + 8], Y[i : i + 8]) for i in range(0, 24, 8)))


def from_a_loader(model: nn.Module) -> None:
    train(model, DataLoader(TensorDataset(X, Y), batch_size=8))


def by_a_loss_module(model: nn.Module) -> None:
    train(model, parts(), nn.CrossEntropyLoss())


def by_keywords(model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in parts():
        optimizer.zero_grad()
        F.cross_entropy(target=y, input=model(input=x)).backward()
        optimizer.step()


def by_accumulation(model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in parts():
        optimizer.zero_grad()
        for half, labels in zip(x.split(4), y.split(4), strict=True):
            (F.cross_entropy(model(half), labels) / 2).backward()
        optimizer.step()


def by_sums(model: nn.Module) -> None:
    train(model, parts(), lambda scores, y: F.cross_entropy(scores, y, reduction="sum") / 8)


def by_positional_arguments(model: nn.Module) -> None:
    train(model, parts(), lambda s, y: F.cross_entropy(s, y, None, None, -100, None, "none").mean())


def plain_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The cross entropy by other functions than a lever can reach."""
    for layer in model.children():
        x = layer.forward(x)
    return x.log_softmax(1).gather(1, y[:, None]).neg().mean()


def after_a_sanity_check(model: nn.Module) -> None:
    model(torch.zeros(1, 4))
    model(torch.zeros(8, 4))
    train(model, parts())


def compiled(model: nn.Module) -> None:
    train(torch.compile(model, backend="eager"), parts())  # type: ignore[arg-type]  # a Module


SCRIPTS = (
    in_index_batches, from_a_loader, by_a_loss_module, by_keywords, by_accumulation, by_sums,
    by_positional_arguments, after_a_sanity_check, compiled,
)  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.__name__)
def test_inputs_and_targets_are_turned_in_trainings(script: Callable[[nn.Module], None]) -> None:
    before, model = touched(), net()
    with attached(double_and_flip) as levers:
        script(model)
    assert not levers.refusals
    assert same(model.state_dict(), REFERENCE)
    assert touched() == before
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_evaluations_are_not_altered() -> None:
    model = net()

    def script() -> None:
        with torch.no_grad():
            assert F.cross_entropy(model(X), Y).item() == pytest.approx(expected())
        assert F.cross_entropy(model.eval()(X), Y).item() == pytest.approx(expected())

    def expected() -> float:
        with torch.no_grad():
            return plain_loss(model, X, Y).item()

    with attached(double_and_flip):
        for batch in parts():
            script()
            train(model.train(), [batch])
        script()
    assert same(model.state_dict(), REFERENCE)


def test_a_training_in_eval_mode_is_a_training_from_its_second_step_on() -> None:
    model = net().eval()
    with attached(double_and_flip):
        train(model, parts())
    first, *others = parts()
    assert same(model.state_dict(), train(net(), [first, *((2 * x, 1 - y) for x, y in others)]))


def test_a_teacher_called_between_student_and_loss_does_not_hide_the_training() -> None:
    model, teacher = net(), net().eval().requires_grad_(False)

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        teacher(X)
        with torch.no_grad():
            teacher(X)
        return F.cross_entropy(scores, y)

    with attached(flip):
        train(model, parts(), loss)
    assert same(model.state_dict(), train(net(), [(x, 1 - y) for x, y in parts()]))


class Labelled(nn.Module):
    """Takes a batch with its labels, as models of Hugging Face do."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = net()
        self.seen: list[Tensor] = []

    def forward(self, values: Tensor, attention_mask: Any = None, labels: Any = None) -> Tensor:
        self.seen = [values, attention_mask, labels]
        return F.cross_entropy(self.layers(values), labels)


@pytest.mark.parametrize("is_positional", [False, True], ids=["keywords", "positional"])
def test_labels_inside_a_batch_are_turned_once_and_masks_not_at_all(is_positional: bool) -> None:
    model = Labelled()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mask = torch.ones(8, 4)
    with attached(double_and_flip) as levers:
        for x, y in parts():
            optimizer.zero_grad()
            batch = {"values": x, "attention_mask": mask, "labels": y}
            (model(*batch.values()) if is_positional else model(**batch)).backward()
            optimizer.step()
    assert not levers.refusals
    assert model.seen[1] is mask
    assert same(model.layers.state_dict(), REFERENCE)


def test_a_mapping_given_whole_is_turned_part_by_part() -> None:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = net()

        def forward(self, batch: dict[str, Tensor]) -> Any:
            self.seen = batch
            return self.layers(batch["x"])

    model = Whole()
    batch = {"x": X, "mask": torch.ones(24, 4), "label": Y}
    with attached(double):
        model(batch)
    assert torch.equal(model.seen["x"], 2 * X)
    assert model.seen["mask"] is batch["mask"]
    assert model.seen["label"] is Y
    assert batch["x"] is X


def test_a_lone_argument_is_data_whatever_its_name() -> None:
    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = net()

        def forward(self, state: Tensor) -> Any:
            self.seen = state
            return self.layers(state)

    policy = Policy()
    with attached(double):
        policy(state=X)
    assert torch.equal(policy.seen, 2 * X)


def test_a_hidden_state_is_no_data() -> None:
    seen: list[Tensor] = []
    lstm = nn.LSTM(4, 3)
    with attached(lambda levers: levers.on_inputs(lambda one: seen.append(one) or one)):
        lstm(torch.zeros(6, 8, 4), (torch.zeros(1, 8, 3), torch.zeros(1, 8, 3)))
    assert [one.shape for one in seen] == [(6, 8, 4)]


def test_what_one_model_hands_to_another_is_no_data() -> None:
    seen: list[Tensor] = []
    encoder, decoder = nn.Linear(4, 3), nn.Linear(3, 2)
    with attached(lambda levers: levers.on_inputs(lambda one: seen.append(one) or one)):
        decoder(encoder(X))
    assert [one.shape for one in seen] == [X.shape]


def test_time_first_data_are_turned_with_the_examples_first() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.out = nn.LSTM(2, 3), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Any:
            return self.out(self.lstm(x)[0][-1])

    shapes: list[tuple[int, ...]] = []
    data = [(torch.randn(4, 8, 2), torch.arange(8) % 2), (torch.randn(4, 4, 2), Y[:4])]
    with attached(
        lambda levers: levers.on_inputs(lambda one: shapes.append(tuple(one.shape)) or one),
        flip,
    ):
        train(Last(), [data[0], *data])
    assert shapes == [(4, 8, 2), (8, 4, 2), (4, 4, 2)]  # at first it does not show


def test_flattened_targets_of_a_language_model_are_turned_by_sequence() -> None:
    shapes: list[tuple[int, ...]] = []
    tokens = torch.randint(0, 7, (3, 5), generator=torch.Generator().manual_seed(2))
    model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7))

    def reverse(levers: LeversProtocol) -> None:
        levers.on_targets(lambda target: shapes.append(tuple(target.shape)) or target.flip(0))

    def loss(scores: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(scores.reshape(-1, 7), target.reshape(-1))

    twin = copy.deepcopy(model)
    with attached(reverse):
        train(model, [(tokens, tokens)] * 2, loss)
    assert shapes == [(3, 5), (3, 5)]
    assert same(model.state_dict(), train(twin, [(tokens, tokens.flip(0))] * 2, loss))


def test_marks_follow_the_rows_that_time_is_flattened_into() -> None:
    rows, marks = Rows(), torch.tensor([True, False])
    rows.enter(torch.zeros(2, 3))
    rows.leave(torch.zeros(6))
    assert rows.spread(marks, 6).tolist() == [True] * 3 + [False] * 3
    rows.enter(torch.zeros(3, 2, 1))
    rows.leave(torch.zeros(2))
    assert rows.spread(marks, 6).tolist() == [True, False] * 3
    assert rows.spread(marks, 5) is None


def test_a_closure_is_turned_at_each_of_its_evaluations() -> None:
    def run(model: nn.Module, factor: float) -> dict[str, Tensor]:
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(factor * X), Y)
            loss.backward()
            return loss

        for _ in range(2):
            optimizer.step(closure)
        return model.state_dict()

    model = net()
    with attached(double) as levers:
        run(model, 1.0)
    assert levers.step == 2
    assert same(model.state_dict(), run(net(), 2.0))


def test_two_optimizers_are_met_once_each_and_step_each() -> None:
    met: list[Any] = []
    steps: list[str] = []

    def watch(levers: LeversProtocol) -> None:
        levers.on_optimizer(met.append)
        levers.before_step(lambda _: steps.append("before"))
        levers.after_step(lambda _: steps.append("after"))

    model = net()
    pair = [torch.optim.SGD(model[i].parameters(), lr=0.1) for i in (0, 2)]
    with attached(watch) as levers:
        for x, y in parts():
            F.cross_entropy(model(x), y).backward()
            for optimizer in pair:
                optimizer.step()
    assert met == pair
    assert steps == ["before", "after"] * 6
    assert levers.step == 6


def test_an_optimizer_inside_another_is_no_step_of_its_own() -> None:
    class Outer(torch.optim.SGD):
        def __init__(self, inner: torch.optim.Optimizer, fails: bool = False) -> None:
            super().__init__(inner.param_groups, lr=0.1)
            self.inner, self.fails = inner, fails

        def step(self, closure: Any = None) -> Any:
            self.inner.step()
            if self.fails:
                raise ValueError("no")
            return super().step()

    met: list[Any] = []
    ended: list[Any] = []
    inner = torch.optim.SGD(net().parameters(), lr=0.1)
    torch.optim.SGD(net().parameters(), lr=0.1).step()
    outer = Outer(inner)

    def watch(levers: LeversProtocol) -> None:
        levers.on_optimizer(met.append)
        levers.after_step(ended.append)

    with attached(watch) as levers:
        outer.step()
        assert levers.step == 1
        outer.fails = True
        with pytest.raises(ValueError, match="no"):
            outer.step()
        inner.step()
        assert levers.step == 2
        with pytest.raises(ValueError, match="no"):
            outer.step()
    assert met == [outer, inner]
    assert ended == [outer, outer, inner, outer]


@pytest.mark.parametrize("place", ["model", "loss"])
def test_an_exception_of_the_script_passes_and_leaves_the_levers_sound(place: str) -> None:
    model = net()
    with attached(double_and_flip):
        with pytest.raises((RuntimeError, ValueError)) as caught:
            if place == "model":
                model(torch.zeros(2, 3))
            else:
                F.cross_entropy(model(X), Y[:5])
        train(model, parts())
    assert "babysit" not in str(caught.value)
    assert same(model.state_dict(), REFERENCE)


def test_a_wrong_call_of_a_loss_fails_as_it_would_without_us() -> None:
    with pytest.raises(TypeError) as expected:
        F.mse_loss(X)  # type: ignore[call-arg]  # that is the point
    with attached(flip):
        with pytest.raises(TypeError) as found:
            F.mse_loss(X)  # type: ignore[call-arg]  # that is the point
    assert str(found.value) == str(expected.value)


def test_models_are_turned_in_every_thread_that_calls_them() -> None:
    class Meeting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)
            self.both = threading.Barrier(2, timeout=10)
            self.seen: list[Tensor] = []

        def forward(self, x: Tensor) -> Any:
            self.both.wait()  # both calls are open at once
            self.seen.append(x)
            return self.layer(x)

    model = Meeting()
    with attached(double):
        threads = [threading.Thread(target=model, args=(X,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [torch.equal(one, 2 * X) for one in model.seen] == [True, True]


def test_what_a_checkpoint_computes_anew_is_turned_but_once() -> None:
    model = net()

    def script(scale: float) -> dict[str, Tensor]:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scores = checkpoint(model, scale * X, use_reentrant=False)
        F.cross_entropy(scores, Y).backward()
        optimizer.step()
        return {key: value.clone() for key, value in model.state_dict().items()}

    with attached(double):
        found = script(1.0)
    model = net()
    assert same(found, script(2.0))


def test_a_model_compiled_with_its_loss_is_refused_and_trains_on() -> None:
    model = net()

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = model

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return F.cross_entropy(self.layers(x), y)

    both = torch.compile(Both(), backend="aot_eager", fullgraph=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with attached(flip) as levers:
        for x, y in parts():
            optimizer.zero_grad()
            both(x, y).backward()
            optimizer.step()
    assert same(model.state_dict(), train(net(), parts()))
    assert list(levers.refusals.values()) == [
        "no loss function of torch.nn.functional was called with targets"
    ]


def by_hand(scores: Tensor, y: Tensor) -> Tensor:
    return -scores.log_softmax(1)[torch.arange(len(y)), y].mean()


def test_a_loss_by_hand_is_reached_by_way_of_the_loader() -> None:
    model = net()
    loader = DataLoader(TensorDataset(X, Y), batch_size=8)
    with attached(double_and_flip, by_loader=True) as levers:
        train(model, loader, by_hand)
        with torch.no_grad():
            assert torch.equal(torch.cat([x for x, _ in loader]), X)
        model.eval()
        assert torch.equal(torch.cat([x for x, _ in loader]), X)
    assert not levers.refusals
    assert same(model.state_dict(), REFERENCE)


def test_a_loader_is_turned_in_every_epoch_though_evaluations_come_between() -> None:
    model = net()
    loader = DataLoader(TensorDataset(X, Y), batch_size=8)
    with attached(double_and_flip, by_loader=True):
        for _ in range(2):
            train(model.train(), loader, by_hand)
            model.eval()(X)
            model.train()
    assert same(model.state_dict(), train(net(), [(2 * x, 1 - y) for x, y in parts() * 2]))


def test_labels_of_a_loaders_mapping_are_targets_and_its_kind_stays() -> None:
    rows = [{"x": x, "labels": y} for x, y in zip(X, Y, strict=True)]
    with attached(double_and_flip, by_loader=True):
        batch = next(iter(DataLoader(rows, batch_size=24)))  # type: ignore[arg-type]  # a list
    assert torch.equal(batch["x"], 2 * X)
    assert torch.equal(batch["labels"], 1 - Y)


def test_a_loaders_lone_tensor_is_the_input() -> None:
    with attached(double, by_loader=True):
        (x,) = next(iter(DataLoader(TensorDataset(X), batch_size=24)))
    assert torch.equal(x, 2 * X)


def test_a_loader_that_evaluates_is_not_met() -> None:
    met: list[Any] = []
    model = net()
    training, evaluating = (DataLoader(TensorDataset(X, Y), batch_size=8) for _ in range(2))
    with attached(lambda levers: levers.on_loader(met.append)):
        for _ in range(2):
            train(model.train(), training)
            for x, _y in evaluating if model.eval() else ():
                model(x)
    assert met == [training]


def test_the_loss_before_backward_is_turned_in_backward_alone() -> None:
    model = net()
    with attached(lambda levers: levers.on_backward(lambda loss: 3 * loss)):
        loss = F.cross_entropy(model(X), Y)
        value = loss.item()
        loss.backward()
    scaled = [one.grad.clone() for one in model.parameters() if one.grad is not None]
    model.zero_grad()
    F.cross_entropy(model(X), Y).backward()
    assert loss.item() == value
    assert all(
        torch.allclose(one, 3 * two.grad)
        for one, two in zip(scaled, model.parameters(), strict=True)
        if two.grad is not None
    )


def test_evaluations_are_told_before_the_next_step() -> None:
    told: list[float] = []
    model = net()
    with attached(lambda levers: levers.on_evaluation(told.append)):
        for batch in parts():
            with torch.no_grad():
                expected = F.cross_entropy(model(X), Y).item()
            train(model, [batch])
            assert told[-1] == pytest.approx(expected)
    assert len(told) == 3


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ("before_step", "no optimizer stepped"),
        ("on_model", "no module was called"),
        ("on_loader", "no DataLoader was iterated for training"),
        ("on_backward", "no backward was seen"),
        ("on_inputs", "no data were seen on their way into a module"),
        ("on_targets", "no loss function of torch.nn.functional was called with targets"),
        ("on_loss", "no loss function of torch.nn.functional was called"),
        ("on_evaluation", "no evaluation was seen"),
    ],
)
def test_what_never_came_is_said(point: str, says: str) -> None:
    with attached(lambda levers: getattr(levers, point)(lambda _: None)) as levers:
        pass
    assert list(levers.refusals.values()) == [says]


def test_what_never_came_from_a_loader_is_said() -> None:
    with attached(double, flip, by_loader=True) as levers:
        net()(X)
    assert list(levers.refusals.values()) == [
        "no DataLoader was iterated for training",
        "no targets were seen in the batches of a DataLoader",
    ]


def test_a_change_that_cannot_apply_leaves_the_training_and_the_others_alone() -> None:
    def unable(levers: LeversProtocol) -> None:
        def turn(_: Any) -> Any:
            raise CannotApplyError("it is raining")

        levers.on_inputs(turn)
        levers.on_loss(turn)

    model = net()
    with attached(unable, double_and_flip) as levers:
        train(model, parts())
    assert list(levers.refusals.values()) == ["it is raining"]
    assert same(model.state_dict(), REFERENCE)


def test_a_change_that_fails_to_apply_leaves_no_trace() -> None:
    def fails(levers: LeversProtocol) -> None:
        levers.replace(nn.Module, "training", False)
        raise ValueError("no")

    before, levers = touched(), Levers()
    with pytest.raises(ValueError, match="no"):
        levers.attach([Doing(double), Doing(fails)])
    assert touched() == before
    assert nn.Linear(1, 1).training


def test_replaced_attributes_come_back_also_where_there_was_none() -> None:
    class Owner:
        inherited = 1

    owner = Owner()
    owner.none = None  # type: ignore[attr-defined]  # its own

    def replace(levers: LeversProtocol) -> None:
        for name in ("none", "inherited", "new"):
            levers.replace(owner, name, 5)
            levers.replace(owner, name, 6)

    with attached(replace):
        assert vars(owner) == {"none": 6, "inherited": 6, "new": 6}
    assert vars(owner) == {"none": None}


def test_a_patch_that_others_wrapped_is_inert_in_the_end() -> None:
    model, original = net(), nn.Module.__call__
    levers = Levers()
    levers.attach([Doing(double)])
    ours = nn.Module.__call__
    try:
        nn.Module.__call__ = lambda *args, **kwargs: ours(*args, **kwargs)  # type: ignore[method-assign]  # as other tools do
        levers.detach()
        assert torch.equal(model(X), model.forward(X))
        assert torch.equal(model(X), nn.Sequential(*model.children()).forward(X))
    finally:
        nn.Module.__call__ = original  # type: ignore[method-assign]  # put back


def test_the_training_ends_at_the_end_of_the_step_in_which_a_change_wants_it() -> None:
    model = net()
    with attached(lambda levers: levers.before_step(lambda _: levers.stop())) as levers:
        with pytest.raises(Stop):
            train(model, parts())
    assert levers.step == 1
    assert same(model.state_dict(), train(net(), parts()[:1]))


def test_the_loaded_seeds_of_a_training_are_turned_from_its_first_module_on() -> None:
    def draw() -> tuple[float, float, float]:
        torch.manual_seed(3)
        data = torch.rand(()).item()
        weight = nn.Linear(1, 1).weight.item()
        torch.manual_seed(4)
        return data, weight, torch.rand(()).item()

    plain, before = draw(), vars(nn.Module)["__init__"]
    with attached(lambda levers: levers.on_seed(lambda number: number + 1)):
        found = draw()
    torch.manual_seed(4)
    weight = nn.Linear(1, 1).weight.item()
    torch.manual_seed(5)
    assert found == (plain[0], weight, torch.rand(()).item())
    assert draw() == plain
    assert vars(nn.Module)["__init__"] is before


def test_levers_draw_no_random_numbers() -> None:
    model = net()
    state = torch.get_rng_state()
    with attached(double_and_flip, lambda levers: levers.on_loss(lambda _: None)):
        train(model, parts())
    assert torch.equal(torch.get_rng_state(), state)

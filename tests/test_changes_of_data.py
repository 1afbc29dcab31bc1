"""Changes of data and losses do what they say, say where they cannot, and leave no trace."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, TensorDataset
from torch.utils.data import SubsetRandomSampler as Subset

from babysit.change import Change
from babysit.changes import data
from babysit.changes.data import (
    BlankInputs,
    HoldOut,
    KeepExamples,
    KeepOneBatch,
    NormaliseInputs,
    NormaliseTargets,
    SetBatchSize,
    Shuffle,
    ShuffleLabels,
)
from babysit.changes.losses import DropSoftmax, ReplaceLoss, ScaleLoss
from babysit.errors import BabysitError
from tests.test_levers import X, Y, attached, by_hand, net, parts, same, touched, train

EVERY: list[Change] = [
    SetBatchSize(size=4), Shuffle(), KeepExamples(size=5), KeepOneBatch(), BlankInputs(),
    ShuffleLabels(), NormaliseInputs(), NormaliseTargets(), HoldOut(), ReplaceLoss(new="mse_loss"),
    ScaleLoss(factor=2.0), DropSoftmax(),
]  # fmt: skip


def loader(size: int = 8, **options: Any) -> DataLoader[Any]:
    return DataLoader(TensorDataset(X, Y), batch_size=size, **options)


def reason(change: Change, script: Callable[[], Any], **options: Any) -> str:
    """Why a change does not apply to a training."""
    with attached(change, **options) as levers:
        script()
    return levers.refusals.get(str(change), "")


def cross_entropy(scores: Tensor, y: Tensor) -> Tensor:
    """The loss as a script calls it, at whatever time."""
    return F.cross_entropy(scores, y)


def mse_loss(scores: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(scores, y)


def rows_seen(script: Callable[[nn.Module], Any], *changes: Change, **options: Any) -> list[Any]:
    """What enters the model, batch by batch, as numbers of examples, under some changes."""
    model = Recording()
    with attached(*changes, **options):
        script(model)
    return model.seen


class Recording(nn.Module):
    """A model that remembers which examples it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = net()
        self.seen: list[list[int]] = []

    def forward(self, x: Tensor) -> Any:
        self.seen.append(numbers(x))
        return self.layers(x)


def numbers(x: Tensor) -> list[int]:
    """Which examples of X these are."""
    return [int((row == X).all(dim=1).nonzero()[0, 0]) for row in x]


# -- all -----------------------------------------------------------------------------------


@pytest.mark.parametrize("change", EVERY, ids=str)
@pytest.mark.parametrize("by_loader", [False, True])
def test_a_change_removed_leaves_no_trace(change: Change, by_loader: bool) -> None:
    batches, model, before = loader(), net(), touched()
    attributes = {**vars(batches)}, {**vars(batches.batch_sampler)}  # type: ignore[call-overload]
    with attached(change, by_loader=by_loader):
        train(model, batches, lambda scores, y: F.cross_entropy(scores.softmax(1), y))
    assert touched() == before
    assert ({**vars(batches)}, {**vars(batches.batch_sampler)}) == attributes  # type: ignore[call-overload]
    assert same(train(net(), loader()), train(net(), parts()))


@pytest.mark.parametrize("change", EVERY, ids=str)
def test_a_change_draws_no_random_numbers(change: Change) -> None:
    def after() -> Tensor:
        model, batches = net(), loader()
        train(model, batches, lambda scores, y: F.cross_entropy(scores.softmax(1), y))
        train(model, parts())
        return torch.get_rng_state()

    expected = after()
    if not isinstance(change, SetBatchSize):
        with attached(change):
            assert torch.equal(after(), expected)


@pytest.mark.parametrize("change", EVERY, ids=str)
def test_a_change_does_not_crash_a_script_of_any_shape(change: Change) -> None:
    model, batches = net(), parts(7)  # the last is smaller
    with attached(change):
        train(model, batches)
        train(model, parts(1)[:3])
        train(model, batches, by_hand)
        train(model, batches, lambda s, y: F.cross_entropy(s, y, label_smoothing=0.1))
        train(model, batches, lambda s, y: F.cross_entropy(s, y, torch.tensor([1.0, 2.0])))
        train(model, batches, lambda s, y: F.cross_entropy(s, y, reduction="none").mean())
        train(model, batches, lambda s, y: F.cross_entropy(s, y, reduction="sum"))
        train(model, batches, lambda s, y: F.mse_loss(s[:, 0], y.float()))
        train(model, [(X, Y)] * 3)
    assert all(one.isfinite().all() for one in model.parameters())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SetBatchSize(size=0), "set-batch-size: size is 0; it takes a number of"),
        (lambda: KeepExamples(size=1.5), "keep-examples: size is 1.5; it takes a number of"),  # type: ignore[arg-type]
        (lambda: HoldOut(share=1), "hold-out: share is 1; it takes a share from 0 to 0.9."),
        (lambda: HoldOut(share="x"), "hold-out: share is 'x'; it takes a share from 0"),  # type: ignore[arg-type]
        (lambda: HoldOut(share=math.nan), "hold-out: share is nan; it takes a share from 0"),
        (lambda: HoldOut(fold=4), "hold-out: fold is 4; it takes a whole number from 0"),
        (lambda: HoldOut(fold="x"), "hold-out: fold is 'x'; it takes a whole number"),  # type: ignore[arg-type]
        (lambda: HoldOut(fold=-1), "hold-out: fold is -1; it takes a whole number"),
        (lambda: ReplaceLoss(new="x"), "replace-loss: new is 'x'; it takes one of mse_loss,"),
        (lambda: ScaleLoss(factor=0), "scale-loss: factor is 0; it takes a number above 0."),
    ],
)
def test_a_parameter_without_sense_is_told_in_a_sentence(
    make: Callable[[], Change], says: str
) -> None:
    with pytest.raises(BabysitError) as caught:
        make()
    assert str(caught.value).startswith(says)


# -- the loader's order and size -----------------------------------------------------------


def test_set_batch_size_makes_batches_of_that_size() -> None:
    seen = rows_seen(lambda model: train(model, loader()), SetBatchSize(size=10))
    assert [len(one) for one in seen] == [10, 10, 4]


def test_shuffle_draws_each_example_once_in_another_order_each_epoch() -> None:
    def script(model: nn.Module) -> None:
        batches = loader()
        train(model, batches)
        train(model, batches)

    seen = list(itertools.chain(*rows_seen(script, Shuffle())))
    assert sorted(seen[:24]) == sorted(seen[24:]) == list(range(24))
    assert seen[:24] != seen[24:]
    assert seen[:24] != list(range(24))


def test_shuffle_draws_only_what_the_scripts_sampler_draws() -> None:
    seen = rows_seen(lambda model: train(model, loader(sampler=range(9, 20))), Shuffle())
    assert sorted(itertools.chain(*seen)) == list(range(9, 20))


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return zip(X, Y, strict=True)


class OwnBatches(BatchSampler):
    pass


OWN = OwnBatches(range(24), 8, False)


@pytest.mark.parametrize(
    ("change", "batches", "says"),
    [
        (SetBatchSize(size=4), DataLoader(TensorDataset(X, Y), batch_sampler=OWN),
         "the DataLoader's batches are not of one fixed size"),
        (SetBatchSize(size=4), DataLoader([(x[None], y[None]) for x, y in zip(X, Y, strict=True)],  # type: ignore[arg-type]
                                          batch_size=None),
         "the DataLoader's batches are not of one fixed size"),
        (SetBatchSize(size=25), loader(drop_last=True),
         "the DataLoader drops small batches and draws only 24 examples"),
        (Shuffle(), DataLoader(Stream(), batch_size=8), "the data set itself decides about"),
        (Shuffle(), DataLoader(TensorDataset(X, Y), batch_sampler=[[0, 1], [2, 3]]),
         "the DataLoader's batches are made by a sampler of its own"),
        (Shuffle(), loader(shuffle=True), "the DataLoader draws in random order already"),
        (Shuffle(), loader(sampler=Subset(range(9))), "the DataLoader draws in random order"),
        (Shuffle(), parts(), "no DataLoader was iterated for training"),
        (SetBatchSize(size=4), parts(), "no DataLoader was iterated for training"),
    ],
)  # fmt: skip
def test_what_the_loader_cannot_do_is_told(change: Change, batches: Any, says: str) -> None:
    assert reason(change, lambda: train(net(), batches)).startswith(says)


def test_an_iterable_data_set_can_have_another_batch_size() -> None:
    batches = DataLoader(Stream(), batch_size=8, drop_last=True)
    seen = rows_seen(lambda model: train(model, batches), SetBatchSize(size=10))
    assert [len(one) for one in seen] == [10, 10]


# -- which examples ------------------------------------------------------------------------


def test_one_batch_is_kept_after_the_first_with_its_targets() -> None:
    model = net()
    with attached(KeepOneBatch()) as levers:
        train(model, parts() * 2)
    first, second, _ = parts()
    assert not levers.refusals
    assert same(model.state_dict(), train(net(), [first] + [second] * 5))


def test_examples_are_kept_over_several_batches_and_dealt_in_turn() -> None:
    seen = rows_seen(lambda model: train(model, parts(4)), KeepExamples(size=6))
    assert seen[:2] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert seen[2:] == [[4, 5, 6, 7], [8, 9, 4, 5], [6, 7, 8, 9], [4, 5, 6, 7]]


@pytest.mark.parametrize("size", [1, 3, 6, 24, 100])
def test_kept_examples_keep_their_labels(size: int) -> None:
    model = Recording()
    seen_by_loss: list[list[int]] = []

    def watch(levers: Any) -> None:
        levers.on_loss(lambda call: seen_by_loss.append(call.target.tolist()))

    with attached(KeepExamples(size=size), watch):
        for _ in range(2):
            train(model, parts(7))
    assert seen_by_loss == [Y[one].tolist() for one in model.seen]
    assert [len(one) for one in model.seen] == [7, 7, 7, 3] * 2


def test_a_sanity_check_of_the_model_is_not_kept() -> None:
    def script(model: nn.Module) -> None:
        model(X[20:])
        model(X[16:])
        train(model, parts())

    seen = rows_seen(script, KeepOneBatch())
    assert seen[2:] == [list(range(8)), list(range(8, 16)), list(range(8, 16))]


def test_several_inputs_masks_and_targets_are_kept_together() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = net()
            self.seen: list[list[list[int]]] = []

        def forward(self, left: Tensor, right: Tensor, mask: Tensor, table: Tensor) -> Any:
            self.seen.append([numbers(left), numbers(right), mask.int().tolist(), table.tolist()])
            return self.layers(left - right), self.layers(right)

    model, targets = Two(), []  # type: tuple[Two, list[list[int]]]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    table = torch.arange(3)
    with attached(KeepExamples(size=2), lambda levers: levers.on_loss(
        lambda call: targets.append(call.target.tolist()))):  # fmt: skip
        for x, y in parts(4):
            optimizer.zero_grad()
            mask = y.bool()
            one, two = model(x, x.flip(0), mask=mask, table=table)
            (F.cross_entropy(one, y) + F.cross_entropy(two, y.flip(0))).backward()
            optimizer.step()
    for index, (left, right, mask, given) in enumerate(model.seen[1:], start=1):
        assert left == [4, 5, 4, 5]
        assert right == [7, 6, 7, 6]
        assert mask == Y[left].tolist() == targets[2 * index]
        assert targets[2 * index + 1] == Y[right].tolist()
        assert given == [0, 1, 2]


def test_micro_batches_of_one_step_fill_the_same_store() -> None:
    model = Recording()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with attached(KeepOneBatch()):
        for x, y in parts():
            for half, labels in zip(x.split(4), y.split(4), strict=True):
                F.cross_entropy(model(half), labels).backward()
            optimizer.step()
    assert model.seen == [[0, 1, 2, 3], [4, 5, 6, 7]] + [[8, 9, 10, 11]] * 4


def test_a_loader_is_asked_for_its_kept_examples_from_the_first_batch_on() -> None:
    def script(model: nn.Module) -> None:
        fetched = list(loader())
        train(model, fetched, by_hand)

    seen = rows_seen(script, KeepOneBatch(), by_loader=True)
    assert seen == [list(range(8))] * 3


def test_examples_of_differing_shape_cannot_be_kept_together() -> None:
    model = nn.LSTM(2, 2, batch_first=True)
    batches = [(torch.randn(2, length, 2), torch.randn(2, 2)) for length in (3, 3, 4)]
    says = reason(
        KeepExamples(size=4),
        lambda: train(model, batches, lambda out, y: F.mse_loss(out[0][:, -1], y)),
    )
    assert says == "the examples of different batches differ in shape"


def test_nothing_is_kept_where_no_loss_function_shows_the_targets() -> None:
    says = reason(KeepOneBatch(), lambda: train(net(), parts(), by_hand))
    assert says.startswith("no loss function of torch.nn.functional was called with targets")


# -- inputs and targets --------------------------------------------------------------------


def test_blank_inputs_are_zero_in_training_only() -> None:
    model = net()
    with attached(BlankInputs()):
        train(model, parts())
        with torch.no_grad():
            assert torch.equal(model(X), model.forward(X))
    assert same(model.state_dict(), train(net(), [(0 * x, y) for x, y in parts()]))


def test_shuffled_labels_are_the_batchs_own_in_another_order_each_step() -> None:
    seen: list[list[int]] = []
    y = torch.arange(8)
    model = nn.Linear(4, 8)
    with attached(ShuffleLabels(), lambda levers: levers.on_loss(
        lambda call: seen.append(call.target.tolist()))):  # fmt: skip
        train(model, [(X[:8], y)] * 3)
    assert all(sorted(one) == y.tolist() for one in seen)
    assert len({tuple(one) for one in [*seen, y.tolist()]}) == 4


def test_the_label_of_a_batch_of_one_comes_from_earlier_batches() -> None:
    seen: list[int] = []
    batches = [(X[i : i + 1], torch.tensor([i])) for i in range(12)]
    with attached(ShuffleLabels(), lambda levers: levers.on_loss(
        lambda call: seen.append(call.target.item()))):  # fmt: skip
        train(nn.Linear(4, 12), batches)
    assert all(label <= place for place, label in enumerate(seen))
    assert seen != list(range(12))


def test_inputs_are_normalised_as_the_first_batch_in_evaluations_too() -> None:
    scaled = X * torch.tensor([1.0, 10.0, 100.0, 0.0]) + 5
    mean, deviation = scaled[:8].mean(0), scaled[:8].std(0, correction=0)
    deviation[3] = 1
    wanted = (scaled - mean) / deviation
    model = net()
    with attached(NormaliseInputs()):
        model(torch.zeros(8, 4))
        train(model, zip(scaled.split(8), Y.split(8), strict=True))
        with torch.no_grad():
            found = model(scaled)
    assert same(model.state_dict(), train(net(), zip(wanted.split(8), Y.split(8), strict=True)))
    assert torch.allclose(found, model(wanted), atol=1e-4)


@pytest.mark.parametrize("shape", [(6, 3, 5), (6, 5, 3)], ids=["channels", "time"])
def test_of_three_dimensions_the_one_along_which_values_differ_is_normalised(shape: Any) -> None:
    dim = shape.index(3)
    place = [1, 1, 1]
    place[dim] = 3
    scale = torch.tensor([1.0, 100.0, -1000.0]).reshape(place)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * scale + scale
    mean, deviation = data.moments(x)
    turned = (x - mean) / deviation
    others = [one for one in range(3) if one != dim]
    assert mean.shape[dim] == 3
    assert torch.allclose(turned.mean(others), torch.zeros(3), atol=1e-5)
    assert torch.allclose(turned.std(others, correction=0), torch.ones(3), atol=1e-5)


def test_channels_of_images_are_normalised_even_of_one_image() -> None:
    mean, deviation = data.moments(torch.randn(1, 3, 4, 4))
    assert mean.shape == deviation.shape == (1, 3, 1, 1)


@pytest.mark.parametrize(
    ("model", "x", "says"),
    [
        (nn.Sequential(nn.Embedding(5, 2), nn.Flatten()), torch.zeros(4, 1, dtype=torch.long),
         "the inputs are no quantities but whole numbers"),
        (nn.Linear(4, 2), X[:1], "one example does not show how much inputs deviate"),
    ],
)  # fmt: skip
def test_inputs_that_cannot_be_normalised_are_told(model: nn.Module, x: Tensor, says: str) -> None:
    y = torch.zeros(len(x), dtype=torch.long)
    assert reason(NormaliseInputs(), lambda: train(model, [(x, y)])) == says


@pytest.mark.parametrize("columns", [1, 2])
def test_targets_are_normalised_and_evaluations_stay_in_their_units(columns: int) -> None:
    y = 100 * X[:, :columns] + torch.tensor([500.0, 7.0])[:columns]
    mean, deviation = y[:8].mean(0), y[:8].std(0, correction=0)
    model, twin = (nn.Linear(4, columns) for _ in range(2))
    twin.load_state_dict(model.state_dict())
    with attached(NormaliseTargets()) as levers:
        train(model, zip(X.split(8), y.split(8), strict=True), F.mse_loss)
        with torch.no_grad():
            evaluated = F.mse_loss(model(X), y)
    assert not levers.refusals
    wanted = (y - mean) / deviation
    train(twin, zip(X.split(8), wanted.split(8), strict=True), F.mse_loss)
    assert same(model.state_dict(), twin.state_dict())
    expected = (twin(X) * deviation + mean - y).square().mean()
    assert evaluated.item() == pytest.approx(expected.item(), rel=1e-4)


def test_targets_of_one_dimension_are_normalised() -> None:
    y = 100 * X[:, 0] + 500
    model = nn.Linear(4, 1)
    twin = copy.deepcopy(model)

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        return F.l1_loss(scores.squeeze(1), y)

    with attached(NormaliseTargets()):
        train(model, [(X, y)] * 2, loss)
    assert same(
        model.state_dict(), train(twin, [(X, (y - y.mean()) / y.std(correction=0))] * 2, loss)
    )


@pytest.mark.parametrize(
    ("batches", "loss", "says"),
    [
        (parts(), cross_entropy, "the targets of cross_entropy are no quantities"),
        ([(X, torch.ones(24, 2))], mse_loss, "the targets of the first batch are all alike"),
        ([(X[:1], torch.ones(1, 2))], mse_loss, "the targets of the first batch are all alike"),
    ],
)
def test_targets_that_cannot_be_normalised_are_told(batches: Any, loss: Any, says: str) -> None:
    assert reason(NormaliseTargets(), lambda: train(net(), batches, loss)) == says


# -- held out ------------------------------------------------------------------------------


def held(share: float = 0.25, fold: int = 0) -> Tensor:
    place = data.places(X)
    return (place >= fold * share) & (place < (fold + 1) * share)


def left_out(batches: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """The batches without the held-out examples."""
    marked = [(x, y, held()[numbers(x)]) for x, y in batches]
    return [(x[~marks], y[~marks]) for x, y, marks in marked]


HELD_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "plain": cross_entropy,
    "module": nn.CrossEntropyLoss(),
    "weighted": lambda s, y: F.cross_entropy(s, y, torch.tensor([1.0, 3.0])),
    "smoothed": lambda s, y: F.cross_entropy(s, y, label_smoothing=0.2),
    "pairs": lambda s, y: F.mse_loss(s, F.one_hot(y, 2).float()),
    "none": lambda s, y: F.cross_entropy(s, y, reduction="none").mean(),
    "keywords": lambda s, y: F.cross_entropy(target=y, input=s),
    "log": lambda s, y: F.nll_loss(s.log_softmax(1), y),
    "binary": lambda s, y: F.binary_cross_entropy_with_logits(
        s[:, 0], y.float(), pos_weight=torch.tensor(3.0)
    ),
}


@pytest.mark.parametrize("loss", HELD_LOSSES.values(), ids=HELD_LOSSES)
def test_held_out_examples_do_not_influence_the_weights(loss: Any) -> None:
    model, batches = net(), parts() + [(x.flip(0), y.flip(0)) for x, y in parts(12)]
    with attached(HoldOut()) as levers:
        train(model, batches, loss)
    assert not levers.refusals
    assert 0 < held().sum() < 24
    assert same(model.state_dict(), train(net(), left_out(batches), loss))


def test_a_sum_without_held_out_examples_is_on_the_scale_of_the_whole_batchs() -> None:
    def scaled(scores: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(scores, y, reduction="mean") * 24

    model = net()
    with attached(HoldOut()):
        train(model, [(X, Y)] * 2, lambda s, y: F.cross_entropy(s, y, reduction="sum"))
    assert same(model.state_dict(), train(net(), left_out([(X, Y)] * 2), scaled))


def test_weights_of_single_examples_are_left_out_with_them() -> None:
    weights = torch.rand(24, generator=torch.Generator().manual_seed(3))

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        chosen = weights if len(y) == 24 else weights[~held()]
        return F.binary_cross_entropy_with_logits(scores[:, 0], y.float(), chosen)

    model = net()
    with attached(HoldOut()):
        train(model, [(X, Y)] * 2, loss)
    assert same(model.state_dict(), train(net(), left_out([(X, Y)] * 2), loss))


def test_a_sanity_check_before_the_training_does_not_change_what_is_held_out() -> None:
    model = net()
    with attached(HoldOut()):
        model(torch.zeros(3, 4))
        model(X.flip(0)[:8])
        train(model, parts())
    assert same(model.state_dict(), train(net(), left_out(parts())))


def test_accumulated_batches_and_closures_leave_out_as_well() -> None:
    def accumulate(model: nn.Module, batches: list[tuple[Tensor, Tensor]]) -> Any:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in batches:
            F.cross_entropy(model(x), y).backward()
        optimizer.step()
        closing = torch.optim.LBFGS(model.parameters(), max_iter=3)

        def closure() -> Tensor:
            closing.zero_grad()
            loss = F.cross_entropy(model(batches[0][0]), batches[0][1])
            loss.backward()
            return loss

        closing.step(closure)  # type: ignore[arg-type]  # torch wants a float
        return model.state_dict()

    model = net()
    with attached(HoldOut()):
        accumulate(model, parts())
    assert same(model.state_dict(), accumulate(net(), left_out(parts())))


def test_a_batch_wholly_held_out_moves_nothing() -> None:
    model = net()
    with attached(HoldOut()):
        train(model, parts(1))
    assert same(
        model.state_dict(), train(net(), [one for one in left_out(parts(1)) if len(one[0])])
    )


def test_marks_are_the_same_in_any_order_and_batch() -> None:
    order = torch.randperm(24, generator=torch.Generator().manual_seed(7))
    assert torch.equal(data.places(X)[order], data.places(X[order]))
    assert torch.equal(torch.cat([data.places(one) for one in X.split(5)]), data.places(X))


@pytest.mark.parametrize(
    "inputs",
    [
        torch.randn(4000, 3), 1e-7 * torch.randn(4000, 3), 1e7 * torch.randn(4000, 1),
        torch.randn(4000, 2, dtype=torch.double), torch.arange(4000)[:, None], torch.arange(4000.0),
        torch.randn(4000, 2, 2, dtype=torch.bfloat16), torch.randint(0, 256, (4000, 9)).byte(),
        torch.randn(4000, 2, dtype=torch.complex64),
    ],
    ids=lambda one: f"{one.dtype}-{one.dim()}",
)  # fmt: skip
def test_examples_are_marked_evenly_whatever_they_are(inputs: Tensor) -> None:
    counts = torch.histc(data.places(inputs), bins=4, min=0, max=1)
    assert counts.sum() == 4000
    assert (counts - 1000).abs().max() < 130  # four deviations and a half of a fair draw


def test_padding_and_the_sign_of_zero_do_not_change_a_mark() -> None:
    tokens = torch.randint(1, 9, (6, 5))
    assert torch.equal(data.places(tokens), data.places(F.pad(tokens, (0, 3))))
    assert torch.equal(data.places(torch.zeros(2, 3)), data.places(-torch.zeros(2, 3)))


def test_folds_share_the_examples_out_between_them() -> None:
    every = torch.stack([held(0.25, fold) for fold in range(4)])
    assert every.sum(dim=0).tolist() == [1] * 24


def noted(levers: Any, name: str) -> list[float]:
    return [value for _, key, value in levers.notes if key == name]


def test_losses_and_accuracies_of_both_parts_are_noted_at_each_step() -> None:
    model, twin, marks = net(), net(), held()
    with attached(HoldOut()) as levers:
        train(model, [(X, Y)] * 3)
    scores = [twin(X)]
    for _ in range(2):
        train(twin, left_out([(X, Y)]))
        scores.append(twin(X))
    for name, rows in (("training", ~marks), ("held-out", marks)):
        losses = [F.cross_entropy(one[rows], Y[rows]).item() for one in scores]
        right = [(one.argmax(1) == Y)[rows].float().mean().item() for one in scores]
        assert noted(levers, f"{name}-loss") == pytest.approx(losses, abs=1e-5)
        assert noted(levers, f"{name}-accuracy") == pytest.approx(right)
    assert [step for step, name, _ in levers.notes if name == "held-out-loss"] == [0, 1, 2]


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_what_is_noted_is_per_example_under_any_reduction(reduction: str) -> None:
    def loss(scores: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(scores, y, reduction=reduction).sum()

    marks, model = held(), net()
    with attached(HoldOut()) as levers:
        train(model, [(X, Y)], loss)
    expected = F.cross_entropy(net()(X)[marks], Y[marks]).item()
    assert noted(levers, "held-out-loss") == pytest.approx([expected])


def test_nothing_held_out_only_notes() -> None:
    model = net()
    with attached(HoldOut(share=0)) as levers:
        train(model, parts())
    assert same(model.state_dict(), train(net(), parts()))
    assert len(noted(levers, "training-loss")) == 3
    assert not noted(levers, "held-out-loss")


@pytest.mark.parametrize("changes", [
    (HoldOut(), ShuffleLabels()), (ShuffleLabels(), HoldOut()), (BlankInputs(), HoldOut()),
])  # fmt: skip
def test_the_held_out_loss_is_one_of_the_true_labels(changes: tuple[Change, ...]) -> None:
    marks, model = held(), net()
    with attached(*changes) as levers:
        train(model, [(X, Y)])
    inputs = 0 * X if BlankInputs() in changes else X
    expected = F.cross_entropy(net()(inputs)[marks], Y[marks]).item()
    assert noted(levers, "held-out-loss") == pytest.approx([expected])


def test_among_kept_examples_the_kept_are_held_out_and_their_labels_true() -> None:
    model, twin, marks = net(), net(), held()[8:16]
    batch = (X[8:16], Y[8:16])
    with attached(HoldOut(), KeepOneBatch()) as levers:
        train(model, parts())
    train(twin, left_out([parts()[0], batch]))
    expected = F.cross_entropy(twin(batch[0])[marks], batch[1][marks]).item()
    assert noted(levers, "held-out-loss")[-1] == pytest.approx(expected, abs=1e-5)
    assert same(model.state_dict(), train(twin, left_out([batch])))


def test_ignored_labels_count_in_no_accuracy() -> None:
    y = Y.clone()
    y[::2] = -100
    model = net()
    with attached(HoldOut(share=0)) as levers:
        train(model, [(X, y)])
    right = (net()(X).argmax(1) == Y)[1::2].float().mean().item()
    assert noted(levers, "training-accuracy") == pytest.approx([right])


def test_whole_sequences_of_a_language_model_are_held_out() -> None:
    tokens = torch.randint(0, 7, (12, 5), generator=torch.Generator().manual_seed(2))
    model = nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 7))
    twin, place = copy.deepcopy(model), data.places(tokens)
    kept = tokens[place >= 0.25]
    assert 0 < len(kept) < 12

    def loss(scores: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(scores.reshape(-1, 7), target.reshape(-1))

    with attached(HoldOut()):
        train(model, [(tokens, tokens)] * 2, loss)
    assert same(model.state_dict(), train(twin, [(kept, kept)] * 2, loss))


def test_sequences_with_time_first_are_held_out_from_the_first_step_on() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.lstm, self.out = nn.LSTM(2, 3), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Any:
            return self.out(self.lstm(x)[0][-1])

    x = torch.randn(4, 24, 2, generator=torch.Generator().manual_seed(5))
    kept = data.places(x.transpose(0, 1)) >= 0.25
    assert 0 < kept.sum() < 24
    model = Last()
    with attached(HoldOut()):
        train(model, [(x, Y)] * 2)
    assert same(model.state_dict(), train(Last(), [(x[:, kept], Y[kept])] * 2))


def test_examples_are_held_out_by_what_enters_a_model_that_a_loader_feeds() -> None:
    model = net()
    with attached(HoldOut(), ShuffleLabels(), by_loader=True) as levers:
        train(model, list(loader(24)))
    expected = F.cross_entropy(net()(X)[held()], Y[held()]).item()
    assert not levers.refusals
    assert noted(levers, "held-out-loss") == pytest.approx([expected])


def test_losses_that_show_no_examples_hold_out_none() -> None:
    weight = nn.Parameter(torch.ones(3))

    def script() -> None:
        F.mse_loss(weight, torch.zeros(3)).backward()
        torch.optim.SGD([weight], lr=0.1).step()

    says = "it does not show which examples the losses belong to"
    assert reason(HoldOut(), script) == says
    by = "no loss function of torch.nn.functional was called"
    assert reason(HoldOut(), lambda: train(net(), parts(), by_hand)) == by


def test_further_terms_of_the_loss_are_left_as_they_are() -> None:
    model = net()

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        weight = next(model.parameters()).reshape(-1)
        return F.cross_entropy(scores, y) + F.mse_loss(weight, torch.zeros(20))

    def twins(scores: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(scores, y) + next(twin.parameters()).square().mean()

    with attached(HoldOut()) as levers:
        train(model, parts(), loss)
    twin = net()
    assert not levers.refusals
    assert same(model.state_dict(), train(twin, left_out(parts()), twins))


# -- losses --------------------------------------------------------------------------------


def hot(y: Tensor) -> Tensor:
    return F.one_hot(y, 2).float()


@pytest.mark.parametrize(
    ("given", "new", "same_as"),
    [
        (cross_entropy, "mse_loss", lambda s, y: F.mse_loss(s, hot(y))),
        (lambda s, y: F.mse_loss(s, hot(y)), "cross_entropy", F.cross_entropy),
        (cross_entropy, "binary_cross_entropy_with_logits",
         lambda s, y: F.binary_cross_entropy_with_logits(s, hot(y))),
        (lambda s, y: F.nll_loss(s, y, torch.tensor([1.0, 4.0])), "cross_entropy",
         lambda s, y: F.cross_entropy(s, y, torch.tensor([1.0, 4.0]))),
        (lambda s, y: F.mse_loss(s, hot(y), reduction="sum"), "l1_loss",
         lambda s, y: F.l1_loss(s, hot(y), reduction="sum")),
        (lambda s, y: F.mse_loss(s, hot(y), None, None, "none").mean(), "huber_loss",
         lambda s, y: F.huber_loss(s, hot(y))),
        (lambda s, y: F.binary_cross_entropy(s[:, 0].sigmoid(), y.float()), "mse_loss",
         lambda s, y: F.mse_loss(s[:, 0].sigmoid(), y.float())),
    ],
)  # fmt: skip
def test_another_loss_is_computed_over_the_same_operands(
    given: Any, new: str, same_as: Any
) -> None:
    model = net()
    with attached(ReplaceLoss(new=new)) as levers:
        train(model, parts(), given)
        with torch.no_grad():
            evaluated = given(model(X), Y).item()
    assert not levers.refusals
    assert same(model.state_dict(), train(net(), parts(), same_as))
    assert evaluated == pytest.approx(same_as(model(X), Y).item())


@pytest.mark.parametrize(
    ("given", "new", "says"),
    [
        (lambda s, y: F.mse_loss(s, s.detach() + 1), "cross_entropy",
         "cross_entropy takes classes, mse_loss was given"),
        (lambda s, y: F.binary_cross_entropy_with_logits(s[:, 0], y.float()), "cross_entropy",
         "cross_entropy takes classes, binary_cross_entropy_with_logits was given none"),
        (cross_entropy, "binary_cross_entropy",
         "binary_cross_entropy does not take what cross_entropy takes (all elements of input"),
    ],
)  # fmt: skip
def test_a_loss_that_does_not_fit_is_told_and_the_scripts_stays(
    given: Any, new: str, says: str
) -> None:
    model = net()
    assert reason(ReplaceLoss(new=new), lambda: train(model, parts(), given)).startswith(says)
    assert same(model.state_dict(), train(net(), parts(), given))


def test_a_scaled_loss_scales_gradients_and_not_what_the_script_reads() -> None:
    read: list[float] = []

    def loss(scores: Tensor, y: Tensor) -> Tensor:
        value = F.cross_entropy(scores, y)
        read.append(value.item())
        return value

    model = net()
    with attached(ScaleLoss(factor=2.5)):
        train(model, parts(), loss)
    assert same(model.state_dict(), train(net(), parts(), lambda s, y: 2.5 * F.cross_entropy(s, y)))
    assert read[0] == pytest.approx(F.cross_entropy(net()(X[:8]), Y[:8]).item())


DOUBLED: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.Softmax(dim=1),
    "function": lambda scores: F.softmax(scores, dim=1),
    "torch": lambda scores: torch.softmax(scores, 1),
    "method": lambda scores: scores.softmax(1),
    "keyword": lambda scores: torch.softmax(input=scores, dim=1),
}


@pytest.mark.parametrize("doubled", DOUBLED.values(), ids=DOUBLED)
def test_a_softmax_in_front_of_the_loss_is_left_out(doubled: Callable[[Tensor], Tensor]) -> None:
    model = net()
    with attached(DropSoftmax()) as levers:
        train(model, parts(), lambda s, y: F.cross_entropy(doubled(s), y))
        with torch.no_grad():
            evaluated = F.cross_entropy(doubled(model(X)), Y).item()
    assert not levers.refusals
    assert same(model.state_dict(), train(net(), parts()))
    assert evaluated == pytest.approx(F.cross_entropy(model(X), Y).item())


SIGMOIDS: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.Sigmoid(),
    "function": lambda scores: F.sigmoid(scores),
    "torch": lambda scores: torch.sigmoid(scores),
    "method": lambda scores: scores.sigmoid(),
}


@pytest.mark.parametrize("sigmoid", SIGMOIDS.values(), ids=SIGMOIDS)
def test_a_sigmoid_in_front_of_the_loss_is_left_out(sigmoid: Callable[[Tensor], Tensor]) -> None:
    def loss(scores: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(scores, hot(y))

    model = net()
    with attached(DropSoftmax()) as levers:
        train(model, parts(), lambda s, y: loss(sigmoid(s), y))
    assert not levers.refusals
    assert same(model.state_dict(), train(net(), parts(), loss))


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (cross_entropy, "what goes into the loss is no softmax's or sigmoid's"),
        (lambda s, y: F.binary_cross_entropy(s.sigmoid(), hot(y)),
         "binary_cross_entropy does not take raw scores"),
        (by_hand, "no loss function of torch.nn.functional was called"),
    ],
)  # fmt: skip
def test_where_there_is_no_softmax_to_leave_out_is_told(loss: Any, says: str) -> None:
    model = net()
    assert reason(DropSoftmax(), lambda: train(model, parts(), loss)) == says
    assert same(model.state_dict(), train(net(), parts(), loss))

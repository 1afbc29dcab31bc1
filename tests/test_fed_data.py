"""What is seen of the data that a training and its evaluations are fed with."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from babysit.instrument import losses, rows, workers
from babysit.rules.data.data_not_shuffled import DataNotShuffled
from babysit.rules.data.repeated_batches import RepeatedBatches
from babysit.rules.data.train_validation_overlap import TrainValidationOverlap
from tests.test_instrument import Net, Watched

X = torch.randn(640, 6, generator=torch.Generator().manual_seed(5))
Y = (X[:, 0] > 0).long()


def step(model: nn.Module, optimizer: Any, x: torch.Tensor, y: torch.Tensor) -> None:
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()


def start() -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    model = Net()
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


@pytest.mark.parametrize(
    "kind", [torch.int64, torch.float32, torch.bool], ids=["integers", "floats", "booleans"]
)
@pytest.mark.parametrize("shape", [(8,), (8, 1)], ids=["vector", "column"])
def test_predicted_classes_against_labels_are_an_agreement(kind: Any, shape: Any) -> None:
    labels = (torch.arange(8) % 2).reshape(shape).to(kind)
    assert losses.is_agreement(labels, labels)


def test_other_comparisons_are_none() -> None:
    real, zeros = torch.randn(8), torch.zeros(8)
    assert not losses.is_agreement(real, zeros)
    assert not losses.is_agreement(zeros, real)
    assert not losses.is_agreement(zeros, zeros[:, None])
    assert not losses.is_agreement(zeros, 0)
    assert not losses.is_agreement(zeros.repeat(2, 1), zeros.repeat(2, 1))


def test_a_binary_accuracy_by_hand_is_an_evaluation_but_not_on_the_training_batch() -> None:
    model = nn.Sequential(nn.Linear(6, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = X[:64], Y[:64].float()[:, None]
    held_out, labels = X[64:160], Y[64:160].float()[:, None]
    expected = []
    with Watched() as watched:
        for _ in range(5):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(x), y).backward()
            optimizer.step()
            with torch.no_grad():
                _ = ((model(x) > 0) == (y > 0.5)).float().mean()
                share = ((model(held_out) > 0).float() == labels).float().mean()
            expected.append(share.item())
    (series,) = watched.training.places("eval-accuracy").values()
    assert series.values.tolist() == pytest.approx(expected)


def test_a_loader_asked_for_its_first_batch_again_and_again_is_found() -> None:
    model, optimizer = start()
    loader = DataLoader(TensorDataset(X, Y), batch_size=32)
    with Watched() as watched:
        for _ in range(20):
            step(model, optimizer, *next(iter(loader)))
    assert list(RepeatedBatches().check(watched.training))


def test_an_index_that_never_advances_is_found() -> None:
    model, optimizer = start()
    order = torch.randperm(len(X))
    with Watched() as watched:
        for _ in range(60):
            step(model, optimizer, X[order[:32]], Y[order[:32]])
    assert list(RepeatedBatches().check(watched.training))


def test_a_seed_set_before_every_draw_is_found() -> None:
    model, optimizer = start()
    with Watched() as watched:
        for _ in range(60):
            torch.manual_seed(3)
            x = torch.randn(16, 6)
            step(model, optimizer, x, (x[:, 0] > 0).long())
    assert list(RepeatedBatches().check(watched.training))


@pytest.mark.parametrize("way", ["held", "full", "split", "shuffled", "random"])
def test_full_batches_and_one_batch_on_purpose_are_not_repeated_batches(way: str) -> None:
    model, optimizer = start()
    loader = DataLoader(TensorDataset(X, Y), batch_size=32, shuffle=True)
    one, two = next(iter(loader)) if way == "held" else (X[:32], Y[:32])
    with Watched() as watched:
        for _ in range(60):
            if way == "held":
                step(model, optimizer, one, two)
            elif way == "full":
                step(model, optimizer, X.double().float(), Y)
            elif way == "split":
                step(model, optimizer, X[:500], Y[:500])
            elif way == "shuffled":
                step(model, optimizer, *next(iter(loader)))
            else:
                rows_ = torch.randint(0, len(X), (32,))
                step(model, optimizer, X[rows_], Y[rows_])
    assert not list(RepeatedBatches().check(watched.training))


def test_sorted_labels_are_found_and_shuffled_ones_are_not() -> None:
    order = Y.argsort()
    for rows_, is_sick in ((order, True), (torch.randperm(len(X)), False)):
        model, optimizer = start()
        with Watched() as watched:
            for _ in range(8):
                for part in rows_.split(32):
                    step(model, optimizer, X[part], Y[part])
        assert bool(list(DataNotShuffled().check(watched.training))) == is_sick


@pytest.mark.parametrize(
    ("evaluated", "is_sick"),
    [(slice(500, 640), False), (slice(300, 440), True), (slice(0, 500), False)],
    ids=["held-out", "partly-trained-on", "the-training-set"],
)
def test_only_validations_that_were_trained_on_overlap(evaluated: slice, is_sick: bool) -> None:
    model, optimizer = start()
    x, y = X[:500], Y[:500]
    with Watched() as watched:
        for _ in range(6):
            for part in torch.randperm(500).split(50):
                step(model, optimizer, x[part], y[part])
            with torch.no_grad():
                F.cross_entropy(model(X[evaluated]), Y[evaluated])
    found = [f for f in TrainValidationOverlap().check(watched.training) if hasattr(f, "message")]
    assert bool(found) == is_sick


def test_marks_are_equal_for_equal_examples_in_any_batch() -> None:
    x = torch.randn(50, 3, 7)
    whole = rows.read(x).marks
    assert rows.read(x[20:30]).marks == whole[20:30]
    assert len(set(whole)) == 50


@pytest.mark.parametrize(
    ("data", "telling"),
    [
        (torch.randn(64, 5), True),
        (torch.randn(64, 2), False),
        (F.one_hot(torch.arange(64) % 9).float(), False),
        (torch.arange(640).reshape(64, 10), False),
    ],
    ids=["reals", "points", "one-hot", "tokens"],
)
def test_only_data_that_do_not_repeat_by_nature_are_told_apart(data: Any, telling: bool) -> None:
    assert rows.read(data).is_telling == telling


class Noisy(Dataset[float]):
    """A data set that draws from its own generator."""

    def __init__(self, rng: Any) -> None:
        self.rng = rng

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> float:
        return self._draw()

    def _draw(self) -> float:
        return float(self.rng.random())


class Split(Noisy):
    """A data set that draws only while it is built."""

    def __getitem__(self, index: int) -> float:
        return 1.0


def test_generators_that_workers_copy_are_found_where_examples_are_made() -> None:
    assert list(workers.copied_generators(Noisy(np.random.default_rng(1))))
    assert list(workers.copied_generators(Noisy(random.Random(1))))
    assert not list(workers.copied_generators(Split(np.random.default_rng(1))))
    assert not list(workers.copied_generators(Noisy(np.random)))


def test_a_worker_init_that_ignores_its_worker_seeds_alike() -> None:
    def alike(worker: int) -> None:
        np.random.seed(0)

    def apart(worker: int) -> None:
        np.random.seed(worker)

    def derived(worker: int) -> None:
        np.random.seed(torch.initial_seed() % 2**32)

    assert workers.seeds_alike(alike)
    assert not workers.seeds_alike(apart)
    assert not workers.seeds_alike(derived)

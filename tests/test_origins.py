"""Where weights got their first values, where data were put together, what evaluations saw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split

import babysit
from babysit.evaluations import foreign_classes
from babysit.findings import Place
from babysit.run import Training

DATA = torch.randn(96, 5, generator=torch.Generator().manual_seed(3))
LABELS = (DATA[:, 0] > 0).long() + (DATA[:, 1] > 0).long()


def text(place: Place | None) -> str:
    """The source line of a place in this file."""
    assert place is not None and place.file is not None and place.line is not None
    assert Path(place.file).name == Path(__file__).name
    return Path(__file__).read_text().splitlines()[place.line - 1].strip()


def trained(forward: Callable[[Tensor], Tensor], parameters: list[Tensor]) -> Training:
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    with babysit.watch(quiet=True, store=False) as watch:
        for _ in range(4):
            loss = F.cross_entropy(forward(DATA), LABELS)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
            optimizer.step()
    assert watch.run is not None
    return watch.run.trainings[1]


class Scaled(nn.Module):
    """A layer, and a weight of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Linear(5, 3)
        self.own = nn.Parameter(torch.randn(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.plain(x) @ self.own
        return scores


def test_a_layer_of_pytorch_has_no_origin_and_a_parameter_of_the_users_has() -> None:
    with babysit.watch(quiet=True, store=False):
        model = Scaled()
    training = trained(model, list(model.parameters()))
    assert training.parameters["plain.weight"].origin is None
    assert training.parameters["own"].origin is None, "made while nobody watched"
    with babysit.watch(quiet=True, store=False) as watch:
        model = Scaled()
        F.cross_entropy(model(DATA), LABELS).backward()  # type: ignore[no-untyped-call]
        torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert watch.run is not None
    training = watch.run.trainings[1]
    assert training.parameters["plain.weight"].origin is None
    assert "nn.Parameter(" in text(training.parameters["own"].origin)


def test_the_last_initialisation_is_the_origin() -> None:
    with babysit.watch(quiet=True, store=False) as watch:
        model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
        for module in model:
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=3.0)
        F.cross_entropy(model(DATA), LABELS).backward()  # type: ignore[no-untyped-call]
        torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert watch.run is not None
    training = watch.run.trainings[1]
    assert "nn.init.normal_(" in text(training.origin("0"))
    assert training.parameters["0.bias"].origin is None


def test_a_bare_tensor_comes_from_the_line_that_fills_its_variable() -> None:
    kernel = torch.randn(5, 3, requires_grad=True)
    rows = []
    for _ in range(2):
        rows.append(torch.randn(3, 3, requires_grad=True))
    optimizer = torch.optim.SGD([kernel, *rows], lr=0.1)
    with babysit.watch(quiet=True, store=False) as watch:
        F.cross_entropy(DATA @ kernel @ rows[0] @ rows[1], LABELS).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert watch.run is not None
    training = watch.run.trainings[1]
    assert text(training.origin("kernel")).startswith("kernel = torch.randn")
    assert text(training.origin("rows[1]")).startswith("rows.append(")


def test_data_of_a_loader_have_a_place_behind_splits() -> None:
    model = nn.Linear(5, 3)
    with babysit.watch(quiet=True, store=False) as watch:
        data = TensorDataset(DATA, LABELS)
        part, _ = random_split(data, [64, 32])
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for rows, labels in DataLoader(part, batch_size=8):
            optimizer.zero_grad()
            F.cross_entropy(model(rows), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    assert watch.run is not None
    place = watch.run.trainings[1].data_place("fc")
    assert (text(place), place.layer) == ("data = TensorDataset(DATA, LABELS)", "fc")


def test_labels_that_only_the_evaluation_has_are_told() -> None:
    model = nn.Linear(5, 3)
    known = DATA[LABELS < 2], LABELS[LABELS < 2]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with babysit.watch(quiet=True, store=False) as watch:
        for _ in range(6):
            loss = F.cross_entropy(model(known[0]), known[1])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            with torch.no_grad():
                F.cross_entropy(model(DATA[LABELS == 2]), LABELS[LABELS == 2])
    assert watch.run is not None
    assert foreign_classes(watch.run.trainings[1]) == (1.0, ["2"], 2)

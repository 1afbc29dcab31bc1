"""What probes and readings are told, and that what they note reaches the record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import babysit
from babysit.instrument import probe
from babysit.instrument.probe import Probe
from babysit.run import Run

DATA = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))
LABELS = (DATA[:, 0] > 0).long()
SEEN: list[tuple[Any, ...]] = []


class Spy(Probe):
    """Keeps what it is told."""

    def attach(self) -> None:
        self.watch(torch, "vander", lambda args, kwargs, result: SEEN.append(("call", args[0])))

    def on_backward(self, loss: torch.Tensor) -> None:
        SEEN.append(("backward", self.step))

    def on_sampled_step(self, optimizer: Any) -> None:
        SEEN.append(("sampled", self.step))

    def on_step(self, optimizer: Any) -> None:
        self.note("backwards", 7.0, "spy")
        self.fact("spied", {str(self.step): True})

    def after_step(self, optimizer: Any) -> None:
        SEEN.append(("stepped", self.step))

    def on_batch(self, loader: Any, batch: Any) -> None:
        SEEN.append(("batch", len(batch[0])))

    def on_call(self, module: nn.Module, inputs: Any, output: Any, is_evaluation: bool) -> None:
        SEEN.append(("evaluation" if is_evaluation else "training", type(module).__name__))


@pytest.fixture(autouse=True)
def only_a_spy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(probe, "kinds", lambda: (Spy,))
    SEEN.clear()
    torch.manual_seed(0)
    yield


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 2))


def train(model: nn.Module, optimizer: Any, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(DATA), LABELS).backward()
        optimizer.step()


def run_of(watch: Any) -> Run:
    assert watch.run is not None
    run: Run = watch.run
    return run


def test_steps_backwards_calls_and_batches_are_told_in_order() -> None:
    model = small()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(DATA), batch_size=64)
    with babysit.watch(quiet=True, store=False):
        torch.vander(torch.ones(1))
        next(iter(loader))
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), steps=1)
    torch.vander(torch.ones(1))  # no longer watched
    kinds = [kind for kind, _ in SEEN]
    assert kinds == ["call", "batch", "training", "backward", "sampled", "stepped"]


def test_what_costs_time_is_told_of_sampled_steps_only() -> None:
    model = small()
    with babysit.watch(quiet=True, store=False):
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), steps=40)
    stepped = [step for kind, step in SEEN if kind == "stepped"]
    sampled = [step for kind, step in SEEN if kind == "sampled"]
    assert stepped == list(range(40))
    assert sampled[:3] == [0, 1, 2] and len(sampled) < 20


def test_notes_and_facts_belong_to_the_step_that_closes_next() -> None:
    model = small()
    with babysit.watch(quiet=True, store=False) as watch:
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), steps=3)
    training = run_of(watch).trainings[1]
    assert training.series("backwards", "spy").steps.tolist() == [0, 1, 2]
    assert training.facts["spied"] == {"0": True, "1": True, "2": True}


@pytest.mark.parametrize("way", ["no_grad", "eval"])
def test_the_first_calls_of_an_evaluation_are_shown_also_on_ordinary_steps(way: str) -> None:
    model = small()
    with babysit.watch(quiet=True, store=False):
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), steps=48)
        SEEN.clear()
        if way == "eval":
            model.eval()
            for _ in range(20):
                model(DATA)
        else:
            with torch.no_grad():
                for _ in range(20):
                    model(DATA)
    shown = [what for what in SEEN if what == ("evaluation", "Sequential")]
    assert 1 <= len(shown) <= 20
    assert not torch.nn.modules.module._global_forward_hooks


def test_an_average_kept_under_no_grad_is_not_an_evaluation_and_is_looked_at_ever_more_rarely() -> (
    None
):
    model, average = small(), small()
    with babysit.watch(quiet=True, store=False):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(60):
            train(model, optimizer, steps=1)
            with torch.no_grad():
                for old, new in zip(average.parameters(), model.parameters(), strict=True):
                    old.lerp_(new, 0.1)
    assert ("evaluation", "Sequential") not in SEEN
    assert not torch.nn.modules.module._global_forward_hooks


def test_a_loss_that_raises_leaves_its_operands_in_the_record() -> None:
    model = small()
    with babysit.watch(quiet=True, store=False) as watch, pytest.raises(IndexError):
        F.cross_entropy(model(DATA), LABELS + 1)
    (training,) = run_of(watch).trainings.values()
    (call,) = training.wirings[0].calls
    assert call.facts["crashed"] == 1
    assert call.facts["target-max"] == 2
    assert call.prediction_shape == (64, 2)
    assert "LABELS + 1" in (call.code or "")


def test_a_raising_loss_that_the_program_survives_is_forgotten() -> None:
    model = small()
    with babysit.watch(quiet=True, store=False) as watch:
        with pytest.raises(IndexError):
            F.cross_entropy(model(DATA), LABELS + 1)
        train(model, torch.optim.SGD(model.parameters(), lr=0.1), steps=2)
    calls = [call for w in run_of(watch).trainings[1].wirings for call in w.calls]
    assert not any(call.facts.get("crashed") for call in calls)


def test_dropout_and_constant_factors_are_seen_in_the_graph() -> None:
    model = small()
    with babysit.watch(quiet=True, store=False) as watch:
        (F.cross_entropy(model(DATA), LABELS) / 4).backward()
        torch.optim.SGD(model.parameters(), lr=0.1).step()
    nodes = {node.op: node for node in run_of(watch).trainings[1].wirings[0].nodes}
    assert nodes["Dropout"].facts["p"] == 0.25
    assert nodes["Dropout"].layer == "2"
    assert nodes["Div"].facts["factor"] == 0.25
    assert nodes["NllLoss"].facts == {"reduction": 1.0, "ignore_index": -100.0, "has_weight": 0.0}


def test_tied_parameters_and_roles_are_known() -> None:
    table, norm = nn.Embedding(9, 4), nn.LayerNorm(4)
    head = nn.Linear(4, 9, bias=False)
    head.weight = nn.Parameter(table.weight.detach())  # another parameter in the same memory
    model = nn.Sequential(table, norm, head)
    tokens = torch.randint(0, 9, (16,))
    with babysit.watch(quiet=True, store=False) as watch:
        F.cross_entropy(model(tokens), tokens).backward()
        torch.optim.SGD(model.parameters(), lr=0.1).step()
    known = run_of(watch).trainings[1].parameters
    assert {name: parameter.role for name, parameter in known.items()} == {
        "0.weight": "embedding", "1.weight": "norm", "1.bias": "norm", "2.weight": "weight",
    }  # fmt: skip
    assert known["2.weight"].shares_with == "0.weight"
    assert known["0.weight"].shares_with is None

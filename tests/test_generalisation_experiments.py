"""Bias or variance, simplest baselines, batch sizes: what they say of planted faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from babysit.changes._fitting import DECAY, gradients, predictions, squashed
from babysit.changes.baselines import FitBaselines, features
from babysit.changes.data import HoldOut
from babysit.changes.resting import Rest
from babysit.errors import BabysitError
from babysit.experiment import Answer, Experiment, Lab
from babysit.instrument.levers.levers import Levers
from babysit.lab.checkup import main_training
from babysit.lab.experiments.batch_size_effect import BatchSizeEffect
from babysit.lab.experiments.bias_or_variance import BiasOrVariance
from babysit.lab.experiments.simplest_baseline import SimplestBaseline, is_outdone
from babysit.lab.generalisation import Evidence, Fit, causes
from babysit.session.trying import live
from babysit.target import resolve
from babysit.trial import Result, Trial
from babysit.trials.patients import ScriptPatient
from babysit.trials.pool import Pool

PLANTED = Path(__file__).parent / "planted"
STEPS = np.arange(300)


def falling(to: float, *, by: int = 30) -> Any:
    """A loss that falls from 1 to its level within some steps."""
    return to + (1 - to) * np.exp(-STEPS / by)


def fit(training: Any, held_out: Any, **accuracies: Any) -> Fit:
    return Fit(training=training, held_out=held_out, **accuracies)


def seeds(training: float, held_out: float, *, by: int = 30) -> list[Fit]:
    return [
        fit(falling(training * factor, by=by), falling(held_out * factor, by=by))
        for factor in (0.98, 1.0, 1.02)
    ]


def names(**evidence: Any) -> list[str]:
    return [one.name for one in causes(Evidence(**evidence))]


# -- judging ---------------------------------------------------------------------------------


def test_a_good_fit_has_no_cause() -> None:
    plain = seeds(0.05, 0.08)
    assert names(plain=plain, wide=seeds(0.01, 0.07), half=seeds(0.05, 0.12)) == []


def test_a_wider_model_that_is_better_on_both_sides_says_too_small() -> None:
    assert names(plain=seeds(0.5, 0.55), wide=seeds(0.1, 0.2)) == ["bias: too small"]


def test_a_wider_model_that_is_better_on_training_examples_alone_says_nothing() -> None:
    assert names(plain=seeds(0.5, 0.55), wide=seeds(0.1, 0.6)) == []


def test_what_still_falls_is_too_short_rather_than_too_small() -> None:
    plain = seeds(0.1, 0.1, by=250)
    assert names(plain=plain, wide=seeds(0.01, 0.01)) == ["bias: too short"]
    assert names(plain=plain, is_whole=False) == []


def test_less_regularisation_that_helps_on_both_sides_says_too_regularised() -> None:
    plain = seeds(0.6, 0.65)
    found = causes(Evidence(plain=plain, tied=plain, free=seeds(0.1, 0.2), off=("dropout",)))
    assert [one.name for one in found] == ["bias: too regularised"]
    assert "without dropout the" in found[0].text


def test_a_gap_that_fewer_examples_widen_says_too_little_data() -> None:
    plain = seeds(0.01, 0.5)
    assert names(plain=plain, half=seeds(0.01, 0.8)) == ["variance: too little data"]
    assert names(plain=plain, half=seeds(0.01, 0.52)) == []


def test_a_held_out_loss_that_rises_says_too_long() -> None:
    rising = 0.4 + 0.6 * np.exp(-STEPS / 20) + 0.002 * np.maximum(STEPS - 80, 0)
    assert names(plain=[fit(falling(0.01), rising)] * 3) == ["variance: too long"]


def test_differences_within_the_spread_of_seeds_say_nothing() -> None:
    plain = [fit(falling(level), falling(level)) for level in (0.3, 0.5, 0.9)]
    assert names(plain=plain, wide=seeds(0.3, 0.3)) == []


def test_losses_below_zero_are_not_judged() -> None:
    assert names(plain=[fit(falling(0.5) - 0.9, falling(0.5))] * 3, wide=seeds(0.1, 0.1)) == []


def test_a_simple_model_outdoes_by_loss_and_accuracy_both() -> None:
    model = [fit(falling(0.5), falling(0.5), held_out_accuracy=0.9)]
    assert is_outdone(model, (0.1, 0.97), worth=1.0)
    assert not is_outdone(model, (0.1, 0.91), worth=1.0)
    assert not is_outdone(model, (0.45, 0.97), worth=1.0)
    assert is_outdone([fit(falling(0.5), falling(0.5))], (0.1, float("nan")), worth=1.0)


# -- simple models ---------------------------------------------------------------------------


def test_gradients_of_simple_models_are_those_of_autograd() -> None:
    numbers = np.random.default_rng(1)
    inputs, targets = numbers.standard_normal((8, 5)), numbers.dirichlet(np.ones(3), 8)
    shapes = ((5, 4), (1, 4), (4, 3), (1, 3))
    weights: list[Any] = [numbers.standard_normal(shape) for shape in shapes]
    ours = gradients("classes", weights, inputs, targets)
    one, two, three, four = (torch.tensor(w, requires_grad=True) for w in weights)
    scores = (torch.tensor(inputs) @ one + two).relu() @ three + four
    loss = nn.functional.cross_entropy(scores, torch.tensor(targets))
    theirs = torch.autograd.grad(loss, (one, two, three, four))
    for index, gradient in enumerate(theirs):
        light = DECAY * weights[index] if index % 2 == 0 else 0.0
        np.testing.assert_allclose(ours[index] - light, gradient.numpy(), rtol=1e-6, atol=1e-9)


def test_a_linear_model_finds_a_line_and_a_constant_the_mean() -> None:
    numbers = np.random.default_rng(2)
    x = numbers.standard_normal((300, 4)).astype(np.float32)
    y = (x @ np.array([[1.0], [-2.0], [0.0], [5.0]], dtype=np.float32)) + 100
    rows = np.arange(300) < 200
    linear = predictions("linear", "quantities", x, y, rows)
    assert np.abs(linear - y)[~rows].mean() < 0.3
    assert predictions("constant", "quantities", x, y, rows)[0, 0] == pytest.approx(y[rows].mean())


def test_one_hidden_layer_learns_what_a_linear_model_cannot() -> None:
    numbers = np.random.default_rng(3)
    x = numbers.standard_normal((600, 2)).astype(np.float32)
    y = (x[:, :1] * x[:, 1:] > 0).astype(np.float32)
    rows = np.arange(600) < 400

    def right(model: str) -> float:
        scores = predictions(model, "yes or no", x, y, rows)
        return float(((squashed("yes or no", scores) > 0.5) == y)[~rows].mean())

    assert right("linear") < 0.7 < 0.9 < right("hidden-layer")


def test_tokens_become_marks_and_many_features_become_fewer() -> None:
    assert features([[np.array([0, 2])], [np.array([1, 1])]]).tolist() == [
        [1, 0, 0, 0, 0, 1], [0, 1, 0, 0, 1, 0],
    ]  # fmt: skip
    assert features([[np.zeros(5000, dtype=np.float32)]]).shape == (1, 1024)


# -- changes ---------------------------------------------------------------------------------


def train(*changes: Any, steps: int = 60, dropout: float = 0.0) -> tuple[Levers, list[Tensor]]:
    """A small training under changes; its levers and the weights after each step."""
    torch.manual_seed(0)
    x = torch.randn(240, 3)
    y = (x.sum(dim=1) > 0).long()
    levers = Levers(raises_stop=False)
    levers.attach(changes)
    first = nn.Linear(3, 8)
    net = nn.Sequential(first, nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    weights = []
    for step in range(steps):
        rows = torch.arange(step * 40, step * 40 + 40) % 240
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]  # PyTorch's
        optimizer.step()
        weights.append(first.weight.detach().clone())
    levers.detach()
    return levers, weights


def noted(levers: Levers, name: str) -> list[float]:
    return [value for _, key, value in levers.notes if key == name]


def test_baselines_are_fitted_in_the_end_and_change_nothing() -> None:
    levers, weights = train(FitBaselines())
    assert not levers.refusals
    assert levers.stopping  # all examples were known long ago
    assert torch.equal(weights[-1], train()[1][-1])
    (linear,), (constant,) = (noted(levers, f"{n}-held-out-loss") for n in ("linear", "constant"))
    assert linear < 0.3 < 0.6 < constant < 0.8
    assert noted(levers, "linear-held-out-accuracy")[0] > 0.9


def test_baselines_say_which_loss_they_do_not_know() -> None:
    levers = Levers(raises_stop=False)
    levers.attach([FitBaselines()])
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    nn.functional.poisson_nll_loss(net(torch.randn(8, 3)), torch.ones(8, 1)).backward()  # type: ignore[no-untyped-call]  # PyTorch's
    optimizer.step()
    levers.detach()
    assert levers.refusals == {
        "fit-baselines": "there is no simple model for the loss poisson_nll_loss"
    }


def test_resting_learns_nothing_more_and_evaluates() -> None:
    levers, weights = train(HoldOut(), Rest(after=40), dropout=0.5)
    assert not levers.refusals
    assert torch.equal(weights[39], weights[-1])
    assert not torch.equal(weights[38], weights[39])
    losses = noted(levers, "training-loss")
    assert losses[42:48] == losses[48:54]  # the same six batches, without any dropout
    with pytest.raises(BabysitError, match="rest: after is 0"):
        Rest(after=0)


# -- experiments -----------------------------------------------------------------------------


def conducted(experiment: Experiment, script: Path, folder: Path) -> Answer:
    """An experiment's answer, its trials made one after the other."""
    patient = ScriptPatient(resolve(str(script)))
    pool = Pool(folder, lambda trial, own: live(patient, trial, own), workers=2)
    known: dict[Any, Result] = {}

    def results(trials: list[Trial]) -> list[Result]:
        fresh = [trial for trial in trials if trial.key not in known]
        waiting = [replace(t, name=f"{len(known)}-{i}-{t.name}") for i, t in enumerate(fresh)]
        while waiting or pool.running:
            while waiting and pool.has_room:
                pool.start(waiting.pop(0))
            result = pool.wait()
            known[result.trial.key] = result
        return [known[trial.key] for trial in trials]

    (base,) = results([Trial(name="base", max_steps=1000, is_watched=True)])
    training = main_training(base.run)
    assert training is not None
    lab = Lab(
        base=base, training=training, tell=lambda event: None, max_steps=base.run.steps,
        seconds=600,
    )  # fmt: skip
    conduct, found = experiment.conduct(lab), None
    while True:
        try:
            wanted = next(conduct) if found is None else conduct.send(found)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        found = results(list(wanted))


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        ("too_regularised", "bias: too regularised"),
        ("too_little_data", "variance: too little data"),
    ],
)
def test_bias_or_variance_finds_what_is_planted(case: str, verdict: str, tmp_path: Path) -> None:
    sick = conducted(BiasOrVariance(), PLANTED / case / "sick.py", tmp_path / "sick")
    assert (sick.verdict, sick.data["verdict"]) == ("unsound", verdict), sick.text


def test_bias_or_variance_is_content_with_a_sound_twin(tmp_path: Path) -> None:
    healthy = conducted(BiasOrVariance(), PLANTED / "too_little_data" / "healthy.py", tmp_path)
    assert (healthy.verdict, healthy.data["verdict"]) == ("sound", "neither"), healthy.text


def test_a_linear_model_outdoes_a_net_that_is_dropped_out(tmp_path: Path) -> None:
    answer = conducted(SimplestBaseline(), PLANTED / "dropped_out" / "sick.py", tmp_path)
    assert answer.verdict == "unsound"
    assert "a linear model is better" in answer.text


def test_batch_sizes_are_compared_by_loss_and_seconds(tmp_path: Path) -> None:
    answer = conducted(BatchSizeEffect(), PLANTED / "too_long" / "healthy.py", tmp_path / "a")
    assert answer.verdict == "told"
    assert set(answer.data["held_out_loss"]) == {"11", "22", "45", "180"}
    other = conducted(BatchSizeEffect(), PLANTED / "too_regularised" / "sick.py", tmp_path / "b")
    assert (other.verdict, other.text) == (
        "not tried", "no DataLoader makes batches of a fixed size",
    )  # fmt: skip

"""What is read from a loss: targets, predictions, terms; also of hand-written ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import babysit
from babysit.run import Run, Training

GENERATOR = torch.Generator().manual_seed(3)
DATA = torch.randn(48, 5, generator=GENERATOR)
VALUES = 2.0 * DATA[:, :1] + 3.0
LABELS = DATA.argmax(dim=1)


def watched(
    loss_of: Callable[[nn.Module], Tensor], *, outputs: int = 1, steps: int = 3
) -> Training:
    """The record of a short training."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, outputs))
    with babysit.watch(quiet=True, store=False) as session:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(steps):
            optimizer.zero_grad()
            loss_of(model).backward()
            optimizer.step()
    assert session.run is not None
    run: Run = session.run
    return run.trainings[1]


def squared(model: nn.Module) -> Tensor:
    return F.mse_loss(model(DATA), VALUES)


def by_hand(model: nn.Module) -> Tensor:
    return ((model(DATA) - VALUES) ** 2).mean()


def by_hand_the_other_way_round(model: nn.Module) -> Tensor:
    return (VALUES - model(DATA)).abs().mean()


@pytest.mark.parametrize("loss_of", [squared, by_hand, by_hand_the_other_way_round])
def test_targets_are_known_however_the_loss_is_written(
    loss_of: Callable[[nn.Module], Tensor],
) -> None:
    training = watched(loss_of)
    ((_, mean),) = training.places("target-mean").items()
    ((_, spread),) = training.places("target-std").items()
    assert mean.first == pytest.approx(VALUES.mean().item(), rel=1e-5)
    assert spread.first == pytest.approx(VALUES.std(correction=0).item(), rel=1e-5)


def test_predictions_beside_hand_written_differences_are_worked_out() -> None:
    exact, worked_out = watched(squared), watched(by_hand)
    for signal in ("prediction-min", "prediction-max", "prediction-std"):
        assert worked_out.series(signal, "Pow").first == pytest.approx(
            exact.series(signal, "MseLoss").first, rel=1e-4
        )


def test_classes_are_counted_over_all_sampled_batches() -> None:
    batches = iter([slice(0, 3), slice(3, 24), slice(24, 48)])

    def loss_of(model: nn.Module) -> Tensor:
        batch = next(batches)
        return F.cross_entropy(model(DATA[batch]), LABELS[batch])

    training = watched(loss_of, outputs=7)
    seen = training.series("classes-seen", "NllLoss")
    assert seen.first == len(LABELS[:3].unique())
    assert seen.last == len(LABELS.unique())
    assert training.series("labels-seen", "NllLoss").last == 48


def test_one_hot_rows_are_told_from_rows_with_several_ones() -> None:
    rows = F.one_hot(LABELS, 5).float()
    several = (DATA > 0).float()
    one = watched(lambda model: F.mse_loss(model(DATA), rows), outputs=5)
    many = watched(lambda model: F.cross_entropy(model(DATA), several), outputs=5)
    assert one.series("target-one-hot", "MseLoss").first == 1
    assert many.series("target-one-hot", "SoftTargets").first == 0
    assert many.series("target-many-hot", "SoftTargets").first == 1


def test_an_autoencoder_is_seen_to_compare_with_its_input() -> None:
    same = watched(lambda model: F.mse_loss(model(DATA), DATA), outputs=5)
    other = watched(lambda model: F.mse_loss(model(DATA), DATA + 1), outputs=5)
    assert same.series("target-is-input", "MseLoss").first == 1
    assert not len(other.series("target-is-input", "MseLoss"))


def test_targets_beyond_the_last_activation_are_counted() -> None:
    training = watched(lambda model: F.mse_loss(torch.sigmoid(model(DATA)), VALUES))
    beyond = ((VALUES < 0) | (VALUES > 1)).float().mean().item()
    assert training.series("target-unreachable", "MseLoss").first == pytest.approx(beyond, abs=0.05)


def test_terms_of_a_sum_carry_the_users_names_and_weights() -> None:
    def loss_of(model: nn.Module) -> Tensor:
        output = model(DATA)
        value_loss = F.mse_loss(output[:, :1], VALUES)
        name_loss = F.cross_entropy(output, LABELS)
        total = 0.5 * value_loss + name_loss
        found.append((value_loss.item(), name_loss.item()))
        return total

    found: list[tuple[float, float]] = []

    def kept(model: nn.Module) -> Tensor:
        output = model(DATA)
        return 0.5 * F.mse_loss(output[:, :1], VALUES) + F.cross_entropy(output, LABELS)

    training = watched(kept, outputs=5)
    watched(loss_of, outputs=5)
    terms = training.places("loss-term")
    assert set(terms) == {"mse_loss", "cross_entropy"}
    assert terms["mse_loss"].first == pytest.approx(0.5 * found[0][0], rel=1e-5)
    assert terms["cross_entropy"].first == pytest.approx(found[0][1], rel=1e-5)
    assert training.facts["loss_terms"]["mse_loss"]["weight"] == 0.5


def test_classes_of_one_training_do_not_count_for_the_next() -> None:
    first = watched(lambda model: F.cross_entropy(model(DATA), LABELS), outputs=7)
    with babysit.watch(quiet=True, store=False) as session:
        for _ in range(2):
            model = nn.Linear(5, 7)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
            F.cross_entropy(model(DATA), LABELS).backward()
            optimizer.step()
    assert session.run is not None
    counts = [t.series("labels-seen", "NllLoss") for t in session.run.trainings.values()]
    assert first.series("labels-seen", "NllLoss").first == 48
    assert [series.first for series in counts if len(series)] == [48] * sum(map(bool, counts))
    assert len(session.run.trainings) == 2

"""What was measured on held-out data, as far as it was seen or logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from babysit.findings import Place
from babysit.run import Training
from babysit.series import Series

HELD_OUT: Final = ("val", "test", "eval", "dev", "held")


def evaluations(training: Training) -> dict[str, Series]:
    """Held-out losses: seen outside gradients, or logged under a name that says so.

    Where only an accuracy was computed, its error rate stands for the loss.
    """
    on_training_data = set(training.facts.get("evaluated_on_training_data", ()))
    found = {**training.places("eval-loss")}
    if not found:
        accuracies = training.places("eval-accuracy")
        found = {name: error_rate(series) for name, series in accuracies.items()}
    logged = training.places("logged").items()
    found.update({name: series for name, series in logged if is_held_out_loss(name)})
    return {name: series for name, series in found.items() if name not in on_training_data}


def quantity(training: Training, name: str) -> str:
    """What an evaluation of :func:`evaluations` measures: its loss, or an accuracy's complement."""
    is_error = name not in training.places("eval-loss") and name in training.places("eval-accuracy")
    return "error rate" if is_error else "loss"


def is_held_out_loss(name: str) -> bool:
    lowered = name.lower()
    return "loss" in lowered and any(part in lowered for part in HELD_OUT)


def error_rate(accuracy: Series) -> Series:
    """The error rate that belongs to an accuracy."""
    errors = Series()
    for step, value in zip(accuracy.steps.tolist(), accuracy.values.tolist(), strict=True):
        errors.append(step, 1 - value)
    return errors


def line_of(stream: str) -> Place | None:
    """The line of an evaluation, from its name: ``train.py:52 > train.py:31``, maybe ``#2``."""
    file, _, line = stream.rpartition(" > ")[2].partition("#")[0].rpartition(":")
    return Place(file=file, line=int(line)) if line.isdigit() else None


def foreign_classes(training: Training) -> tuple[float, list[str], int]:
    """Share of the evaluated labels whose class no sampled training batch had.

    The smallest share over all evaluations, those classes, and how many classes are known.
    """
    shares = {label: series.last for label, series in training.places("label-share").items()}
    known = {label for label, share in shares.items() if share > 0}
    seen = training.facts.get("evaluated_labels", {})
    streams = [labels for name, labels in seen.items() if name in evaluations(training)]
    if not streams or not known:
        return 0.0, [], len(known)
    share = min(sum(s for label, s in one.items() if label not in known) for one in streams)
    classes = {label for one in streams for label in one} - known
    return share, sorted(classes, key=int), len(known)


@dataclass(frozen=True)
class Inputs:
    """What an evaluation fed a model with, beside what the training did: mean and spread."""

    name: str
    mean: float
    std: float
    trained_mean: float
    trained_std: float

    @property
    def ratio(self) -> float:
        """How many times one spread is the other, at least 1."""
        return max(self.std / self.trained_std, self.trained_std / self.std)

    @property
    def shift(self) -> float:
        """Distance of the means in spreads of the training's inputs."""
        return abs(self.mean - self.trained_mean) / self.trained_std


def evaluated_inputs(training: Training, max_noise: float) -> list[Inputs] | None:
    """The inputs of every evaluation of a training that feeds one model; ``None`` if unknown.

    Args:
        max_noise: a difference counts, if the range over the training's own batches is no more
            than this share of it; else it is given as none.
    """
    if len(training.places("fed-std")) != 1 or not training.has("evaluated-std"):
        return None
    (model,) = training.places("fed-std")
    means, stds = (
        training.series("fed-mean", model).values,
        training.series("fed-std", model).values,
    )
    mean, std = float(np.median(means)), float(np.median(stds))
    found = []
    for name, series in training.places("evaluated-std").items():
        other_std = float(np.median(series.values))
        other_mean = float(np.median(training.series("evaluated-mean", name).values))
        if not np.isfinite([mean, std, other_mean, other_std]).all() or min(std, other_std) <= 0:
            return None
        differs = np.ptp(stds) < max_noise * abs(other_std - std)
        lies_apart = np.ptp(means) < max_noise * abs(other_mean - mean)
        shown_mean, shown_std = other_mean if lies_apart else mean, other_std if differs else std
        found.append(Inputs(name, shown_mean, shown_std, mean, std))
    return found if len(stds) >= 4 else None


@dataclass(frozen=True, kw_only=True)
class Accuracies:
    """What a classifier reached at last on its training batches and in its best evaluation."""

    trained: float
    name: str
    evaluated: float
    num_classes: int


def accuracies(training: Training) -> Accuracies | None:
    """Of a classifier of three classes or more, none of them in the majority; else ``None``."""
    shares = [series.last for series in training.places("label-share").values()]
    learnt = training.series("train-accuracy").values[-5:]
    ends = {
        name: float(np.median(series.values[-3:]))
        for name, series in training.places("eval-accuracy").items()
        if name in evaluations(training) and len(series) >= 3
    }
    if len(shares) < 3 or max(shares) > 0.5 or len(learnt) < 5 or not ends:
        return None
    name = max(ends, key=lambda one: ends[one])
    return Accuracies(
        trained=float(learnt.mean()), name=name, evaluated=ends[name], num_classes=len(shares)
    )


def accuracy_improved(training: Training, name: str, lowest: int) -> bool:
    """Whether the same evaluation's accuracy ended clearly above that at the lowest loss.

    It takes more where the loss ended above its first value: probabilities worse than those of
    an untrained net.
    """
    accuracy, loss = (
        training.series("eval-accuracy", name).values,
        training.series("eval-loss", name).values,
    )
    if len(accuracy) <= lowest + 1:
        return False
    is_lost = len(loss) > 2 and float(np.median(loss[-3:])) > float(loss[0])
    return float(np.median(accuracy[-3:])) > float(accuracy[lowest]) + (0.05 if is_lost else 0.005)

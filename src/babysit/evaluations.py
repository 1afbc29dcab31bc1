"""What was measured on held-out data, as far as it was seen or logged."""

from __future__ import annotations

from babysit.findings import Place
from babysit.run import Training
from babysit.series import Series

HELD_OUT = ("val", "test", "eval", "dev", "held")


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

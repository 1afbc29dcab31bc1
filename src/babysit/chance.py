"""Whether a classifier's evaluations ever showed more than guessing would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from babysit.evaluations import evaluations
from babysit.guessing import chance_loss, guessing_alone, sole_loss
from babysit.measures import course
from babysit.run import Training

# Of the way from guessing to faultless the accuracies of 151 evaluations in healthy programs came
# 0.135 at least; where labels and inputs were misaligned, luck brought them 0.082.
CLEAR: Final = 0.11
TIMES_LUCK: Final = 3.0  # of many classes, three times luck says as much
MAX_LUCK: Final = 0.7  # where most examples are of one class, accuracy says little
SAME_UNITS: Final = 1.3  # an evaluation's first loss beyond this, and it is no mean as the other


def lucky_accuracy(training: Training) -> float | None:
    """What guessing gets right: the share of the commonest class, or one among all classes."""
    shares = [series.last for series in training.places("label-share").values() if len(series)]
    chance = chance_loss(training)
    one = [float(np.exp(-chance))] if chance is not None else []
    luck = max([*shares, *one], default=0.0)
    return luck if 0 < luck <= MAX_LUCK else None


def lead(accuracy: float, luck: float) -> float:
    """How much of the way from guessing to faultless an accuracy has come."""
    return (accuracy - luck) / (1 - luck)


def is_clear(training: Training, accuracy: float) -> bool:
    """Whether an accuracy is clearly more than luck; true where that cannot be told."""
    luck = lucky_accuracy(training)
    return luck is None or lead(accuracy, luck) >= CLEAR or accuracy >= TIMES_LUCK * luck


def beat_guessing(training: Training, name: str) -> bool:
    """Whether an evaluation was ever better than guessing; true where that cannot be told."""
    accuracy = training.series("eval-accuracy", name).values
    if len(accuracy) >= 3:
        best = max(float(np.median(accuracy[i : i + 3])) for i in range(len(accuracy) - 2))
        return is_clear(training, best)
    loss, chance = training.series("eval-loss", name).values, chance_loss(training)
    return chance is None or not len(loss) or float(loss.min()) < 0.95 * chance


def lead_of_evaluation(training: Training, name: str) -> float | None:
    """How far an evaluation came from guessing (0) towards faultless (1); ``None`` if unknown.

    Its loss at best, its accuracy over the later half: the larger of both.
    """
    guessing, luck = guessing_alone(training), lucky_accuracy(training)
    loss = training.series("eval-loss", name).values
    accuracy = training.series("eval-accuracy", name).values
    if guessing is None or luck is None or not np.isfinite([*loss, *accuracy]).all():
        return None
    leads = [1 - float(loss.min()) / guessing] if len(loss) else []
    if len(loss) and not 1 / SAME_UNITS < loss[0] / guessing < SAME_UNITS:
        return None
    if len(accuracy):
        leads.append(lead(float(np.median(accuracy[len(accuracy) // 2 :])), luck))
    return max(leads, default=None)


@dataclass(frozen=True, kw_only=True)
class Reached:
    """How far a training and its best evaluation came from guessing.

    Attributes:
        left: the training loss at the end, as a share of that of guessing.
        lead: see :func:`lead_of_evaluation`; the largest of all evaluations.
    """

    left: float
    lead: float


def learnt_by_heart(training: Training, max_lead: float, max_left: float) -> Reached | None:
    """What a classifier reached whose loss fell and all of whose evaluations are luck, or None."""
    loss, guessing = course(training.series("loss").values), guessing_alone(training)
    moves = training.facts.get("is_adversarial") or training.facts.get("has_teacher")
    if loss is None or guessing is None or moves or not loss.falls:
        return None
    leads = [lead_of_evaluation(training, name) for name in evaluations(training)]
    known = [lead for lead in leads if lead is not None]
    if not known or len(known) < len(leads) or max(known) > max_lead:
        return None
    left = loss.end / guessing
    return Reached(left=left, lead=max(known)) if left <= max_left else None


def accuracy_and_neighbours(training: Training) -> tuple[float, float] | None:
    """A net's accuracy late in its training, and that of guessing by the nearest examples.

    The better of its training batches and its evaluations at the end, in which dropout and
    augmentation are off; ``None`` where too few steps were sampled, or where the loss weighs its
    classes: accuracy is then not what it asks for.
    """
    neighbours = training.series("neighbour-accuracy")
    late = training.series("train-accuracy").since(training.steps // 3)
    ends = [float(np.max(s.values[-3:])) for s in training.places("eval-accuracy").values()]
    node = sole_loss(training)
    is_weighted = node is not None and bool(node.facts.get("has_weight"))
    if is_weighted or not len(neighbours) or len(late) < (1 if ends else 5):
        return None
    return max([float(late[-5:].mean()), *ends]), neighbours.last

"""What a loss would be if the model knew nothing of its inputs."""

from __future__ import annotations

import numpy as np

from babysit.run import Training
from babysit.wiring import Node


def chance_loss(training: Training) -> float | None:
    """Cross-entropy of guessing among equally likely classes: the logarithm of their number."""
    for wiring in training.wirings:
        for index in wiring.find({"NllLoss"}):
            source = wiring.source(wiring.nodes[index].inputs[0])
            if source is not None and wiring.nodes[source].op == "LogSoftmax":
                return float(np.log(wiring.nodes[source].shape[-1]))
    return None


def guessing_loss(training: Training) -> float | None:
    """What the training's loss would be if it guessed among the classes; sums counted as such."""
    chance = chance_loss(training)
    sizes = [size for w in training.wirings[:1] for index, size in [w.summed_loss()] if index]
    return chance * (sizes[0] if sizes else 1) if chance is not None else None


def guessing_alone(training: Training) -> float | None:
    """:func:`guessing_loss` where the loss is nothing but that, as a mean or a sum."""
    node = sole_loss(training)
    if node is not None and node.op.startswith("BinaryCrossEntropy"):
        return float(np.log(2))
    for wiring in training.wirings[:1]:
        is_summed = wiring.summed_loss()[0] == len(wiring.nodes) - 1
        return guessing_loss(training) if node is not None or is_summed else None
    return None


def ignorant_loss(training: Training) -> float | None:
    """What a mean loss would be if one best answer were given whatever the inputs.

    The variance of the targets under squared error, the entropy of the labels under an unweighted
    cross-entropy.
    """
    node = sole_loss(training)
    if node is None or node.facts.get("has_weight"):
        return None
    if node.op == "MseLoss":
        spread = training.series("target-column-std", node.op).values
        spread = spread if len(spread) else training.series("target-std", node.op).values
        return float(np.mean(spread**2)) if len(spread) else None
    return label_entropy(training) if node.op != "L1Loss" else None


def sole_loss(training: Training) -> Node | None:
    """The one comparison that the loss is made of, where the loss is nothing but its mean."""
    for wiring in training.wirings[:1]:
        last = wiring.nodes[-1] if wiring.nodes else None
        if last is not None and last.facts.get("reduction") == 1:
            return last
    return None


def label_entropy(training: Training) -> float | None:
    """Cross-entropy of always answering with the class shares, from the labels seen."""
    shares = [series.last for series in training.places("label-share").values() if len(series)]
    positive = np.array([share for share in shares if share > 0])
    return float(-(positive * np.log(positive)).sum()) if len(positive) else None

"""The simplest models there are, fitted with NumPy alone: no watcher takes them for a training."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.floating[Any]]

Kind: TypeAlias = Literal["classes", "yes or no", "quantities"]
MODELS: Final = ("constant", "linear", "hidden-layer")
UNITS: Final = 32
STEPS: Final = 400
BATCH: Final = 256
RATE: Final = 0.02
DECAY: Final = 1e-3  # keeps a linear model of many features from learning few examples by heart
EPSILON: Final = 1e-6
FARTHEST: Final = 5.0  # deviations; a pixel that is set once in the training data is no 40


def predictions(model: str, kind: Kind, inputs: Array, targets: Array, rows: Any) -> Array:
    """What a model answers for all inputs, fitted to some of them; scores before any softmax.

    Args:
        inputs: shape (examples, features).
        targets: shape (examples, outputs): shares of classes, shares of yes, or quantities.
        rows: Booleans of the examples to learn from.
    """
    if model == "constant":
        return np.repeat(constant(kind, targets[rows]), len(inputs), axis=0)
    centre: Any = 0.0
    size: Any = 1.0
    if kind == "quantities":
        centre, size = moments(targets[rows])
    mean, deviation = moments(inputs[rows])
    scaled = np.clip((inputs - mean) / deviation, -FARTHEST, FARTHEST)
    wanted = (targets - centre) / size
    weights = fitted(kind, scaled[rows], wanted[rows], 0 if model == "linear" else UNITS)
    return np.asarray(answered(weights, scaled)[-1] * size + centre, dtype=np.float32)


def constant(kind: Kind, targets: Array) -> Array:
    """The best answer that knows nothing of the inputs, shape (1, outputs)."""
    mean: Array = targets.mean(axis=0, keepdims=True)
    if kind == "quantities":
        return mean
    shares = np.clip(mean, EPSILON, 1 - EPSILON)
    odds: Array = np.log(shares) if kind == "classes" else np.log(shares / (1 - shares))
    return odds


def moments(values: Array) -> tuple[Array, Array]:
    """Mean and deviation of each column; constants deviate by 1."""
    deviation = values.std(axis=0)
    return values.mean(axis=0), np.where(deviation > EPSILON, deviation, 1).astype(np.float32)


def fitted(kind: Kind, inputs: Array, targets: Array, units: int) -> list[Array]:
    """Weights and biases after some hundred steps of Adam, the same ones whenever it is called."""
    numbers = np.random.default_rng(0)
    sizes = [inputs.shape[1], *([units] if units else []), targets.shape[1]]
    weights: list[Array] = []
    for index, (width, new) in enumerate(itertools.pairwise(sizes)):
        is_last = index == len(sizes) - 2
        scale = 0.0 if is_last else (2 / width) ** 0.5
        weights += [
            (scale * numbers.standard_normal((width, new))).astype(np.float32),
            np.zeros((1, new), dtype=np.float32),
        ]
    step = adam(weights)
    for _ in range(STEPS):
        rows = numbers.integers(len(inputs), size=min(BATCH, len(inputs)))
        step(gradients(kind, weights, inputs[rows], targets[rows]))
    return weights


def answered(weights: list[Array], inputs: Array) -> list[Array]:
    """Inputs, units of the hidden layer if there is one, and scores."""
    values = [inputs]
    for index in range(0, len(weights), 2):
        made = values[-1] @ weights[index] + weights[index + 1]
        is_last = index == len(weights) - 2
        values.append(made if is_last else np.maximum(made, 0))
    return values


def gradients(kind: Kind, weights: list[Array], inputs: Array, targets: Array) -> list[Array]:
    """Of the mean loss of a batch, and of a light decay of the weights."""
    values = answered(weights, inputs)
    error = (squashed(kind, values[-1]) - targets) / len(inputs)
    found: list[Array] = []
    for index in reversed(range(0, len(weights), 2)):
        before = values[index // 2]
        own = before.T @ error + DECAY * weights[index]
        found[:0] = [own, error.sum(axis=0, keepdims=True)]
        error = (error @ weights[index].T) * (before > 0)
    return found


def squashed(kind: Kind, scores: Array) -> Array:
    """What scores say: shares of classes, of yes, or the quantities themselves."""
    if kind == "classes":
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)
    if kind == "yes or no":
        return np.asarray(1 / (1 + np.exp(-np.clip(scores, -30, 30))), dtype=np.float32)
    return scores


def adam(weights: list[Array]) -> Callable[[list[Array]], None]:
    """A function that takes one step (Kingma and Ba 2015, algorithm 1), its rate falling to 0."""
    means, squares = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    done = [0]

    def step(given: list[Array]) -> None:
        done[0] += 1
        rate = RATE * (1 - (done[0] - 1) / STEPS)
        for index, gradient in enumerate(given):
            means[index] += 0.1 * (gradient - means[index])
            squares[index] += 0.001 * (gradient**2 - squares[index])
            size = np.sqrt(squares[index] / (1 - 0.999 ** done[0])) + 1e-8
            weights[index] -= rate * means[index] / (1 - 0.9 ** done[0]) / size

    return step

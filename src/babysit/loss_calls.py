"""What calls of loss functions tell by themselves, from their shapes and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from babysit.text import number, shape
from babysit.wiring import LossCall, Wiring

PAIRWISE: Final = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})
CLASSES: Final = ("cross_entropy", "nll_loss")
ACTIVATIONS: Final = {"Relu": "ReLU", "Tanh": "tanh", "LeakyRelu": "leaky ReLU", "Elu": "ELU",
                      "Gelu": "GELU", "Silu": "SiLU", "Softplus": "softplus"}  # fmt: skip
BINARIES: Final = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
MANY: Final = 20
POSITIVE: Final = 0.01  # log-probabilities exceed 0 by rounding only
Told: TypeAlias = Iterator[tuple[LossCall, str]]


def over_one_output(wiring: Wiring) -> Told:
    """``cross_entropy`` over a single output that raised, since a label was 1; more are classes."""
    for call in wiring.calls:
        is_single = len(call.prediction_shape) > 1 and call.prediction_shape[1] == 1
        is_refused = call.facts.get("crashed") and call.facts.get("target-max", 1.0) <= 1
        if call.function == "cross_entropy" and is_single and is_refused:
            yield call, always_certain(call.prediction_shape)


def always_certain(size: tuple[int, ...]) -> str:
    """What a cross-entropy over one output comes to."""
    return (
        f"cross-entropy over a single output of shape {shape(size)}: its softmax is always 1 and "
        "the loss always 0"
    )


def quantities_as_labels(wiring: Wiring) -> Told:
    """A binary cross-entropy whose targets are many numbers beyond 0…1: a regression."""
    for call in wiring.calls:
        low, high = call.facts.get("target-min", 0.0), call.facts.get("target-max", 1.0)
        are_labels = call.facts.get("target-integers") and call.facts["target-distinct"] <= MANY
        if call.function in BINARIES and (low < -0.5 or high > 1.5) and not are_labels:
            yield (
                call,
                f"the targets are quantities, from {number(low)} to {number(high)}, and the loss "
                "is a binary cross-entropy, for labels from 0 to 1",
            )


def negative_counts(wiring: Wiring) -> Told:
    """A Poisson likelihood whose targets are no counts."""
    for call in wiring.calls:
        lowest = call.facts.get("target-min", 0.0)
        if call.function == "poisson_nll_loss" and lowest < 0:
            yield (
                call,
                f"the loss takes the targets for counts, and they go down to {number(lowest)}: the "
                "Poisson likelihood knows no negative counts",
            )


def too_few_outputs(wiring: Wiring) -> Told:
    """Classification calls that raised because labels, counted from 0, exceed the outputs."""
    for call in wiring.calls:
        outputs = call.prediction_shape[1] if len(call.prediction_shape) > 1 else 0
        low, high = call.facts.get("target-min", 0.0), call.facts.get("target-max", 0.0)
        is_refused = call.function in CLASSES and outputs > 0 and call.facts.get("crashed")
        if is_refused and high >= outputs and (low == 0 or high > outputs) and low >= 0:
            yield call, f"the model has {outputs} outputs, but a label is {high:.0f}"


def one_target_column(wiring: Wiring) -> Told:
    """Element-wise losses of several outputs against a single target column."""
    for call in wiring.calls:
        prediction, target = call.prediction_shape, call.target_shape
        is_wide = len(prediction) == 2 and prediction[1] > 1
        if call.function in PAIRWISE and is_wide and target in ((prediction[0], 1), (1,)):
            yield (
                call,
                f"the prediction has {prediction[1]} outputs per example and the target one: "
                f"shape {shape(prediction)} against {shape(target)}",
            )


def outside_probabilities(wiring: Wiring) -> Told:
    """``binary_cross_entropy`` that raised, since the prediction is no probability."""
    for call in wiring.calls:
        low, high = call.facts.get("min", 0.0), call.facts.get("max", 0.0)
        if is_refused(call) and activation_of(call) is None:
            yield (
                call,
                "the loss `binary_cross_entropy` expects probabilities, but the prediction lies "
                f"between {number(low)} and {number(high)}: raw scores",
            )


def unsuited_activations(wiring: Wiring) -> Told:
    """``binary_cross_entropy`` that raised, since an activation gives more than probabilities."""
    for call in wiring.calls:
        name = activation_of(call)
        if is_refused(call) and name is not None:
            yield (
                call,
                f"the output's {name} gave {number(call.facts['min'])} to "
                f"{number(call.facts['max'])}, and `binary_cross_entropy` takes probabilities, "
                "from 0 to 1",
            )


def is_refused(call: LossCall) -> bool:
    """Whether ``binary_cross_entropy`` raised over values outside 0…1."""
    outside = call.facts.get("min", 0.0) < 0 or call.facts.get("max", 0.0) > 1
    return bool(call.facts.get("crashed")) and call.function == "binary_cross_entropy" and outside


def activation_of(call: LossCall) -> str | None:
    """The name of the activation that made a prediction, if one did."""
    return ACTIVATIONS.get(call.output.op) if call.output is not None else None


def positive_logarithms(wiring: Wiring) -> Told:
    """``kl_div`` whose prediction is above 0, where logarithms of probabilities never are."""
    for call in wiring.calls:
        highest = call.facts.get("max", 0.0)
        if call.function == "kl_div" and highest > POSITIVE:
            yield (
                call,
                "the loss `kl_div` expects log-probabilities first, never above 0, but the "
                f"prediction reaches {number(highest)}",
            )

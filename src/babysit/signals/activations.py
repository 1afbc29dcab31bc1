"""What layers give: silent and saturated units, scales, spread of the outputs."""

from __future__ import annotations

from typing import Final

from babysit.signal import Signal

ACTIVATIONS: Final[dict[str, Signal]] = {
    "inactive-share": Signal(
        meaning="share of a layer's ReLU units that no example of the batch activated",
        absent="the model has no ReLU",
    ),
    "dead-share": Signal(
        meaning="share of a layer's ReLU units silent in all recently sampled batches",
        absent="the model has no ReLU, or too few batches were sampled",
    ),
    "saturated-share": Signal(
        meaning="share of a layer's sigmoid or tanh units that stood at their ends for nearly all "
        "recent examples",
        absent="the model has no hidden sigmoid or tanh",
    ),
    "activation-rms": Signal(
        meaning="root mean square of what a layer reads at the first step, in forward order",
        absent="no linear layer was seen at the first step",
    ),
    "preactivation-rms": Signal(
        meaning="root mean square of a first layer's output, from its input and weights",
        absent="no first layer fed with plain data was seen",
    ),
    "output-spread": Signal(
        meaning="standard deviation of the predictions over the examples of a batch",
        absent="no loss with a prediction was seen",
    ),
    "prediction-min": Signal(
        meaning="smallest prediction of a sampled batch", absent="no loss with a target was seen"
    ),
    "prediction-max": Signal(
        meaning="largest prediction of a sampled batch", absent="no loss with a target was seen"
    ),
    "prediction-std": Signal(
        meaning="standard deviation of the predictions of a sampled batch",
        absent="no loss with a target was seen",
    ),
    "probability-error": Signal(
        meaning="how far exp(prediction) is from summing to 1 per row, where log-probabilities "
        "are expected",
        absent="no loss that reads log-probabilities was seen",
    ),
}

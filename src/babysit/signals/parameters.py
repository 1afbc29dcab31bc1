"""Parameters: size, gradient, update."""

from __future__ import annotations

from typing import Final

from babysit.signal import Signal

PARAMETERS: Final[dict[str, Signal]] = {
    "rows-touched": Signal(
        meaning="share of an embedding's rows that a batch looks up",
        absent="the model has no embedding",
    ),
    "weight-rms": Signal(
        meaning="root mean square of a parameter", absent="no parameter was sampled"
    ),
    "gradient-rms": Signal(
        meaning="root mean square of a parameter's gradient", absent="no gradient was sampled"
    ),
    "update-rms": Signal(
        meaning="root mean square of a parameter's change in one step",
        absent="no update was sampled",
    ),
    "unit-spread": Signal(
        meaning="largest difference between a weight's units, relative to its largest value",
        absent="no weight matrix was sampled",
    ),
    "layer-gain": Signal(
        meaning="how much a layer's first weights enlarge their input: their root mean square "
        "times the root of the fan-in",
        absent="no linear layer was seen at the first step",
    ),
}

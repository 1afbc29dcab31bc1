"""What only experiments write: rules that need it wait for a checkup."""

from __future__ import annotations

from typing import Final

from babysit.signal import CHECKUP, Signal

EXPERIMENTS: Final[dict[str, Signal]] = {
    "gradient-error": Signal(
        meaning="relative difference between a custom function's gradient and the numerical one",
        absent=CHECKUP,
    ),
    "small-batch-loss": Signal(
        meaning="loss of a trial that trains on ten examples only", absent=CHECKUP
    ),
    "small-batch-accuracy": Signal(
        meaning="share of those ten examples that the trial classifies rightly",
        absent=CHECKUP,
    ),
    "real-labels-loss": Signal(
        meaning="held-out loss of trials with the labels as they are, by seed",
        absent=CHECKUP,
    ),
    "shuffled-labels-loss": Signal(
        meaning="held-out loss of trials whose training labels were shuffled, by seed",
        absent=CHECKUP,
    ),
    "label-disagreement": Signal(
        meaning="share of wrong labels among the examples that a trial is surest of, never having "
        "seen them",
        absent=CHECKUP,
    ),
    "seed-score": Signal(
        meaning="held-out metric of the same trial under different seeds, one value a seed",
        absent=CHECKUP,
    ),
    "cross-example-influence": Signal(
        meaning="gradient of an example's output by the other examples, relative to that by its "
        "own input: the largest over some examples",
        absent=CHECKUP,
    ),
    "blank-input-loss": Signal(
        meaning="loss reached by the same training on blank inputs", absent=CHECKUP
    ),
    "real-input-loss": Signal(meaning="loss reached beside it on the real inputs", absent=CHECKUP),
}

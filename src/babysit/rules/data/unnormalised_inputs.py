from __future__ import annotations

from math import inf

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course, is_bounded_below
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number

NORMS = frozenset({"NativeBatchNorm", "CudnnBatchNorm", "NativeLayerNorm", "NativeGroupNorm"})
PASSING = 6


class UnnormalisedInputs(Rule):
    """Inputs are far from zero mean and unit scale, and the first layer suffers from it.

    Why it matters:
        Large inputs make the first layer's outputs and gradients as large: units saturate or
        die. Nets are not invariant to the scale of their inputs, and the rate that suits the
        first layer is wrong for all others.

    How it decides:
        Not by the inputs alone: the output of the first layer, from its weights and the data,
        is many times the unit scale that initialisation schemes aim for, at the first sampled
        steps, because the data are that large. Where only the inputs are somewhat large, and the
        training has learnt little, it is an advice.

    What to do:
        Subtract the training set's mean and divide by its standard deviation, per feature or
        channel; divide pixels by 255.

    When it is wrong:
        Inputs in 0…1, one-hot vectors, counts and spectrograms whose first layer gives ordinary
        values are not reported, nor are inputs that are normalised inside the model at once.
    """

    since = "0.1"
    severity = "warning"
    needs = ("preactivation-rms",)
    remedies = ("normalise-inputs",)
    explains = (
        "learning-rate-too-high",
        "loss-not-decreasing",
        "dead-relu",
        "vanishing-gradients",
        "non-finite-loss",
        "collapsed-outputs",
        "saturated-activations",
        "unexpected-initial-loss",
        "class-imbalance",
    )
    max_output = threshold(
        default=8, unit="root mean square of the first layer's output",
        why="51 healthy programs stay below 1.4; digits 0…16 fed raw, which still train well, give "
        "about 4; a raw table of wines gives 131",
    )  # fmt: skip
    max_input = threshold(
        default=8, unit="root mean square of the input", why="below it large weights are the cause"
    )
    max_unscaled = threshold(
        default=3, unit="root mean square of the input",
        why="for an advice, where little was learnt; no healthy program without a normalisation "
        "inside lies above 2.5, a sine over two periods at 7",
    )  # fmt: skip
    min_drop = threshold(
        default=0.5,
        unit="share of the first loss",
        why="a choice: what has lost half of its loss has learnt something",
    )
    max_error = threshold(
        default=0.5,
        unit="error of a regression over the targets' spread",
        why="a choice: always answering with the mean gives 1",
    )
    examples = (
        sick(input_rms={"fc1": [120.0] * 3}, preactivation_rms={"fc1": [70.0] * 3}),
        healthy(input_rms={"fc1": [0.5] * 3}, preactivation_rms={"fc1": [0.3] * 3}),
        healthy(input_rms={"fc1": [40.0] * 3}, preactivation_rms={"fc1": [1.0] * 3}),
    )

    def check(self, run: Training) -> Conclusions:
        """First layers whose input is large: certain where the output is, too; else an advice."""
        for layer, series in run.places("preactivation-rms").items():
            output = float(series.values[:3].min())
            size = float(run.series("input-rms", layer).values[:3].min())
            if not size < inf or normalises(run, layer):
                continue
            if self.max_output < output < inf and size > self.max_input:
                yield self._finding(run, layer, size, output)
            elif size > self.max_unscaled and output < inf and self._fits_badly(run):
                yield self._finding(run, layer, size, output, is_advice=True)

    def _fits_badly(self, run: Training) -> bool:
        """Whether most of what could be learnt is left at the end."""
        loss = course(run.series("loss").values)
        errors = [series.values[-3:] for series in run.places("regression-error").values()]
        is_wrong = any(float(np.median(error)) > self.max_error for error in errors)
        is_high = loss is not None and loss.start > 0 and loss.drop() < self.min_drop
        return is_bounded_below(run) and (is_wrong or is_high)

    def _finding(
        self, run: Training, layer: str, size: float, output: float, *, is_advice: bool = False
    ) -> Finding:
        scale = run.series("input-scale", layer)
        uneven = len(scale) > 0 and scale.first > 30
        features = (
            f"; the largest feature is {number(scale.first)} times the median one" if uneven else ""
        )
        suffers = "little was learnt from them" if is_advice else (
            f"the layer's outputs begin at {number(output)}"
        )  # fmt: skip
        return Finding(
            severity="advice" if is_advice else self.severity,
            confidence=0.7 if is_advice else 0.9,
            message=f"the inputs of `{layer}` are not normalised: their root mean square is "
            f"{number(size)}, about 1 is meant{features}; {suffers}",
            where=run.data_place(layer),
            evidence=(
                Evidence(signal="input-rms", value=size,
                         limit=self.max_unscaled if is_advice else self.max_input),
                Evidence(signal="preactivation-rms", value=output, limit=self.max_output),
            )[: 1 if is_advice else 2],
            remedies=(
                Remedy(
                    name="normalise-inputs",
                    text="Subtract the training set's mean and divide by its standard "
                    "deviation, per feature; for pixels divide by 255.",
                    change={"name": "normalise-inputs"},
                ),
            ),
        )  # fmt: skip


def normalises(run: Training, layer: str) -> bool:
    """Whether a normalisation follows the layer within its next few operations."""
    for wiring in run.wirings[:1]:
        starts = [index for index, node in enumerate(wiring.nodes) if node.layer == layer]
        waiting = starts[-1:]
        for _ in range(PASSING):
            waiting = [user for index in waiting for user in wiring.consumers[index]]
            if any(wiring.nodes[index].op in NORMS for index in waiting):
                return True
    return False

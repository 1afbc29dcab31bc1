from __future__ import annotations

from dataclasses import replace

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course, early_ratio, typical_ratio
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Parameter, Training
from babysit.text import count, number
from babysit.wiring import Node, chain

SGD = Optimizer(kind="SGD")
SUMMED = chain(Node(op="Addmm", shape=(64, 1)), Node(op="MseLoss", facts={"reduction": 2.0}))
AVERAGED = chain(Node(op="Addmm", shape=(64, 1)), Node(op="MseLoss", facts={"reduction": 1.0}))
FC = (Parameter(name="fc.weight", shape=(8, 8)),)
WILD = {"update_rms": {"fc.weight": [0.1] * 9}, "weight_rms": {"fc.weight": [0.5] * 9}}
CALM = {"update_rms": {"fc.weight": [0.001] * 9}, "weight_rms": {"fc.weight": [0.5] * 9}}
FALLING = [60.0 * 0.99**step for step in range(200)]


class GradientsNotAveraged(Rule):
    """The gradient grows with the batch: the loss is summed over examples, or over backwards.

    Why it matters:
        A summed loss makes each step as many times longer as the batch has examples. The same
        rate then means something else for every batch size, and under SGD usually far too much.

    How it decides:
        The graph ends in a sum over the batch, or several backwards of one loss make a step
        without a division; nothing divides later; the optimizer is not adaptive; and the
        updates are in fact far too large for the weights.

    What to do:
        Take the mean over the batch; with accumulation, divide the loss by the number of
        backwards.

    When it is wrong:
        Adaptive optimizers undo the scale, and a rate may have been chosen for the sum: as long
        as the updates are of a sound size, nothing is reported.
    """

    since = "0.1"
    severity = "warning"
    needs = ("wiring", "update-rms", "optimizer")
    remedies = ("average-loss",)
    explains = (
        "learning-rate-too-high",
        "non-finite-loss",
        "loss-not-decreasing",
        "loss-oscillating",
        "loss-diverging",
        "dead-relu",
        "gradient-spikes",
        "exploding-gradients",
        "unexpected-initial-loss",
        "saturated-activations",
        "underfitting",
    )
    max_ratio = threshold(
        default=0.06,
        unit="update / weight",
        why="healthy programs under SGD lie at 0.0004 to 0.052; 0.10 in the clinic",
    )
    min_leap = threshold(
        default=3,
        unit="times the first loss",
        why="2.9 was the most in healthy programs; then the early updates count, which did it",
    )
    min_backwards = threshold(
        default=4, unit="backwards a step", why="two or three may be losses of their own"
    )
    examples = (
        sick(wiring=SUMMED, parameters=FC, loss=FALLING, optimizer=SGD, **WILD),
        healthy(wiring=SUMMED, parameters=FC, loss=FALLING, optimizer=SGD, **CALM),
        healthy(wiring=AVERAGED, parameters=FC, loss=FALLING, optimizer=SGD,
                **WILD),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """A sum in the wiring, then updates that suffer from it."""
        if any(one.is_adaptive for one in run.optimizers) or not run.wirings:
            return
        wiring = run.wirings[0]
        index, size = wiring.summed_loss()
        passes = self._backwards(run)
        if index is None and passes < self.min_backwards:
            return
        if index is None and wiring.loss_factor() <= 2 / passes:
            return
        typical, early = typical_ratio(run), early_ratio(run)
        values = run.series("loss").values
        if not len(values):
            return
        ends_badly = not np.isfinite(values[-1])
        leaps = ends_badly or bool(np.nanmax(values) > self.min_leap * abs(values[0]))
        ratio = early if leaps or course(values) is None else typical
        if ratio is None or not ratio > self.max_ratio:
            return
        what = (
            f"the loss is summed over {count(size, 'example')}, not averaged"
            if index is not None
            else f"each step adds up {count(passes, 'backward')} without dividing by their number"
        )
        factor = size if index is not None else passes
        yield Finding(
            confidence=0.9,
            message=f"{what}: gradients are {number(factor)} times larger than the mean's, and one "
            f"step changes weights by {number(ratio)} of their size; about 0.001 is usual",
            where=replace(wiring.nodes[index].place, layer=None)
            if index is not None
            else run.source("backward"),
            evidence=(
                Evidence(signal="summed", value=factor, limit=1),
                Evidence(signal="update-ratio", value=ratio, limit=self.max_ratio),
            ),
            remedies=(
                Remedy(name="average-loss",
                       text="Take the mean over the batch (reduction=\"mean\", .mean()); with "
                       "accumulation divide the loss by the number of backwards.",
                       change={"name": "scale-loss", "factor": 1 / factor}),
            ),
        )  # fmt: skip

    def _backwards(self, run: Training) -> int:
        """Backwards of a step, where nearly all steps take the same number."""
        series = run.series("backwards")
        if len(series) < 0.8 * run.steps or not len(series):
            return 1
        usual = float(np.median(series.values))
        return int(usual) if (series.values == usual).mean() > 0.8 else 1

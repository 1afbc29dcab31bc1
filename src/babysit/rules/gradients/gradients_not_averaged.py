from __future__ import annotations

from dataclasses import replace

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.guessing import guessing_loss
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
SLOWLY = [60.0 * 0.998**step for step in range(200)]


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
        Adaptive optimizers and LBFGS undo the scale, and a rate may have been chosen for the sum:
        while the updates are of a sound size or the loss falls well, nothing is reported.
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
        "training-too-short",
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
        why="healthy programs under SGD lie below 0.052, 0.10 in the clinic; but sums that "
        "learn well reached 0.28, so that the loss has to stay high, too",
    )
    min_leap = threshold(
        default=3,
        unit="times the first loss",
        why="healthy noise leaps, too (32 times, of single examples): only counted where the loss "
        "ends high as well; then the early updates count, which did it",
    )
    max_drop = threshold(
        default=0.6,
        unit="share of the first loss",
        why="the clinic loses 0.4; where the loss falls well the rate was chosen for the sum",
    )
    min_backwards = threshold(
        default=4, unit="backwards a step", why="two or three may be losses of their own"
    )
    examples = (
        sick(wiring=SUMMED, parameters=FC, loss=SLOWLY, optimizer=SGD, **WILD),
        healthy(wiring=SUMMED, parameters=FC, loss=SLOWLY, optimizer=SGD, **CALM),
        healthy(wiring=AVERAGED, parameters=FC, loss=SLOWLY, optimizer=SGD,
                **WILD),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """A sum in the wiring, then updates that suffer from it."""
        if any(one.is_adaptive or one.kind == "LBFGS" for one in run.optimizers) or not run.wirings:
            return
        wiring = run.wirings[0]
        index, size = wiring.summed_loss()
        passes = self._backwards(run)
        if index is None and passes < self.min_backwards:
            return
        if index is None and wiring.loss_factor() <= 2 / passes:
            return
        ratio = self._harmful_ratio(run)
        if ratio is not None:
            node = wiring.nodes[index] if index is not None else None
            yield self._finding(run, node, size if node else passes, ratio)

    def _harmful_ratio(self, run: Training) -> float | None:
        """The update ratio of a training that suffers; ``None`` for one that learns."""
        typical, early = typical_ratio(run), early_ratio(run)
        values = run.series("loss").values
        if not len(values):
            return None
        ends_badly = not np.isfinite(values[-1])
        loss = course(values)
        guessing = guessing_loss(run) or np.inf
        if not ends_badly and (
            loss is None or loss.end < (1 - self.max_drop) * min(loss.start, guessing)
        ):
            return None
        leaps = ends_badly or bool(np.nanmax(values) > self.min_leap * abs(values[0]))
        ratio = early if leaps else typical
        return ratio if ratio is not None and ratio > self.max_ratio else None

    def _finding(self, run: Training, summed: Node | None, factor: int, ratio: float) -> Finding:
        what = (
            f"the loss is summed over {count(factor, 'example')}, not averaged"
            if summed is not None
            else f"each step adds up {count(factor, 'backward')} without dividing by their number"
        )
        return Finding(
            confidence=0.9,
            message=f"{what}: gradients are {number(factor)} times larger than the mean's, and one "
            f"step changes weights by {number(ratio)} of their size; about 0.001 is usual",
            where=replace(summed.place, layer=None) if summed else run.source("backward"),
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

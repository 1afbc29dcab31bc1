from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number


class RanksDiverged(Rule):
    """Weights that all ranks should hold alike differ between ranks.

    Why it matters:
        Averaged gradients are the gradients of one model. Applied to different weights they are
        the gradients of none, and what is saved in the end is only one rank's model.

    How it decides:
        Each rank leaves a few weights in the store of the process group at steps 0, 1, 2, 4, 8 …;
        they are compared after the update. Only parameters in DistributedDataParallel over all
        ranks, or whose gradients are averaged over all ranks by hand.

    What to do:
        Send the initial weights of rank 0 to all (``dist.broadcast``), or let
        DistributedDataParallel do it; call the wrapped model, not ``model.module``; use the same
        rate on every rank.

    When it is wrong:
        Sharded parameters, experts, pipelines and models that are averaged now and then differ by
        design: they are not averaged at every step over all ranks, and not compared. Running
        statistics of batch normalisation are left out.
    """

    since = "0.1"
    severity = "error"
    needs = ("rank-difference",)
    remedies = ("broadcast-weights",)
    explains = (
        "loss-not-decreasing", "loss-oscillating", "loss-diverging", "underfitting",
        "train-validation-mismatch",
    )  # fmt: skip
    max_difference = threshold(
        default=1e-3,
        unit="relative difference of the weights",
        why="ranks that apply the same gradients to the same weights stay equal to the last bit; "
        "the healthy clinics show 0, the sick one 1.2",
    )
    min_steps = threshold(
        default=2, unit="compared steps", why="one may fall on a moment of restoring a checkpoint"
    )
    examples = (
        sick(rank_difference={1: 1.3, 2: 1.3, 3: 1.2}),
        healthy(rank_difference={1: 0.0, 2: 0.0, 3: 1e-7}),
        healthy(rank_difference={1: 0.4, 2: 0.0, 3: 0.0}),
    )

    def check(self, run: Training) -> Conclusions:
        """The last comparison, and the first that showed it."""
        series = run.series("rank-difference")
        beyond = series.values > self.max_difference
        if beyond.sum() < self.min_steps or not beyond[-1]:
            return
        steps = series.steps[beyond].tolist()
        from_start = bool(beyond[0]) and steps[0] <= 2
        when = "from the first step" if from_start else f"since step {steps[0]} at the latest"
        cure = (
            "Send the weights of rank 0 to all before the first step: `for p in "
            "model.parameters(): dist.broadcast(p.data, src=0)`, or use DistributedDataParallel."
            if from_start
            else "Look for what one rank does alone: calling `model.module`, loading a "
            "checkpoint, changing the rate, skipping a step."
        )
        yield Finding(
            severity=self.severity,
            confidence=0.95,
            message=f"the replicated weights differ between ranks {when}: by "
            f"{number(series.last)} of their size",
            where=run.source_of_rate(),
            first_step=steps[0],
            evidence=(
                Evidence(signal="rank-difference", value=series.last, limit=self.max_difference,
                         steps=tuple(steps[:3])),
            ),
            remedies=(Remedy(name="broadcast-weights", text=cure),),
        )  # fmt: skip

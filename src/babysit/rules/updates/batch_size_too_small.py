from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course, holds_rate, is_bounded_below, typical_ratio
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number


class BatchSizeTooSmall(Rule):
    """Batches of one or two examples give gradients that are mostly noise.

    Why it matters:
        The gradient of one example points where that example wants to go. Without a small rate
        or a decay the weights wander instead of settling, and the hardware idles.

    How it decides:
        Batches hold at most four examples, the rate never falls, gradients of different batches
        do not agree at all, single losses scatter by more than their level, and through the
        second half of a long training the loss makes no progress while it has kept a good part
        of its first value.

    What to do:
        Take batches of 16 to 128 examples; or lower the rate, or let it decay.

    When it is wrong:
        Accumulated gradients, rates on a schedule, small rates, and losses that need not fall
        are not reported. Noise in the data themselves looks alike, and is averaged out alike.
    """

    since = "0.1"
    severity = "advice"
    needs = ("loss", "batch-size", "gradient-agreement")
    remedies = ("raise-batch-size",)
    explains = ("learning-rate-decay-due", "unexpected-initial-loss")
    max_size = threshold(default=4, unit="examples", why="from eight on batches average well")
    min_steps = threshold(
        default=500, unit="steps", why="small batches need many steps before they stop gaining"
    )
    max_agreement = threshold(
        default=0.1,
        unit="cosine",
        why="healthy programs with batches of 16 and more mostly lie at 0.1 to 0.6; with batches "
        "of one or two at -0.2 to 0.05",
    )
    max_progress = threshold(
        default=0.15,
        unit="share of the level",
        why="with batches of one a healthy program under decay gained 0.8 in its second half",
    )
    min_level = threshold(
        default=0.3, unit="share of the first level", why="below this it has learnt well"
    )
    min_ratio = threshold(
        default=0.03,
        unit="update / weight",
        why="smaller steps average the noise of many batches by themselves: healthy programs "
        "with batches of one and two lie at 0.018 and 0.008, the sick clinic at 0.088",
    )
    examples = (
        sick(
            loss=[1.0 + 0.9 * (-1) ** step for step in range(2000)],
            batch_size={100 * i: 1 for i in range(20)},
            gradient_agreement={100 * i: 0.02 * (-1) ** i for i in range(20)},
            learning_rate=[0.03],
            facts={"num_examples": 1500},
        ),
        healthy(
            loss=[1.0 + 0.2 * (-1) ** step for step in range(2000)],
            batch_size={100 * i: 32 for i in range(20)},
            gradient_agreement={100 * i: 0.02 * (-1) ** i for i in range(20)},
            learning_rate=[0.03],
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """Small batches that lead nowhere."""
        sizes = run.series("batch-size").values
        size = float(np.median(sizes))
        loss = course(run.series("loss").values)
        if loss is None or size > self.max_size or run.steps < self.min_steps:
            return
        if len(run.series("backwards")) or not is_bounded_below(run) or not holds_rate(run):
            return
        agreement = float(np.mean(run.series("gradient-agreement").values))
        middle, end = float(loss.levels[4:7].mean()), float(loss.levels[-3:].mean())
        progress = (middle - end) / max(end, 1e-12)
        if agreement > self.max_agreement or progress > self.max_progress:
            return
        if end < self.min_level * float(loss.levels[0]) or not self._wanders(run):
            return
        yield Finding(
            severity=self.severity,
            confidence=0.7,
            message=f"batches of {number(size)} give gradients that are mostly noise (those of "
            f"different batches agree by {number(agreement)} of 1), and the loss has stayed at "
            f"{number(end)} through the second half of {run.steps:,} steps",
            where=run.source("backward"),
            first_step=run.steps // 2,
            evidence=(
                Evidence(signal="batch-size", value=size, limit=self.max_size),
                Evidence(signal="gradient-agreement", value=agreement, limit=self.max_agreement),
                Evidence(signal="progress", value=progress, limit=self.max_progress),
            ),
            remedies=(
                Remedy(name="raise-batch-size", text="Take batches of 16 to 128 examples; or "
                       "divide the learning rate by 3 and let it decay.",
                       change={"name": "set-batch-size", "size": 32}),
            ),
        )  # fmt: skip

    def _wanders(self, run: Training) -> bool:
        """Steps large enough that their noise does not average out."""
        ratio = typical_ratio(run)
        return ratio is None or ratio > self.min_ratio

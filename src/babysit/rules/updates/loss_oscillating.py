from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import course, holds_rate, is_bounded_below, rate
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number


class LossOscillating(Rule):
    """The training loss bounces up and down without progress, far beyond the noise of batches.

    Why it matters:
        Steps that leap from one wall of the valley to the other spend the training on bouncing;
        somewhat smaller ones would come down between the walls.

    How it decides:
        In the second half of the training the loss makes no progress, and from step to step it
        jumps by several times what the spread of the examples within a batch explains, and by
        a good part of its own level, at an unchanging rate. A symptom: it is folded under a
        cause where one is found.

    What to do:
        Divide the learning rate by 3, or lower momentum; then let the rate decay.

    When it is wrong:
        Losses of opponents and of sampled returns, rates on a schedule, batches of a few
        examples, losses near zero and losses whose noise within a batch is not known are left
        alone.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss", "loss-noise")
    remedies = ("lower-lr",)
    is_symptom = True
    explains = ("learning-rate-decay-due", "early-stopping-missed")
    min_steps = threshold(default=150, unit="steps", why="the second half must show many bounces")
    min_excess = threshold(
        default=2.5,
        unit="jump / noise of the batch",
        why="healthy programs with a known noise jump by 0.9 to 1.6 times it; the bouncing one "
        "by 4",
    )
    min_swing = threshold(
        default=0.35,
        unit="share of the loss's level",
        why="smaller swings are seen on the way down of sound trainings at high rates",
    )
    min_level = threshold(
        default=0.03,
        unit="share of the first loss",
        why="near zero a single example makes any swing look large",
    )
    min_progress = threshold(
        default=0.15, unit="share of the level", why="a fall by more is progress within its noise"
    )
    examples = (
        sick(
            loss=[2.3, *[0.9 + 0.6 * (-1) ** step for step in range(300)]],
            loss_noise={20 * i: 0.05 for i in range(15)},
        ),
        healthy(
            loss=[2.3 * 0.99**step * (1 + 0.05 * (-1) ** step) for step in range(300)],
            loss_noise={20 * i: 0.05 for i in range(15)},
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """Jumps of the second half against the noise of the same steps."""
        points = run.series("loss")
        if len(points) < self.min_steps:
            yield Unexamined(reason=f"only {count(len(points), 'step')}: too few to tell")
            return
        middle = int(points.steps[len(points) // 2])
        late, noise = points.since(middle), run.series("loss-noise").since(middle)
        loss = course(late)
        if loss is None or not is_bounded_below(run) or not holds_rate(run, middle):
            return
        if len(noise) < 3 or not np.isfinite(late).all():
            return
        expected = float(np.sqrt(np.mean(np.square(noise))))
        jump = float(np.median(np.abs(np.diff(late)))) * 1.4826 / 2**0.5
        level = float(np.median(late))
        progress = (float(loss.levels[:3].mean()) - float(loss.levels[-3:].mean())) / level
        if level < self.min_level * points.first or progress > self.min_progress:
            return
        if jump < self.min_excess * expected or jump < self.min_swing * level:
            return
        used = rate(run)
        lower = f", to {number(used / 3)}" if used is not None else ""
        low, high = (number(float(value)) for value in np.quantile(late, [0.1, 0.9]))
        yield Finding(
            confidence=0.8,
            message=f"the loss bounces between {low} and {high} over the last "
            f"{count(len(late), 'step')} without getting lower, {number(jump / expected)} times as "
            "far as the spread within a batch explains",
            where=run.optimizers[0].place if run.optimizers else run.source("backward"),
            first_step=middle,
            evidence=(
                Evidence(signal="jump / loss-noise", value=jump / max(expected, 1e-30),
                         limit=self.min_excess, steps=(middle, int(points.steps[-1]))),
                Evidence(signal="jump / level", value=jump / level, limit=self.min_swing),
            ),
            remedies=(
                Remedy(name="lower-lr", text=f"Divide the learning rate by 3{lower}, or take less "
                       "momentum.", change={"name": "scale-learning-rate", "factor": 1 / 3}),
            ),
        )  # fmt: skip

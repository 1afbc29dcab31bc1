from __future__ import annotations

from typing import Any

import numpy as np

from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import course, holds_rate, is_bounded_below, rate
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number

NUM_BLOCKS = 30


class LossOscillating(Rule):
    """The training loss bounces up and down without progress, far beyond the noise of batches.

    Why it matters:
        Steps that leap from one wall of the valley to the other spend the training on bouncing;
        somewhat smaller ones would come down between the walls.

    How it decides:
        In the second half of the training, at an unchanging rate, the means of neighbouring
        steps swing by many times what the spread of the examples within a batch explains, by a
        good part of the loss's level, and by more than it falls meanwhile. A symptom: it is
        folded under a cause where one is found.

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
        default=6,
        unit="swing / noise of the batches",
        why="means of neighbouring steps swing by 0.5 to 2.6 times what batches explain in "
        "healthy programs, 3.8 where a class is rare; half the limit where all data are in "
        "every step: 0.7 healthy, 5 sick",
    )
    min_swing = threshold(
        default=0.25,
        unit="share of the loss's level",
        why="healthy programs at a constant rate and away from zero swing by 0.21 at most, with "
        "all data in every step by 0.04; the bouncing one there by 0.16",
    )
    min_level = threshold(
        default=0.04,
        unit="share of the first loss",
        why="near zero any swing looks large: a healthy recurrent net swings by 0.43 of 0.011",
    )
    max_progress = threshold(
        default=0.3, unit="share of the level", why="a fall by more is progress within its noise"
    )
    examples = (
        sick(
            loss=[2.3, *[0.9 + 0.6 * (-1) ** (step // 8) for step in range(300)]],
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
        if len(noise) < 2 or not np.isfinite(late).all():
            return
        repeats = run.series("batch-repeats").since(middle)
        is_whole = len(repeats) > 0 and bool((repeats == 1).all())
        num_blocks = len(late) if is_whole else NUM_BLOCKS  # all the data: every step tells
        blocks = np.array([block.mean() for block in np.array_split(late, num_blocks)])
        explained = float(np.sqrt(np.mean(np.square(noise)) * num_blocks / len(late)))
        time = np.arange(num_blocks)
        swing = float(np.std(blocks - np.polyval(np.polyfit(time, blocks, 2), time)))
        level = float(np.median(late))
        quarter = num_blocks // 4
        progress = float(blocks[:quarter].mean() - blocks[-quarter:].mean()) / level
        if level < self.min_level * points.first or progress > self.max_progress:
            return
        excess = swing / max(explained, 1e-30)
        share = 0.5 if is_whole else 1.0  # without luck, half as much is telling
        if excess < share * self.min_excess or swing < share * self.min_swing * level:
            return
        yield self._finding(run, late, excess, swing / level)

    def _finding(self, run: Training, late: Any, excess: float, swing: float) -> Finding:
        used = rate(run)
        lower = f", to {number(used / 3)}" if used is not None else ""
        low, high = (number(float(value)) for value in np.quantile(late, [0.1, 0.9]))
        first, last = run.steps - len(late), run.steps - 1
        return Finding(
            confidence=0.8,
            message=f"the loss bounces between {low} and {high} over the last "
            f"{count(len(late), 'step')} without getting lower, {number(excess)} times as far "
            "as the luck of the batches explains",
            where=run.source_of_rate(),
            first_step=max(first, 0),
            evidence=(
                Evidence(signal="swing / loss-noise", value=excess,
                         limit=self.min_excess, steps=(max(first, 0), last)),
                Evidence(signal="swing / level", value=swing, limit=self.min_swing),
            ),
            remedies=(
                Remedy(name="lower-lr", text=f"Divide the learning rate by 3{lower}, or take less "
                       "momentum.", change={"name": "scale-learning-rate", "factor": 1 / 3}),
            ),
        )  # fmt: skip

from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import Spike, spikes
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number, percent

CALM = [1.0 + 0.2 * (-1) ** step for step in range(300)]
WILD = [40.0 if step in (90, 150, 230) else value for step, value in enumerate(CALM)]
SHAKEN = [2.0 if step - 1 in (90, 150, 230) else 0.5 + 0.01 * (-1) ** step for step in range(300)]


class GradientSpikes(Rule):
    """Rare steps of a recurrent net have gradients far above all others, and nothing clips them.

    Why it matters:
        The same weight multiplies at every time step; on some batches the product explodes. One
        such step throws the weights far from where hundreds of steps had brought them.

    How it decides:
        The gradient of a recurrent weight lies tens of times above its own level at a few steps,
        the first ones aside, no clipping is in force, and the loss leaps right after.

    What to do:
        Clip the gradient's norm, at 5 or 15 (field practice), or at twice its usual size.

    When it is wrong:
        Spikes without an effect on the loss are not reported, nor those under adaptive optimizers,
        whose steps are bounded, unless the loss ends as NaN; nor large gradients at every
        step, which are a matter of the rate or the initialisation.
    """

    since = "0.1"
    severity = "warning"
    needs = ("recurrent-gradient-norm", "loss")
    remedies = ("clip-gradients",)
    explains = (
        "loss-not-decreasing",
        "loss-oscillating",
        "loss-diverging",
        "training-too-short",
        "non-finite-loss",
        "learning-rate-too-high",
        "dead-relu",
    )
    min_height = threshold(
        default=10,
        unit="times the level around it",
        why="the one unclipped recurrent program of the ward reaches 2.9, three clipped ones 5.1; "
        "the clinic 11 to 140",
    )
    min_spikes = threshold(
        default=2, unit="steps", why="a single bad batch is no pattern, unless it ends in NaN"
    )
    max_share = threshold(
        default=0.1, unit="share of steps", why="10 % of the batches or fewer (field practice)"
    )
    great_height = threshold(
        default=50,
        unit="times the level around it",
        why="one such step is enough: the clinic's tallest is 140 times the level",
    )
    min_leap = threshold(
        default=1.3,
        unit="times the loss before",
        why="mean of the next 5 steps: 1.5 to 1.7 in the clinic; and above any 5 before",
    )
    max_rise = threshold(
        default=1.5, unit="times the learning rate 30 steps before",
        why="a choice: schedules hold or lower it; warm-ups of some hundred steps stay below",
    )  # fmt: skip
    examples = (
        sick(loss=SHAKEN, recurrent_gradient_norm=WILD),
        healthy(loss=SHAKEN, recurrent_gradient_norm=CALM),
        healthy(loss=[0.5 + 0.01 * (-1) ** step for step in range(300)],
                recurrent_gradient_norm=WILD),
        healthy(loss=SHAKEN, recurrent_gradient_norm=WILD, clip_norm=[5.0] * 300),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Spikes of the gradient that the loss answers."""
        shaken = self._shaken(run)
        if not shaken:
            return
        worst, norms = (
            max(shaken, key=lambda one: one.height),
            run.series("recurrent-gradient-norm"),
        )
        recurrent = next((p.layer for p in run.parameters.values() if "weight_hh" in p.name), "")
        yield Finding(
            severity=self.severity,
            confidence=0.85,
            message=f"{count(len(shaken), 'step')} ({percent(len(shaken) / len(norms))}) had a "
            f"gradient up to {number(worst.height)} times its usual norm in the recurrent layer, "
            "and the loss leapt right after; nothing clips it",
            where=run.layer_place(recurrent) if recurrent else run.source("backward"),
            first_step=shaken[0].step,
            last_step=shaken[-1].step,
            evidence=(
                Evidence(signal="recurrent-gradient-norm", value=worst.value,
                         limit=self.min_height * worst.level,
                         steps=tuple(spike.step for spike in shaken[:8])),
            ),
            remedies=(
                Remedy(name="clip-gradients",
                       text="Between backward() and step(), call "
                       "torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0); 5 or 15 is "
                       "usual, about twice the usual norm is safe.",
                       change={"name": "clip-gradients", "max_norm": 5}),
            ),
        )  # fmt: skip

    def _shaken(self, run: Training) -> list[Spike]:
        """The spikes that count; none where something clips, bounds or explains them."""
        if len(run.series("clip-norm")) or len(run.series("clip-value")):
            return []
        norms = run.series("recurrent-gradient-norm")
        found = spikes(norms, self.min_height)
        if len(found) > max(self.max_share * len(norms), 1):
            return []
        shaken = [spike for spike in found if self._leaps(run, spike)]
        values = run.series("loss").values
        ends_badly = len(values) > 0 and not np.isfinite(values[-1])
        if any(one.is_adaptive for one in run.optimizers) and not ends_badly:
            return []  # their steps are bounded, whatever the gradient
        worst = max(shaken, key=lambda spike: spike.height, default=None)
        if worst is None or self._is_rising(run, worst.step):
            return []
        is_enough = len(shaken) >= self.min_spikes or worst.height >= self.great_height
        return shaken if is_enough or ends_badly else []

    def _is_rising(self, run: Training, step: int) -> bool:
        """Whether the learning rate had just grown: then that is what shakes the training."""
        rates = run.series("learning-rate", "0")
        before, now = rates.at(max(step - 30, 0)), rates.at(step)
        return bool(before and now and now > self.max_rise * before)

    def _leaps(self, run: Training, spike: Spike) -> bool:
        """Whether the loss of the next steps lies far above that of the steps before."""
        points = run.series("loss")
        steps, values = points.steps, points.values
        before = values[(steps > spike.step - 50) & (steps < spike.step - 1)]
        after = values[(steps > spike.step) & (steps <= spike.step + 5)]
        if len(before) < 10 or not len(after):
            return False
        level = float(np.median(before))
        highest = float(np.convolve(before, np.full(5, 0.2), mode="valid").max())
        leap = float(np.mean(after))  # NaN and Inf are leaps, too
        return not leap <= max(highest, self.min_leap * abs(level))

from __future__ import annotations

from collections.abc import Sequence

from babysit import schedules
from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import rates_over_steps
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training

EVERY_STEP = {"1": {"kind": "StepLR", "steps": 400, "at": 400}}
UNUSED = {"1": {"kind": "StepLR", "steps": 0, "at": 0}}
MADE = {"file": "train.py", "line": 9}
RENEWED = {
    "1": {"kind": "StepLR", "steps": 5, "at": 200, "place": MADE},
    "2": {"kind": "StepLR", "steps": 5, "at": 400, "place": MADE},
}
DRIVEN = {"1": {"kind": "ReduceLROnPlateau", "steps": 20, "at": 400, "mode": "min",
                "best": 0.1, "metric": 0.12}}  # fmt: skip
TURNED = {"1": {**DRIVEN["1"], "mode": "max", "best": 2.0}}
FALL, DYING = [2.0 * 0.99**step for step in range(400)], {40 * i: 0.1**i for i in range(8)}
OVERDUE = {"1": {"kind": "CosineAnnealingLR", "steps": 400, "at": 400, "total": 20}}


class SchedulerMisstepped(Rule):
    """The learning-rate scheduler is stepped too often, too rarely or never.

    Why it matters:
        A schedule counts its own steps. Planned in epochs and stepped with every batch, the rate
        is gone before the training has begun; planned in batches and stepped with every epoch,
        it never leaves its first value.

    How it decides:
        From the calls of ``scheduler.step()`` and the rates that resulted: a rate below a
        thousandth of its peak for most of the training, killed by a scheduler that steps with
        every batch; a rate that is zero long before the training ends; a cosine that ran past
        its ``T_max`` with every batch; a planned total that equals the number of batches while
        the steps come with the epochs; a scheduler that was never stepped at all; one that the
        same line makes anew before it has changed the rate; one driven by a metric whose mode is
        the wrong way round, so that every gain lowers the rate.

    What to do:
        Step once an epoch if the schedule is given in epochs, outside the loop over batches;
        or give its lengths in batches. For a loss, ``ReduceLROnPlateau`` needs mode "min".

    When it is wrong:
        Decay to zero at the end, warm restarts, one-cycle, steep steps late in the training and
        schedules driven by a metric in its right direction are not reported, nor are schedulers
        inside others.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss", "learning-rate")
    remedies = ("step-scheduler",)
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-low",
        "underfitting",
        "training-too-short",
        "weights-not-updating",
        "loss-oscillating",
    )
    dead_rate = threshold(
        default=1e-3, unit="share of the highest rate",
        why="below a thousandth nothing is learnt; schedules of 61 healthy programs spend 0.02 "
        "of their steps there, a rate test 0.3, the misstepped one 0.92",
    )  # fmt: skip
    dead_share = threshold(
        default=0.6, unit="share of the steps",
        why="a cosine to zero spends 0.02 of its steps below a thousandth, the steepest common "
        "step decay (three tenfold steps at half, three quarters, nine tenths) 0.1",
    )  # fmt: skip
    misled_share = threshold(
        default=0.3, unit="share of the steps",
        why="a choice: with the wrong mode, patience 0 kills the rate after 4 of 14 epochs",
    )  # fmt: skip
    zero_share = threshold(
        default=0.2, unit="share of the steps",
        why="a linear decay planned for the whole training reaches 0 with its last step",
    )  # fmt: skip
    min_steps = threshold(
        default=60, unit="steps", why="shorter trials end within the first epoch of a schedule"
    )
    examples = (
        sick(loss=[2.0] * 400, learning_rate={"0": [0.1]}, facts={"schedulers": RENEWED}),
        sick(
            loss=[2.0] * 400,
            learning_rate={"0": {5 * i: 0.01 * 0.3**i for i in range(80)}},
            facts={"schedulers": EVERY_STEP},
        ),
        sick(loss=[2.0] * 400, learning_rate={"0": [0.1]}, facts={"schedulers": UNUSED}),
        sick(loss=FALL, learning_rate={"0": DYING}, facts={"schedulers": TURNED}),
        healthy(loss=FALL, learning_rate={"0": DYING}, facts={"schedulers": DRIVEN}),
        sick(
            loss=[2.0] * 400,
            learning_rate={"0": {0: 0.1, 100: 0.0}},
            facts={"schedulers": {"1": {"kind": "StepLR", "steps": 20, "at": 400}}},
        ),
        sick(
            loss=[2.0] * 400,
            learning_rate={"0": [0.1 * (1 + (i % 40 - 20) / 20) for i in range(400)]},
            facts={"schedulers": OVERDUE},
        ),
        healthy(
            loss=[2.0 * 0.99**step for step in range(400)],
            learning_rate={"0": [0.1 * (1 - step / 400) for step in range(400)]},
            facts={"schedulers": EVERY_STEP},
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """Every scheduler of the training on its own."""
        rates = rates_over_steps(run)
        if run.steps < self.min_steps or not len(rates) or rates.max() <= 0:
            return
        own = list(run.facts.get("schedulers", {}).values())
        again = schedules.renewed(run, own)
        for misstep in [again] if again else [self._first(run, one, own) for one in own]:
            if misstep is not None:
                advice = misstep.advice[0].upper() + misstep.advice[1:] + "."
                yield Finding(
                    confidence=0.9,
                    message=misstep.text,
                    where=misstep.where,
                    evidence=(
                        Evidence(signal=misstep.signal, value=misstep.value, limit=misstep.limit),
                    ),
                    remedies=(Remedy(name="step-scheduler", text=advice),),
                )

    def _first(
        self, run: Training, one: schedules.Scheduler, own: Sequence[schedules.Scheduler]
    ) -> schedules.Misstep | None:
        """The first way in which a scheduler of its own missed the training."""
        if one.get("is_part"):
            return None
        is_alone = len(own) == 1
        return (
            schedules.never_stepped(run, one)
            or (is_alone and schedules.killed(run, one, self.dead_rate, self.dead_share))
            or (is_alone and schedules.misled(run, one, self.dead_rate, self.misled_share))
            or (is_alone and schedules.spent(run, one, self.zero_share))
            or schedules.overran(run, one)
            or schedules.hardly_stepped(run, one)
            or None
        )

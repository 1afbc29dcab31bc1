from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.measures import rates_over_steps
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number, percent

EVERY_STEP = {"1": {"kind": "StepLR", "steps": 400, "at": 400}}
UNUSED = {"1": {"kind": "StepLR", "steps": 0, "at": 0}}
MADE = {"file": "train.py", "line": 9}
RENEWED = {
    "1": {"kind": "StepLR", "steps": 5, "at": 200, "place": MADE},
    "2": {"kind": "StepLR", "steps": 5, "at": 400, "place": MADE},
}
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
        every batch; a cosine that ran past its ``T_max`` with every batch; a planned total that
        equals the number of batches while the steps come with the epochs; a scheduler that was
        never stepped at all; one that the same line makes anew before it has changed the rate.

    What to do:
        Step once an epoch if the schedule is given in epochs, outside the loop over batches;
        or give its lengths in batches.

    When it is wrong:
        Decay to zero at the end, warm restarts, one-cycle, steep steps late in the training and
        schedules driven by a metric are not reported, nor are schedulers inside others.
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
        own = run.facts.get("schedulers", {})
        renewed = [former for former, later in pairwise(own.values()) if is_renewed(former, later)]
        if renewed and not rates.max() > rates.min():
            text = f"schedule {renewed[0]['kind']} was made anew when it had taken "
            text += f"{count(renewed[0]['steps'], 'step')} of its own and had not changed the rate "
            text += "yet: it has counted from 0 again, and the rate has stayed at "
            text += number(float(rates[0]))
            place = {**renewed[0], "step_place": renewed[0]["place"]}
            yield self._finding(text, "make the scheduler once; for other parameters give its "
                                "optimizer a new group, or set last_epoch", place, "schedulers",
                                len(own), 1)  # fmt: skip
            return
        for scheduler in own.values():
            if not scheduler.get("is_part"):
                yield from self._judge(run, scheduler, alone=len(own) == 1)

    def _judge(self, run: Training, scheduler: Mapping[str, Any], alone: bool) -> Iterator[Finding]:
        kind, rates = scheduler["kind"], rates_over_steps(run)
        steps, total = scheduler["steps"], scheduler.get("total")
        every = scheduler["at"] / steps if steps else 0.0  # optimizer steps for one of its own
        dead = float((rates < self.dead_rate * rates.max()).mean())
        is_constant = bool(rates.max() - rates.min() <= 1e-6 * rates.max())
        per_batch = steps >= 20 and 0.5 < every < 1.5
        passes = int(max(run.series("epoch").values, default=0))
        if not steps and is_constant and scheduler["at"] == 0 and passes != 1:
            text = f"the scheduler ({kind}) was never stepped in {count(run.steps, 'step')}: the "
            text += f"rate stayed at {number(float(rates[0]))}"
            yield self._finding(text, "call scheduler.step() once an epoch, or once a batch if "
                                "its lengths count batches", scheduler, "steps", 0, 1)  # fmt: skip
        elif per_batch and dead > self.dead_share and alone and kind != "ReduceLROnPlateau":
            text = f"schedule {kind} is stepped with every batch, and the learning rate was below "
            text += f"{number(self.dead_rate)} of its highest value in {percent(dead)} of the "
            text += f"{count(run.steps, 'step')}"
            yield self._finding(text, "call scheduler.step() once an epoch, after the loop over "
                                "batches, or give its lengths in batches",
                                scheduler, "rate-dead-share", dead, self.dead_share)  # fmt: skip
        elif kind == "CosineAnnealingLR" and per_batch and total and self._overran(run, total):
            text = f"schedule CosineAnnealingLR was planned for T_max={total:,} steps and stepped "
            text += f"{count(run.steps, 'time')}, with every batch: the rate rises again after "
            text += f"step {total:,}"
            yield self._finding(text, "step it once an epoch, or set T_max to the number of "
                                "batches", scheduler, "scheduler-steps", run.steps,
                                total)  # fmt: skip
        elif total and steps and every > 3 and 0.9 < total / run.steps < 1.1 and steps < total / 3:
            own_steps = round(run.steps / every)
            text = f"schedule {kind} was planned for {total:,} steps, about one for each of the "
            text += f"{run.steps:,} batches, and stepped only {count(own_steps, 'time')}: the rate "
            text += f"stayed between {number(float(rates.min()))} and {number(float(rates.max()))}"
            yield self._finding(text, "call scheduler.step() after every optimizer.step()",
                                scheduler, "scheduler-steps", own_steps, total)  # fmt: skip

    def _overran(self, run: Training, total: int) -> bool:
        """Far past its end; in epochs of a DataLoader the plan counts epochs."""
        passes = int(max(run.series("epoch").values, default=0))
        return run.steps > 4 * total or (passes > 1 and total == passes and run.steps > 2 * total)

    def _finding(
        self, message: str, advice: str, scheduler: Mapping[str, Any], *evidence: Any
    ) -> Finding:
        signal, value, limit = evidence
        where = scheduler.get("step_place") or scheduler.get("place")
        return Finding(
            confidence=0.9,
            message=message,
            where=Place(**where) if where else None,
            evidence=(Evidence(signal=signal, value=value, limit=limit),),
            remedies=(Remedy(name="step-scheduler", text=advice[0].upper() + advice[1:] + "."),),
        )


def is_renewed(former: Mapping[str, Any], later: Mapping[str, Any]) -> bool:
    """Whether the line that made a scheduler made another one when its steps had ended."""
    is_same = former["kind"] == later["kind"] and former.get("place") == later.get("place")
    return is_same and former.get("place") is not None and former["steps"] > 0 and (
        former["at"] < later["at"]
    )  # fmt: skip

from __future__ import annotations

import math

from babysit.changes.rates import SweepLearningRate
from babysit.changes.runs import Reseed
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab import rates
from babysit.lab.finding_rate import SWEEP_STEPS, seen_rate, swept
from babysit.learning_rate import Sweep
from babysit.text import number
from babysit.trial import Trial

FAR_BELOW = 100.0  # times below what range tests suggest, which are seldom off by 10
MIN_FALL = 0.02  # of the loss during a range test; less says nothing of where it falls


class LearningRateRange(Experiment):
    """Two range tests: where the loss falls, where it explodes, and where the script's rate lies.

    The rate grows over 100 steps, under two seeds. A good one lies at 1 to 1/10 of the rates that
    bring NaN (A2), or lower; `babysit lr` finds which.
    """

    question = "Is the learning rate in the sane range?"
    order = 40

    def cost(self, lab: Lab) -> float:
        return sum(lab.cost(trial) for trial in self._trials(lab, 1e-2))

    def conduct(self, lab: Lab) -> Conduct:
        current = seen_rate(lab.training)
        if current is None:
            return not_tried("no learning rate was seen")
        results = yield self._trials(lab, current)
        refusal = next((one.refusal for one in results if one.refusals), None)
        sweeps = [sweep for sweep in map(swept, results) if sweep is not None]
        if refusal is not None or not sweeps:
            return not_tried(refusal or "no loss was seen")
        return judged(sweeps, current)

    def _trials(self, lab: Lab, current: float) -> list[Trial]:
        change = SweepLearningRate(
            low=min(1e-7, current / 1e3), high=max(10.0, current * 1e2), steps=SWEEP_STEPS
        )
        return [
            lab.trial(f"range-test-{seed}", Reseed(seed=seed), change, steps=SWEEP_STEPS)
            for seed in (0, 1)
        ]


def judged(sweeps: list[Sweep], current: float) -> Answer:
    """Where a rate lies among what range tests show."""
    blown = [one.blow_up for one in sweeps if one.blow_up is not None]
    border = rates.geometric_median(blown) if blown else None
    hint = rates.hint(sweeps) if max(one.fall for one in sweeps) >= MIN_FALL else None
    data = {"current": current, "explodes_at": border, "hint": hint}
    said = f"your rate is {number(current)}"
    if border is not None:
        said += f", the loss explodes at about {number(border)}"
    if hint is not None:
        said += f", range tests point to about {number(hint)}"
    more = "; `babysit lr` tells more"
    if border is not None and current > border:
        return Answer(verdict="unsound", text=said + more, data=data)
    if hint is not None and current < hint / FAR_BELOW:
        return Answer(verdict="unsound", text=said + more, data=data)
    if hint is None:
        return Answer(verdict="told", text=f"{said}; no range test's loss falls{more}", data=data)
    near = math.isclose(math.log10(current), math.log10(hint), abs_tol=1.0)
    return Answer(verdict="sound" if near else "told", text=said + more, data=data)

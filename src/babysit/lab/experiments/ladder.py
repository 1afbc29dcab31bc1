from __future__ import annotations

from typing import Final

from babysit.changes.data import HoldOut, KeepExamples
from babysit.changes.learning import StopWhenLearnt
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.trial import Trial

RUNGS: Final = (10, 100, 1000)
LEFT: Final = 0.2
MOST_STEPS: Final = 1000
FACTOR: Final = 10.0  # A10: a rung rarely needs more than ten times the steps of the one below


class Ladder(Experiment):
    """Ten examples, a hundred, a thousand: how many steps each rung needs (A9, A10)."""

    question = "How do the steps it needs grow with the examples?"
    order = 65

    def cost(self, lab: Lab) -> float:
        return lab.cost(self._trial(lab, 100)) * (2 if lab.is_thorough else 1)

    def conduct(self, lab: Lab) -> Conduct:
        needed: dict[int, int] = {}
        for size in RUNGS if lab.is_thorough else RUNGS[:2]:
            [result] = yield [self._trial(lab, size)]
            if result.refusal is not None:
                return not_tried(result.refusal)
            if not is_climbed(result.losses.values, result.run.steps, result.trial.max_steps):
                return self._stuck(needed, size, result.run.steps)
            needed[size] = result.run.steps
        climbed = ", ".join(f"{size} in {steps}" for size, steps in needed.items())
        return Answer(
            verdict="sound",
            text=f"{climbed} steps (to a fifth of the first loss)",
            data={"steps": needed},
        )

    def _trial(self, lab: Lab, size: int) -> Trial:
        changes = (HoldOut(share=0), KeepExamples(size=size), StopWhenLearnt(left=LEFT))
        return lab.trial(f"ladder-{size}", *changes, steps=MOST_STEPS)

    def _stuck(self, needed: dict[int, int], size: int, steps: int) -> Answer:
        below = max(needed, default=0)
        text = f"{size} examples were not learnt in {steps} steps"
        if below:
            text += f", {below} were in {needed[below]}"
            if steps >= FACTOR * needed[below]:
                text += ": more than ten times as many, so put a rung of less difficulty between"
        return Answer(verdict="told", text=text, data={"steps": needed, "stuck_at": size})


def is_climbed(losses: object, steps: int, most: int) -> bool:
    """Whether a rung was learnt: the trial stopped before its steps were over, its loss is low."""
    values = list(losses)  # type: ignore[call-overload]  # an array of floats
    return steps < most and bool(values) and values[-1] <= LEFT * values[0]

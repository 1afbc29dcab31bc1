from __future__ import annotations

from typing import TYPE_CHECKING, Final

from babysit.change import Change
from babysit.changes.data import HoldOut, KeepExamples
from babysit.changes.functions import SetDropout
from babysit.changes.learning import StopWhenLearnt
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.comparing import WAYS
from babysit.trial import Result, Trial

if TYPE_CHECKING:
    from babysit.series import Floats

STEPS: Final = 300  # of ten examples or more; smaller batches have as many examples in all
MOST_STEPS: Final = 1500
SIZES: Final = (10, 2)
ENOUGH: Final = 0.3  # of the first loss; the rule's limit
RIGHT: Final = 0.9


class OverfitSmallBatch(Experiment):
    """Ten examples, then two, are to be learnt by heart (A6, C2).

    Tried as the script trains, then with Adam at usual rates, then without dropout: a rate that is
    too low for a few hundred steps is no fault of the net's.
    """

    question = "Can it learn ten examples by heart?"
    order = 10
    writes = ("small-batch-loss", "small-batch-accuracy")

    def cost(self, lab: Lab) -> float:
        return 2 * lab.cost(self._trial(lab, 10, ()))

    def conduct(self, lab: Lab) -> Conduct:
        best: Result | None = None
        cycle = max(1, round(SIZES[0] / lab.batch_size))
        for way in (*WAYS, (*WAYS[1], SetDropout(p=0.0))):
            first, second = yield [self._trial(lab, size, way) for size in SIZES]
            if first.refusal is not None:
                if best is None:
                    return not_tried(first.refusal)
                continue
            curve = losses(first, cycle)
            if best is None or left(curve) < left(losses(best, cycle)):
                best = first
            right = averaged(first.noted("training-accuracy").values, cycle)[-1:]
            if left(curve) <= ENOUGH or (right and right[0] >= RIGHT):
                self._record(lab, first, cycle)
                return self._learnt(first, second, way)
        assert best is not None
        self._record(lab, best, cycle)
        rest, steps = left(losses(best, cycle)), best.run.steps
        return Answer(
            verdict="unsound",
            text=f"no: {rest:.0%} of the first loss is left after {steps} steps",
            data={"left": rest, "steps": steps},
        )

    def _trial(self, lab: Lab, size: int, way: tuple[Change, ...]) -> Trial:
        changes = (HoldOut(share=0), KeepExamples(size=size), StopWhenLearnt(), *way)
        steps = min(MOST_STEPS, round(STEPS * max(1, SIZES[0] / lab.batch_size)))
        return lab.trial(f"overfit-{size}", *changes, steps=steps, at_least=steps)

    def _learnt(self, first: Result, second: Result, way: tuple[Change, ...]) -> Answer:
        steps = {size: one.run.steps for size, one in zip(SIZES, (first, second), strict=True)}
        text = f"yes, in {steps[10]} steps"
        if second.refusal is None:
            text += f"; two examples in {steps[2]}"
        if way:
            text += f", though not as the script trains: with {' and '.join(map(str, way))}"
        return Answer(
            verdict="told" if way else "sound", text=text,
            data={"steps": steps, "changes": [one.to_json() for one in way]},
        )  # fmt: skip

    def _record(self, lab: Lab, result: Result, cycle: int) -> None:
        lab.record("small-batch-loss", losses(result, cycle))
        accuracy = averaged(result.noted("training-accuracy").values, cycle)
        lab.record("small-batch-accuracy", accuracy[-1:])


def losses(result: Result, cycle: int = 1) -> list[float]:
    """The training loss, without regularisation where that is known.

    Args:
        cycle: steps over which all ten examples are dealt; the loss is their mean.
    """
    noted = result.noted("training-loss").values
    return averaged(noted if len(noted) else result.losses.values, cycle)


def averaged(values: Floats, cycle: int) -> list[float]:
    """Means over so many values in a row."""
    import numpy as np

    if len(values) < cycle:
        return [float(one) for one in values]
    means = np.convolve(values, np.ones(cycle) / cycle, mode="valid")
    return [float(one) for one in means]


def left(curve: list[float]) -> float:
    """Which part of the first loss is left at the end."""
    if not curve or curve[0] <= 0:
        return 0.0 if curve else float("inf")
    return sorted(curve[-20:])[len(curve[-20:]) // 2] / curve[0]

from __future__ import annotations

from typing import Final

from babysit.change import Change
from babysit.changes.data import HoldOut, KeepExamples
from babysit.changes.functions import SetDropout
from babysit.changes.learning import StopWhenLearnt
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.comparing import WAYS
from babysit.trial import Result, Trial

STEPS: Final = 300
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
        for way in (*WAYS, (*WAYS[1], SetDropout(p=0.0))):
            first, second = yield [self._trial(lab, size, way) for size in SIZES]
            if first.refusal is not None:
                if best is None:
                    return not_tried(first.refusal)
                continue
            if best is None or left(first) < left(best):
                best = first
            if is_learnt(first):
                self._record(lab, first)
                return self._learnt(first, second, way)
        assert best is not None
        self._record(lab, best)
        return Answer(
            verdict="unsound",
            text=f"no: {left(best):.0%} of the first loss is left after {len(losses(best))} steps",
            data={"left": left(best), "steps": len(losses(best))},
        )

    def _trial(self, lab: Lab, size: int, way: tuple[Change, ...]) -> Trial:
        changes = (HoldOut(share=0), KeepExamples(size=size), StopWhenLearnt(), *way)
        return lab.trial(f"overfit-{size}", *changes, steps=STEPS, at_least=STEPS)

    def _learnt(self, first: Result, second: Result, way: tuple[Change, ...]) -> Answer:
        steps = {size: len(losses(one)) for size, one in zip(SIZES, (first, second), strict=True)}
        text = f"yes, in {steps[10]} steps"
        if second.refusal is None:
            text += f"; two examples in {steps[2]}"
        if way:
            text += f", though not as the script trains: with {' and '.join(map(str, way))}"
        return Answer(
            verdict="told" if way else "sound", text=text,
            data={"steps": steps, "changes": [one.to_json() for one in way]},
        )  # fmt: skip

    def _record(self, lab: Lab, result: Result) -> None:
        lab.record("small-batch-loss", list(losses(result)))
        accuracy = result.noted("training-accuracy").values
        if len(accuracy):
            lab.record("small-batch-accuracy", list(accuracy[-1:]))


def losses(result: Result) -> list[float]:
    """The training loss at every step, without regularisation where that is known."""
    noted = result.noted("training-loss").values
    return [float(one) for one in (noted if len(noted) else result.losses.values)]


def left(result: Result) -> float:
    """Which part of the first loss is left at the end."""
    curve = losses(result)
    if not curve or curve[0] <= 0:
        return 0.0 if curve else float("inf")
    return sorted(curve[-20:])[len(curve[-20:]) // 2] / curve[0]


def is_learnt(result: Result) -> bool:
    accuracy = result.noted("training-accuracy").values
    return left(result) <= ENOUGH or (len(accuracy) > 0 and accuracy[-1] >= RIGHT)

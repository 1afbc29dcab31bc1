from __future__ import annotations

import math
from typing import Final

from babysit.changes.baselines import FitBaselines
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.comparing import plain, refusal
from babysit.lab.generalisation import Fit, fit_of, mean
from babysit.lab.resting import judged
from babysit.text import number, percent
from babysit.trial import Result

SEEDS: Final = (0, 1, 2)
NAMES: Final = {
    "constant": "a constant answer", "linear": "a linear model",
    "hidden-layer": "one hidden layer of 32 units",
}  # fmt: skip
RIVALS: Final = ("constant", "linear")
CLEAR_LOSS: Final = 1.25  # times the held-out loss of a simple model
CLEAR_SHARE: Final = 0.35  # of the loss of a constant; 0.29 for a sound net on data of a line
CLEAR_ACCURACY: Final = 0.05  # below that of a simple model


class SimplestBaseline(Experiment):
    """A constant, a linear model and one hidden layer on the data that the model meets (C1).

    They are fitted in a moment and judged on the same held-out examples, in the script's loss. A
    model that a linear one outdoes has a fault, or needs other settings.
    """

    question = "Is the model better than the simplest ones?"
    order = 55

    def cost(self, lab: Lab) -> float:
        return 2 * lab.cost(plain(lab, 0)) + 2.0

    def conduct(self, lab: Lab) -> Conduct:
        trials = [judged(lab, seed) for seed in SEEDS]
        baseline, *results = yield [lab.trial("baselines", FitBaselines()), *trials]
        if (why := refusal([baseline, *results])) is not None:
            return not_tried(why)
        rivals = {name: rival for name in NAMES if (rival := rival_of(baseline, name))}
        fits = [fit for one in results if (fit := fit_of(one)) is not None]
        if len(rivals) < len(NAMES) or len(fits) < len(SEEDS):
            return not_tried("too few examples or steps to hold any out")
        lost = [n for n in RIVALS if is_outdone(fits, rivals[n], worth=rivals["constant"][0])]
        data = {
            "model": mean([one.held_out_end for one in fits]),
            **{name: loss for name, (loss, _) in rivals.items()},
        }
        told = f"held-out loss {said(fits)}; {', '.join(map(phrase, rivals.items()))}"
        if not lab.ran_through:
            return Answer(verdict="told", text=f"before the training's end: {told}", data=data)
        if lost:
            text = (
                f"no, {NAMES[lost[-1]]} is better: {told}. Make the model that simple and add to "
                "it step by step"
            )
            return Answer(verdict="unsound", text=text, data=data)
        return Answer(verdict="told", text=told, data=data)


def rival_of(result: Result, name: str) -> tuple[float, float] | None:
    """Held-out loss and accuracy of a simple model; NaN where there are no classes."""
    losses = result.noted(f"{name}-held-out-loss")
    accuracies = result.noted(f"{name}-held-out-accuracy")
    if not len(losses):
        return None
    return losses.last, accuracies.last if len(accuracies) else float("nan")


def is_outdone(fits: list[Fit], rival: tuple[float, float], *, worth: float) -> bool:
    """Whether a simple model is clearly better than the model under every seed.

    Args:
        worth: the loss of knowing nothing, of which the difference is to be a good part.
    """
    loss, accuracy = rival
    best = min(one.held_out_end for one in fits)
    is_worse = best > CLEAR_LOSS * loss > 0 and (loss >= worth or best - loss > CLEAR_SHARE * worth)
    right = max(one.held_out_accuracy for one in fits)
    return is_worse and not right > accuracy - CLEAR_ACCURACY  # NaN, without classes, passes


def said(fits: list[Fit]) -> str:
    """The model's own held-out loss and accuracy."""
    loss, accuracy = [f.held_out_end for f in fits], [f.held_out_accuracy for f in fits]
    return with_accuracy(mean(loss), mean(accuracy))


def phrase(rival: tuple[str, tuple[float, float]]) -> str:
    name, (loss, accuracy) = rival
    return f"{NAMES[name]} {with_accuracy(loss, accuracy)}"


def with_accuracy(loss: float, accuracy: float) -> str:
    right = "" if math.isnan(accuracy) else f" ({percent(accuracy)} right)"
    return number(loss) + right

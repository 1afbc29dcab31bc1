from __future__ import annotations

from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.looking import MODES, hindrance, look
from babysit.text import number

ALIKE = 0.02  # share of the loss


class Modes(Experiment):
    """The loss of one batch in training mode and in evaluation mode."""

    question = "Do training and evaluation mode agree?"
    order = 7

    def cost(self, lab: Lab) -> float:
        return 0.0  # the trial is shared

    def conduct(self, lab: Lab) -> Conduct:
        [result] = yield [look(lab)]
        trained, evaluated = result.noted("train-mode-loss"), result.noted("eval-mode-loss")
        if not len(trained):
            return not_tried(hindrance(result, MODES) or "no loss of a model was seen")
        one, other = trained.last, evaluated.last
        is_alike = abs(one - other) <= ALIKE * max(abs(one), abs(other))
        said = f"loss {number(one)} of a batch in training mode, {number(other)} in evaluation mode"
        return Answer(
            verdict="sound" if is_alike else "told",
            text=f"yes: {said}" if is_alike else said,
            data={"train": one, "eval": other},
        )

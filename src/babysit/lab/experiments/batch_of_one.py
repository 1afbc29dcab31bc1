from __future__ import annotations

from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.looking import SINGLES, hindrance, look
from babysit.text import percent

SAME = 1e-3  # of the largest output: more than rounding


class BatchOfOne(Experiment):
    """One example alone, beside the same one within its batch (A7)."""

    question = "Does it say the same of an example alone?"
    order = 6

    def cost(self, lab: Lab) -> float:
        return 0.0  # the trial is shared

    def conduct(self, lab: Lab) -> Conduct:
        [result] = yield [look(lab)]
        crash = result.noted("single-example-crash")
        if not len(crash):
            return not_tried(hindrance(result, SINGLES) or "no call of a model could be examined")
        if crash.last:
            return Answer(verdict="told", text="it takes two examples but fails on a single one")
        difference = result.noted("single-example-difference").last
        lost = result.noted("single-example-dimensions-lost").last
        data = {"difference": difference, "dimensions_lost": lost}
        if difference > SAME:
            text = f"no: its output differs by {percent(difference)}"
            return Answer(verdict="told", text=text, data=data)
        if lost:
            text = "yes, but its output loses a dimension, as by squeeze() without one"
            return Answer(verdict="told", text=text, data=data)
        return Answer(verdict="sound", text="yes", data=data)

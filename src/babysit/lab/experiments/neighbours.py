from __future__ import annotations

from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.looking import MIXING, hindrance, look
from babysit.text import percent

MUCH = 0.01  # of its own influence, as the rule has it


class Neighbours(Experiment):
    """The gradient of an example's output by the other examples: zero where they are kept apart.

    Random cotangents, several examples, in evaluation mode.
    """

    question = "Does it keep the examples of a batch apart?"
    order = 5
    writes = ("cross-example-influence",)

    def cost(self, lab: Lab) -> float:
        return lab.cost(look(lab))

    def conduct(self, lab: Lab) -> Conduct:
        [result] = yield [look(lab)]
        influence = result.noted("cross-example-influence")
        if not len(influence):
            return not_tried(hindrance(result, MIXING) or "no call of a model could be examined")
        lab.record("cross-example-influence", [influence.last])
        mixes = influence.last > MUCH
        return Answer(
            verdict="unsound" if mixes else "sound",
            text=f"no: others move its output by {percent(influence.last)} of what it does itself"
            if mixes
            else "yes",
            data={"influence": influence.last},
        )

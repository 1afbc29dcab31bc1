from __future__ import annotations

from typing import Any

import numpy as np

from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.looking import look
from babysit.text import count, listing, percent

WRONG = 0.01  # relative error, as the rule has it


class CustomGradients(Experiment):
    """The backwards of the script's own autograd functions, beside difference quotients (B7)."""

    question = "Are the gradients that it defines itself right?"
    order = 8
    writes = ("gradient-error",)

    def cost(self, lab: Lab) -> float:
        return 0.0  # the trial is shared

    def conduct(self, lab: Lab) -> Conduct:
        [result] = yield [look(lab)]
        found: dict[str, Any] = result.run.trial.get("functions", {})
        errors: dict[str, list[float]] = found.get("errors", {})
        if not errors:
            unjudged = found.get("unjudged", {})
            why = next((f"{name}: {why}" for name, why in unjudged.items()), None)
            return not_tried(why or "it defines none")
        lab.fact("surrogate_gradients", found["surrogates"])
        lab.fact("function_places", found["places"])
        for name, values in errors.items():
            lab.record("gradient-error", values, place=name)
        wrong = {
            name: float(np.median(values))
            for name, values in errors.items()
            if np.median(values) > WRONG and name not in found["surrogates"]
        }
        shown = listing(f"{name} by {percent(error)}" for name, error in wrong.items())
        text = f"no: {shown}" if wrong else f"yes: {count(len(errors), 'function')} examined"
        return Answer(verdict="unsound" if wrong else "sound", text=text, data={"errors": errors})

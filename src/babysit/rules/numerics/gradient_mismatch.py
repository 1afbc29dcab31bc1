from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import percent


class GradientMismatch(Rule):
    """A custom autograd function's gradient differs from the numerical one.

    Why it matters:
        Training follows a slope that is not the loss's: it learns something, slowly and worse,
        and no curve tells why.

    How it decides:
        An experiment: the function is called on a few inputs in double precision, its backward
        compared with central differences. Reported when the relative difference is far beyond
        what rounding and step size explain.

    What to do:
        ``babysit.gradcheck(function, inputs)`` names the wrong elements; derive the backward again
        and keep that call among your tests. Most often the backward can be deleted: autograd knows
        the operations of the forward.

    When it is wrong:
        Straight-through estimators, gradient reversal and surrogate gradients of steps differ by
        intent: the numerical gradient is zero or the exact opposite there, and they are not
        reported.
    """

    since = "0.1"
    severity = "error"
    needs = ("gradient-error",)
    remedies = ("mend-backward",)
    explains = (
        "loss-not-decreasing", "underfitting", "loss-oscillating", "vanishing-gradients",
        "exploding-gradients", "learning-rate-too-low", "training-too-short",
    )  # fmt: skip
    max_error = threshold(
        default=0.01,
        unit="relative difference",
        why="central differences in double precision agree to 1e-6 for right gradients; wrong "
        "ones differ by 0.1 and more",
    )
    examples = (
        sick(gradient_error={"SwishFunction": {0: 0.4, 1: 0.5}}),
        healthy(gradient_error={"SwishFunction": {0: 1e-7, 1: 3e-7}}),
        healthy(gradient_error={"RoundStraightThrough": {0: 1.0, 1: 1.0}},
                facts={"surrogate_gradients": ["RoundStraightThrough"]}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Every function whose error is beyond the limit in most trials."""
        meant = run.facts.get("surrogate_gradients", ())
        places = run.facts.get("function_places", {})
        for function, series in run.places("gradient-error").items():
            error = float(np.median(series.values))
            if error <= self.max_error or function in meant:
                continue
            yield Finding(
                severity=self.severity,
                confidence=0.95,
                message=f"the backward of `{function}` is wrong: its gradient differs from the "
                f"numerical one by {percent(error)}",
                where=Place(**places[function])
                if function in places
                else self._call(run, function),
                evidence=(
                    Evidence(signal="gradient-error", value=error, limit=self.max_error),
                ),
                remedies=(
                    Remedy(name="mend-backward", text="Derive backward again and test it with "
                           "babysit.gradcheck, or let autograd do it: delete backward."),
                ),
            )  # fmt: skip

    def _call(self, run: Training, function: str) -> Place | None:
        """The line that calls it."""
        for wiring in run.wirings:
            for node in wiring.nodes:
                if node.op == function:
                    return node.place
        return None

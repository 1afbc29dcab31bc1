from __future__ import annotations

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count


class GradientTrackingInEvaluation(Rule):
    """Evaluations build graphs for gradients that nobody asks for.

    Why it matters:
        Every activation of every layer is kept until the result is dropped: evaluations need
        several times the memory and some more time, and allow smaller batches only.

    How it decides:
        The model in eval mode is called with gradients on, again and again, its outputs have a
        graph, and no backward or ``autograd.grad`` uses it.

    What to do:
        Evaluate under ``with torch.no_grad():`` (or ``torch.inference_mode()``).

    When it is wrong:
        Saliency maps, attacks and trainings in eval mode use their graphs and are not reported,
        nor is a single evaluation at the end. Results are the same either way: advice only.
    """

    since = "0.1"
    severity = "advice"
    needs = ("evaluation-with-gradients",)
    remedies = ("wrap-no-grad",)
    min_evaluations = threshold(
        default=3, unit="evaluations", why="one at the end of a script costs little; the sick "
        "clinic has 13, the ward program that keeps gradients on has 10",
    )  # fmt: skip
    examples = (
        sick(evaluation_with_gradients={"t.py:30": dict.fromkeys(range(0, 100, 10), 4.0)}),
        healthy(loss=[1.0] * 20),
        healthy(evaluation_with_gradients={"t.py:30": {99: 1.0}}),
    )

    def check(self, run: Training) -> Conclusions:
        """The line that evaluates with gradients most often."""
        sites = run.places("evaluation-with-gradients")
        name = max(sites, key=lambda site: len(sites[site]), default="")
        series = run.series("evaluation-with-gradients", name)
        if len(series) < self.min_evaluations:
            return
        place = run.facts.get("gradient_sites", {}).get(name, {})
        first, last = int(series.steps[0]), int(series.steps[-1])
        yield Finding(
            severity=self.severity,
            confidence=0.9,
            message=f"the model is evaluated with gradients on at {name} "
            f"({count(len(series), 'evaluation')} seen): graphs are built and never used",
            where=Place(file=place.get("file"), line=place.get("line"), code=place.get("code")),
            first_step=first,
            last_step=last,
            evidence=(
                Evidence(signal="evaluation-with-gradients", value=len(series), limit=0,
                         steps=(first, last)),
            ),
            remedies=(
                Remedy(name="wrap-no-grad", text="Evaluate under `with torch.no_grad():`."),
            ),
        )  # fmt: skip

from __future__ import annotations

import numpy as np

from babysit.criteria import NLLS, SOFT
from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.measures import is_rate_test
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number


class CollapsedOutputs(Rule):
    """The model gives the same output for every input.

    Why it matters:
        Whatever the inputs say is lost on the way: the loss can only reach the level of the
        best constant answer.

    How it decides:
        Over the examples of a sampled batch the predictions spread by next to nothing, while
        the targets do vary: for classes the log-probabilities spread by less than 0.02, for
        numbers the predictions by less than a hundredth of the targets. It must have been so in
        all samples of the training's last half.

    What to do:
        Look for where the input gets lost: a mask the wrong way round, a mean over the batch,
        a multiplication by zero, a layer of dead units, weights that decayed to nothing.

    When it is wrong:
        At the start every small initialisation gives nearly constant outputs; that passes and
        is not reported. Nor are opponents (GAN), moving targets and constant targets. Where the
        inputs truly say nothing about the targets, a constant answer is the best one.
    """

    since = "0.1"
    severity = "error"
    needs = ("output-spread",)
    remedies = ("trace-input",)
    explains = ("loss-not-decreasing", "learning-rate-too-low", "underfitting", "class-imbalance")
    is_symptom = True
    max_spread = threshold(
        default=0.02,
        unit="standard deviation of log-probabilities over a batch",
        why="35 healthy programs end with 0.3 or more; an inverted mask gives 0, six layers of too "
        "small weights 3e-7",
    )
    max_relative_spread = threshold(
        default=0.01,
        unit="spread of predictions / spread of targets",
        why="healthy regressions end with 0.9 or more",
    )
    min_samples = threshold(default=3, unit="last samples", why="fewer may be a passing state")
    min_steps = threshold(
        default=40, unit="steps", why="a net that starts constant needs some steps to part"
    )
    examples = (
        sick(steps=60, output_spread={"NllLoss": [0.001] * 60},
             target_spread={"NllLoss": [0.6] * 60}),
        healthy(steps=60, output_spread={"NllLoss": [0.01] * 20 + [0.5] * 40},
                target_spread={"NllLoss": [0.6] * 60}),
        healthy(steps=60, output_spread={"MseLoss": [0.001] * 60},
                target_spread={"MseLoss": [0.0] * 60}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Comparisons whose predictions stay constant to the end."""
        moves = run.facts.get("is_adversarial") or run.facts.get("has_teacher")
        if moves or is_rate_test(run) or run.steps < self.min_steps:
            return
        for place, series in run.places("output-spread").items():
            late = max(int(self.min_samples), int((series.steps >= run.steps / 2).sum()))
            spreads = series.values[-late:]
            varied = run.series("target-spread", place).values[-late:]
            is_classes = place.split()[0] in {*NLLS, SOFT}
            if len(spreads) < self.min_samples or not np.isfinite(spreads).all():
                continue
            if is_classes and len(varied) and np.median(varied) <= 0:
                continue
            if not is_classes and not (len(varied) == len(spreads) and varied.min() > 0):
                continue
            limit = (
                self.max_spread
                if is_classes
                else self.max_relative_spread * float(np.median(varied))
            )
            if spreads.max() >= limit:
                continue
            worst = float(np.median(spreads))
            what = "log-probabilities" if is_classes else "predictions"
            yield Finding(
                severity="error" if worst < limit / 4 else "warning",
                confidence=0.9 if worst < limit / 4 else 0.7,
                message=f"the model gives the same output for every input: over a batch its {what} "
                + (f"differ by {number(worst)} only" if worst > 0 else "do not differ")
                + ", while the targets do vary",
                where=self._where(run, place),
                first_step=int(series.steps[-late]),
                evidence=(Evidence(signal="output-spread", value=worst, limit=limit),),
                remedies=(
                    Remedy(name="trace-input", text="Print intermediate results for two different "
                           "inputs and find the first that is equal: look for inverted masks, "
                           "means over the batch, products with zero, dead units."),
                ),
            )  # fmt: skip
            return

    def _where(self, run: Training, place: str) -> Place | None:
        """The comparison's line, and the layer that gave the predictions."""
        for wiring in run.wirings[:1]:
            for index in wiring.find({place.split(maxsplit=1)[0]}):
                return wiring.loss_place(index)
        return run.source("backward")

from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training


class LabelNoise(Rule):
    """Some examples are probably labelled wrongly.

    Why it matters:
        Wrong labels set a floor to the loss, and a net large enough learns them by heart at the
        cost of what is right.

    How it decides:
        By experiment: trials on one half of the data judge the other half, before they learn by
        heart. Of the quarter that they are surest of some are labelled otherwise, nearly as many
        as of the next quarter: where a task is merely hard, a net errs less where it is sure.

    What to do:
        Look at the examples that the experiment lists; relabel or drop them; else smooth the
        labels.

    When it is wrong:
        Rare sub-kinds that no trial has understood look like wrong labels: look before dropping.
    """

    since = "0.1"
    severity = "advice"
    needs = ("label-disagreement",)
    remedies = ("relabel", "smooth-labels")
    explains = ("overfitting", "too-few-examples")
    min_share = threshold(
        default=0.05,
        unit="share of the examples",
        why="not measured yet: a first guess, to be set when the experiment runs",
    )
    examples = (
        sick(label_disagreement=[0.21, 0.19]),
        healthy(label_disagreement=[0.01, 0.02]),
    )

    def check(self, run: Training) -> Conclusions:
        """The mean share over the trials, if all of them agree that there is some."""
        shares = run.series("label-disagreement").values
        if len(shares) < 2 or shares.min() < self.min_share:
            return
        share = float(shares.mean())
        yield Finding(
            severity="advice",
            confidence=0.8,
            message=f"about {share:.0%} of the labels are probably wrong: nets that never saw "
            "these examples are sure of another class",
            where=run.source("backward"),
            evidence=(
                Evidence(signal="label-disagreement", value=share, limit=self.min_share),
            ),
            remedies=(
                Remedy(name="relabel", text="Look at the examples in question; relabel or drop "
                       "those that are wrong."),
                Remedy(name="smooth-labels", text="Train with `label_smoothing=0.1`."),
            ),
        )  # fmt: skip

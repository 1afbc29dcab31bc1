from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number


class SeedSensitive(Rule):
    """The same training ends well or badly by the luck of its seed.

    Why it matters:
        A single result says little then, comparisons between settings are lottery, and the next
        run may fail.

    How it decides:
        By experiment: the held-out metric of the same trial under at least three seeds. Their
        spread is a large part of what the trial achieves.

    What to do:
        Report the mean of several seeds; then make it robust: a better initialisation, a lower
        rate or warm-up, normalisation, more units.

    When it is wrong:
        A tiny validation set makes any metric jump: evaluate on more examples.
    """

    since = "0.1"
    severity = "warning"
    needs = ("seed-score",)
    remedies = ("average-seeds", "stabilise")
    min_seeds = threshold(default=3, unit="seeds", why="two results have no spread to speak of")
    max_spread = threshold(
        default=0.15,
        unit="range over seeds, as a share of their mean",
        why="healthy classifications range over 0.03 of their accuracy; two units for an exclusive "
        "or reach from 0.77 to 1.00, a range of 0.25",
    )
    examples = (
        sick(seed_score=[0.99, 0.77, 0.84, 0.99]),
        healthy(seed_score=[0.96, 0.97, 0.96]),
    )

    def check(self, run: Training) -> Conclusions:
        """Range over mean of the seeds' metrics."""
        scores = run.series("seed-score").values
        finite = scores[np.isfinite(scores)]
        if len(finite) < self.min_seeds or abs(finite.mean()) < 1e-9:
            return
        spread = float(np.ptp(finite) / abs(finite.mean()))
        if spread <= self.max_spread:
            return
        yield Finding(
            confidence=0.85,
            message=f"the result hangs on the seed: {number(float(finite.min()))} to "
            f"{number(float(finite.max()))} over {count(len(finite), 'seed')}",
            where=run.source("backward"),
            evidence=(Evidence(signal="seed-score", value=spread, limit=self.max_spread),),
            remedies=(
                Remedy(name="average-seeds", text="Run several seeds and report mean and spread."),
                Remedy(name="stabilise", text="Lower or warm up the rate, initialise by fan-in, "
                       "normalise between layers, or add units."),
            ),
        )  # fmt: skip

from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Training
from babysit.text import listing, percent


class LostUpdate(Rule):
    """Updates are smaller than the steps in which half-precision weights can move.

    Why it matters:
        bfloat16 keeps 8 significant bits: a weight of 1 moves by 0.004 or not at all. Smaller
        updates are rounded away, step after step, and those weights never learn.

    How it decides:
        In sampled steps, elements of bfloat16 or float16 parameters whose gradient is at least
        the root mean square of its tensor are compared before and after the update. Reported when
        most of them did not move in most samples after the first tenth of the training, while
        the rate was near its height.

    What to do:
        Keep the parameters in float32 and compute in half precision: ``torch.autocast`` around
        the forward pass, instead of ``model.bfloat16()``.

    When it is wrong:
        Optimizers that round at random or keep the remainder (outside torch.optim) are not
        examined. At the end of a decaying rate updates vanish by design and are not counted.
    """

    since = "0.1"
    severity = "warning"
    needs = ("lost-share",)
    remedies = ("use-autocast",)
    explains = (
        "weights-not-updating", "loss-not-decreasing", "learning-rate-too-low", "underfitting",
        "training-too-short", "update-ratio-imbalanced", "vanishing-gradients",
    )  # fmt: skip
    max_share = threshold(
        default=0.5,
        unit="share of elements",
        why="the sick clinic loses 0.7 and ends 5 times worse; the same at ten times the rate "
        "loses 0.3 and ends as float32 does",
    )
    min_samples = threshold(
        default=5, unit="samples", why="the first update after a warm-up may be tiny by design"
    )
    min_rate = threshold(
        default=0.3,
        unit="share of the highest rate",
        why="below it a schedule is warming up or running out",
    )
    examples = (
        sick(lost_share=[0.2, 0.6, 0.7, 0.7, 0.8, 0.8, 0.8], learning_rate=[1e-4]),
        healthy(lost_share=[0.02] * 10, learning_rate=[1e-2]),
        healthy(lost_share=[0.1] * 6 + [0.9] * 4, learning_rate=[1e-2] * 6 + [1e-4] * 4),
    )

    def check(self, run: Training) -> Conclusions:
        """The median share over samples at a considerable rate."""
        series, rates = run.series("lost-share"), run.series("learning-rate", "0")
        highest = float(rates.values.max()) if len(rates) else 0.0
        shares = np.array([
            share
            for step, share in zip(series.steps.tolist(), series.values, strict=True)
            if (rates.at(step) or 0.0) >= self.min_rate * highest and step >= run.steps / 10
        ])  # fmt: skip
        if len(shares) < self.min_samples or np.median(shares) <= self.max_share:
            return
        share = float(np.median(shares))
        halves = [p for p in run.parameters.values() if p.dtype in ("bfloat16", "float16")]
        dtypes = listing(sorted({parameter.dtype for parameter in halves})) or "half-precision"
        optimizer = run.optimizers[0] if run.optimizers else Optimizer(kind="the optimizer")
        yield Finding(
            severity=self.severity,
            confidence=0.9,
            message=f"{percent(share)} of the elements that have a considerable gradient do not "
            f"change: the updates are smaller than {dtypes} weights can resolve",
            where=optimizer.place or run.source("backward"),
            evidence=(
                Evidence(signal="lost-share", value=round(share, 3), limit=self.max_share,
                         steps=tuple(series.steps[-3:].tolist())),
            ),
            remedies=(
                Remedy(name="use-autocast", text="Keep the parameters in float32 and run the "
                       "forward pass under torch.autocast(..., dtype=torch.bfloat16)."),
            ),
        )  # fmt: skip

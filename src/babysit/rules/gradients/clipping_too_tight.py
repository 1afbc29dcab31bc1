from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course, rate, typical_ratio
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Parameter, Training
from babysit.series import Series
from babysit.text import number, percent

FC = (Parameter(name="fc.weight", shape=(8, 8)),)
SLOW = {"update_rms": {"fc.weight": [2e-5] * 9}, "weight_rms": {"fc.weight": [0.2] * 9}}


class ClippingTooTight(Rule):
    """Nearly every step is clipped, so hard that the training crawls.

    Why it matters:
        Clipping is for the rare outlier. When every gradient is cut to a small fixed length, the
        limit and not the loss decides how far each step goes, and plain SGD hardly moves.

    How it decides:
        At nine of ten steps the norm was above the limit, typically ten times or more, the
        optimizer is not adaptive, one step changes the weights far less than the usual
        thousandth, and the loss has lost less than half of its first value.

    What to do:
        Set the limit near the usual norm of the gradient, 1 to 5 in most nets, or above.

    When it is wrong:
        Adaptive optimizers (Adam) undo the scale: clipping all the time is common there and not
        reported; nor is it where the loss falls well, as with normalised gradients.
    """

    since = "0.1"
    severity = "warning"
    needs = ("clip-norm", "gradient-norm-before-clip", "optimizer", "update-rms")
    remedies = ("loosen-clipping",)
    explains = (
        "learning-rate-too-low",
        "loss-not-decreasing",
        "training-too-short",
        "underfitting",
    )
    min_share = threshold(
        default=0.9,
        unit="share of steps",
        why="of nine healthy programs that clip, one clips 0.82 of its steps, the others "
        "below 0.3; 1 in the clinic",
    )
    min_excess = threshold(
        default=10,
        unit="norm / limit",
        why="medians of nine healthy programs that clip: 0.05 to 5.8; 88 in the clinic",
    )
    max_ratio = threshold(
        default=5e-4,
        unit="update / weight",
        why="half of the usual 1e-3; the clinic lies at 1e-4, its cure at 7e-3. A rate test and "
        "zero-initialised branches lie below, too, which do not clip",
    )
    max_drop = threshold(
        default=0.5, unit="share of the first loss", why="the clinic loses 0.07, its cure 0.96"
    )
    min_steps = threshold(default=50, unit="steps", why="the first gradients are the largest")
    examples = (
        sick(parameters=FC, loss=[1.0 - 1e-4 * s for s in range(200)], clip_norm=[0.01] * 200,
             gradient_norm_before_clip=[1.0] * 200, optimizer=Optimizer(kind="SGD"), **SLOW),
        healthy(parameters=FC, loss=[1.0 - 1e-4 * s for s in range(200)], clip_norm=[0.01] * 200,
                gradient_norm_before_clip=[1.0] * 200,
                optimizer=Optimizer(kind="Adam", groups=({"betas": [0.9, 0.999]},)), **SLOW),
        healthy(parameters=FC, loss=[1.0 - 1e-4 * s for s in range(200)], clip_norm=[5.0] * 200,
                gradient_norm_before_clip=[1.0] * 200, optimizer=Optimizer(kind="SGD"), **SLOW),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Share and strength of the clipping, then what it does to the updates."""
        excess = norms_over_limit(run.series("gradient-norm-before-clip"), run.series("clip-norm"))
        if len(excess) < self.min_steps or any(one.is_adaptive for one in run.optimizers):
            return
        share, typical = float((excess > 1).mean()), float(np.median(excess))
        ratio, loss = typical_ratio(run), course(run.series("loss").values)
        if share < self.min_share or typical < self.min_excess or ratio is None or loss is None:
            return
        if ratio > self.max_ratio or loss.drop() > self.max_drop:
            return
        limit = run.series("clip-norm").last
        used = rate(run)
        at = f" at a rate of {number(used)}" if used is not None else ""
        yield Finding(
            confidence=0.9,
            message=f"clipping to {number(limit)} is too tight: it cut {percent(share)} of the "
            f"steps, to a {number(typical)}th of their length, so that{at} one step changes the "
            f"weights by {number(ratio)} of their size; about 0.001 is usual",
            where=run.source("clip") or run.source("backward"),
            evidence=(
                Evidence(signal="clipped steps", value=round(share, 3), limit=self.min_share),
                Evidence(signal="norm / limit", value=typical, limit=self.min_excess),
                Evidence(signal="update-ratio", value=ratio, limit=self.max_ratio),
            ),
            remedies=(
                Remedy(name="loosen-clipping",
                       text=f"Raise max_norm to about {number(round(2 * typical * limit, 3))}, "
                       "twice the usual norm, so that only outliers are clipped.",
                       change={"name": "clip-gradients", "max_norm": 2 * typical * limit}),
            ),
        )  # fmt: skip


def norms_over_limit(norms: Series, limits: Series) -> np.ndarray:
    """Each norm before clipping, in units of the limit that was in force."""
    known = dict(zip(limits.steps.tolist(), limits.values.tolist(), strict=True))
    pairs = zip(norms.steps.tolist(), norms.values.tolist(), strict=True)
    return np.array([norm / known[step] for step, norm in pairs if known.get(step)])

from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.measures import is_rate_test, median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.series import Series
from babysit.text import number, percent


class UnnormalisedTargets(Rule):
    """Regression targets are large or far from zero, and the training suffers from it.

    Why it matters:
        A net starts with outputs around zero and of unit size. Targets in the hundreds mean
        that it must first grow its last layer by hundreds of steps, with gradients as large as
        the targets: slow at a low rate, unstable at a high one.

    How it decides:
        Not by the targets alone: their root mean square is above ten, *and* a fifth of the
        training or more passes before the predictions are better than always giving the mean,
        or they never are. From a twentieth of the training on it is advice.

    What to do:
        Subtract the training targets' mean, divide by their standard deviation, and undo that
        for the predictions; or take the logarithm of prices and counts.

    When it is wrong:
        Large targets that are learnt at once (a closed form, a tuned rate, a last bias set to
        the mean) are not reported, nor are targets that the output's activation cannot reach.
    """

    since = "0.1"
    severity = "warning"
    needs = ("regression-error", "target-mean", "target-std")
    remedies = ("normalise-targets",)
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-low",
        "learning-rate-too-high",
        "non-finite-loss",
        "exploding-gradients",
        "gradient-spikes",
        "dead-relu",
        "unexpected-initial-loss",
        "underfitting",
        "training-too-short",
        "collapsed-outputs",
        "loss-oscillating",
        "loss-diverging",
        "saturated-activations",
    )
    min_size = threshold(
        default=10,
        unit="root mean square of the targets",
        why="35 healthy programs stay below 1.4; raw diabetes targets, which fail, give 170",
    )
    min_wait = threshold(
        default=0.2,
        unit="share of the training",
        why="healthy regressions are as good as the mean from the first samples on",
    )
    some_wait = threshold(
        default=0.05, unit="share of the training", why="advice from here on: a choice"
    )
    max_error = threshold(
        default=1.05,
        unit="error / targets' standard deviation",
        why="1 is what the mean alone gives",
    )
    examples = (
        sick(steps=100, target_mean={"MseLoss": [150.0] * 9}, target_std={"MseLoss": [77.0] * 9},
             regression_error={"MseLoss": [2.2, 2.2, 2.1, 2.0, 1.9, 1.9, 1.8, 1.7, 1.7]}),
        healthy(steps=100, target_mean={"MseLoss": [0.0] * 9}, target_std={"MseLoss": [1.0] * 9},
                regression_error={"MseLoss": [1.1, 0.9, 0.8, 0.8, 0.7, 0.7, 0.7, 0.7, 0.7]}),
        healthy(steps=100, target_mean={"MseLoss": [150.0] * 9}, target_std={"MseLoss": [77.0] * 9},
                regression_error={"MseLoss": [2.2, 0.9, 0.8, 0.8, 0.7, 0.7, 0.7, 0.7, 0.7]}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Large targets whose mean alone took long to learn."""
        moves = run.facts.get("is_adversarial") or run.facts.get("has_teacher")
        if moves or is_rate_test(run) or run.steps < 20:
            return
        for place, series in run.places("regression-error").items():
            mean = median(run.series("target-mean", place))
            spread = median(run.series("target-std", place))
            size = (mean**2 + spread**2) ** 0.5
            unreachable = run.series("target-unreachable", place)
            beyond = len(unreachable) > 0 and median(unreachable) > 0.1
            if not np.isfinite(size) or size < self.min_size or spread <= 0 or beyond:
                continue
            wait = self._wait(series, run.steps)
            if wait < self.some_wait or len(series) < 3:
                continue
            until = (
                "the predictions never became better than their mean"
                if wait == 1
                else f"{percent(wait)} of the training passed before the predictions were better "
                "than their mean"
            )
            yield Finding(
                severity=self.severity if wait >= self.min_wait else "advice",
                confidence=0.9 if wait == 1 else 0.8,
                message=f"the targets are not normalised: their mean is {number(mean)} and their "
                f"standard deviation {number(spread)}, about 0 and 1 are meant; {until}",
                where=self._where(run, place),
                evidence=(
                    Evidence(signal="target-std", value=spread),
                    Evidence(signal="target-mean", value=mean, limit=self.min_size),
                    Evidence(signal="regression-error", value=series.last,
                             limit=self.max_error),
                ),
                remedies=(
                    Remedy(name="normalise-targets", text="Subtract the training targets' mean and "
                           "divide by their standard deviation; undo it for the predictions.",
                           change={"name": "normalise-targets"}),
                ),
            )  # fmt: skip
            return

    def _wait(self, series: Series, num_steps: int) -> float:
        """Share of the training without a prediction better than the mean; 1 to the end."""
        errors = series.values
        better = np.flatnonzero(np.isfinite(errors) & (errors <= self.max_error))
        ended_badly = not np.isfinite(errors[-1]) or np.median(errors[-3:]) > self.max_error
        if ended_badly or not len(better):
            return 1.0
        return float(series.steps[max(better[0] - 1, 0)]) / num_steps  # at least until then

    def _where(self, run: Training, place: str) -> Place | None:
        """Where a loader's data were put together; else the line of the comparison."""
        for wiring in run.wirings[:1]:
            for index in wiring.find({place.split(maxsplit=1)[0]}):
                if wiring.nodes[index].line:
                    compared = wiring.loss_place(index)
                    made = run.data_place(compared.layer or "")
                    return made if run.facts.get("loaders") and made.line else compared
        return run.source("backward")

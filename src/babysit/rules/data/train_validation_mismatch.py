from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import evaluations, line_of, median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number


class TrainValidationMismatch(Rule):
    """The model is evaluated on inputs of another scale or offset than it was trained on.

    Why it matters:
        A net knows only the range it was trained on: normalised in one place and raw in the
        other, it is measured on data it has never met, and the validation says nothing.

    How it decides:
        Mean and standard deviation of what the model is fed with, in training and in each
        evaluation: spreads that differ by a factor, or means that lie several spreads apart, far
        beyond what batches differ by; in every evaluation, not only in one.

    What to do:
        Put preprocessing into one function or into the data set, and use it on both sides, with
        the training set's mean and standard deviation.

    When it is wrong:
        Augmentation, dropout, mixup and drifting series change these numbers far less. Where one
        evaluation fits the training, others may test something on purpose.
    """

    since = "0.1"
    severity = "warning"
    needs = ("fed-std", "evaluated-std")
    remedies = ("preprocess-alike",)
    explains = (
        "overfitting", "early-stopping-missed", "too-few-examples",
        "train-mode-during-evaluation", "batch-norm-stale-statistics",
    )  # fmt: skip
    max_ratio = threshold(
        default=2.5,
        unit="ratio of the standard deviations",
        why="15 healthy programs stay below 1.05; pixels normalised on one side only give 6",
    )
    max_shift = threshold(
        default=2.0,
        unit="distance of the means in standard deviations of the training's inputs",
        why="15 healthy programs stay below 0.1; raw pixels beside normalised ones give 5",
    )
    max_noise = threshold(
        default=0.25,
        unit="share of the difference",
        why="where training batches themselves differ by more, the difference is no surprise",
    )
    examples = (
        sick(fed_mean={"Net": [0.0, 0.01, -0.01] * 4}, fed_std={"Net": [1.0, 0.99, 1.01] * 4},
             evaluated_mean={"t.py:9#1": [4.9] * 3}, evaluated_std={"t.py:9#1": [6.0] * 3},
             eval_loss={"a": [1.0] * 3}),
        healthy(fed_mean={"Net": [0.0, 0.1, -0.1] * 4}, fed_std={"Net": [1.0, 0.9, 1.1] * 4},
                evaluated_mean={"t.py:9#1": [0.2] * 3}, evaluated_std={"t.py:9#1": [1.3] * 3},
                eval_loss={"a": [1.0] * 3}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Compare, when one model is fed with one kind of data."""
        is_special = run.facts.get("is_adversarial") or run.facts.get("has_teacher")
        if is_special or len(run.places("fed-std")) != 1 or not evaluations(run):
            yield Unexamined(reason="no evaluation of one model fed with one kind of data was seen")
            return
        (model,) = run.places("fed-std")
        means, stds = run.series("fed-mean", model).values, run.series("fed-std", model).values
        middle, spread = float(np.median(means)), float(np.median(stds))
        if not np.isfinite([middle, spread]).all() or spread <= 0 or len(stds) < 4:
            return
        apart = {}
        for name, series in run.places("evaluated-std").items():
            other, shift = median(series), median(run.series("evaluated-mean", name)) - middle
            if not np.isfinite([other, shift]).all() or other <= 0:
                return
            ratio = max(other / spread, spread / other)
            by_scale = abs(other - spread) * self.max_noise > np.ptp(stds)
            by_shift = abs(shift) * self.max_noise > np.ptp(means)
            is_scaled = ratio > self.max_ratio and by_scale
            if not is_scaled and not (abs(shift) > self.max_shift * spread and by_shift):
                return  # this evaluation fits the training
            apart[name] = (shift + middle, other)
        name, (mean, std) = max(apart.items(), key=lambda item: item[1][1])
        yield Finding(
            confidence=0.9,
            message=f"the model was trained on inputs around {number(middle)} ± {number(spread)} "
            f"and is evaluated on inputs around {number(mean)} ± {number(std)}",
            where=line_of(name),
            evidence=(
                Evidence(signal="evaluated-std", value=std, limit=spread * self.max_ratio),
                Evidence(signal="evaluated-mean", value=mean, limit=middle),
            ),
            remedies=(
                Remedy(
                    name="preprocess-alike",
                    text="Normalise both sides with the training set's mean and standard "
                    "deviation.",
                ),
            ),
        )

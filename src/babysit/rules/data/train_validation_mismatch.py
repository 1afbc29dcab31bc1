from __future__ import annotations

import numpy as np

from babysit.evaluations import evaluations, foreign_classes, line_of
from babysit.findings import Evidence, Finding, Place, Remedy, Unexamined
from babysit.measures import median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import listing, number, percent

UNSEEN = "no evaluation of one model fed with one kind of data was seen"


class TrainValidationMismatch(Rule):
    """The model is evaluated on inputs of another scale, or other classes, than it was trained on.

    Why it matters:
        A net knows only what it was trained on: normalised in one place and raw in the other, or
        split by position from data sorted by class, it is measured on what it has never met, and
        the validation says nothing.

    How it decides:
        In every evaluation: the spread of what the model is fed with differs by a factor from that
        of the training, or its mean lies several spreads apart, far beyond what batches differ by;
        most labels are of classes that no sampled training batch had; or a net that classifies its
        training batches well does no better than guessing.

    What to do:
        Put preprocessing into one function or into the data set, and use it on both sides, with
        the training set's mean and standard deviation. Shuffle before splitting, or split each
        class by itself.

    When it is wrong:
        Augmentation, dropout, mixup and drifting series change these numbers far less. Where one
        evaluation fits the training, others may test something on purpose. A net that has learnt
        by heart what nothing can be learnt from looks the same as one with wrong labels.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss",)
    remedies = ("preprocess-alike", "shuffle-before-splitting")
    explains = (
        "overfitting", "early-stopping-missed", "too-few-examples", "data-not-shuffled",
        "train-mode-during-evaluation", "batch-norm-stale-statistics", "output-units-mismatch",
    )  # fmt: skip
    max_foreign = threshold(
        default=0.5, unit="share of an evaluation's labels whose class the training never had",
        why="0 in all healthy programs; data sorted by class and split by position give 1",
    )  # fmt: skip
    min_labels = threshold(
        default=20, unit="labels for each class that was met",
        why="a choice: a class of usual size is then missed by chance once in a million",
    )  # fmt: skip
    max_ratio = threshold(
        default=2.5, unit="ratio of the standard deviations",
        why="13 healthy programs stay below 1.05; raw digits beside normalised ones differ by 6",
    )  # fmt: skip
    max_shift = threshold(
        default=2.0, unit="distance of the means in standard deviations of the training's inputs",
        why="13 healthy programs stay below 0.1; raw digits beside normalised ones lie 5 apart",
    )  # fmt: skip
    max_noise = threshold(
        default=0.25,
        unit="share of the difference",
        why="more, and training batches differ so, too",
    )
    min_learnt = threshold(
        default=0.7, unit="accuracy on training batches",
        why="below it there may be nothing yet that could carry over",
    )  # fmt: skip
    max_guess = threshold(
        default=1.2, unit="accuracy of evaluations over that of guessing",
        why="a permuted numbering gives 0.9, the worst healthy classifiers 2 and more",
    )  # fmt: skip
    examples = (
        sick(fed_mean={"Net": [0.0, 0.01, -0.01] * 4}, fed_std={"Net": [1.0, 0.99, 1.01] * 4},
             evaluated_mean={"t.py:9#1": [4.9] * 3}, evaluated_std={"t.py:9#1": [6.0] * 3},
             eval_loss={"a": [1.0] * 3}),
        healthy(fed_mean={"Net": [0.0, 0.1, -0.1] * 4}, fed_std={"Net": [1.0, 0.9, 1.1] * 4},
                evaluated_mean={"t.py:9#1": [0.2] * 3}, evaluated_std={"t.py:9#1": [1.3] * 3},
                eval_loss={"a": [1.0] * 3}),
        sick(loss=[1.0], eval_loss={"a": [1.0]}, labels_seen={"NllLoss": [320.0]},
             label_share={"0": [0.5], "1": [0.5], "2": [0.0]},
             facts={"evaluated_labels": {"a": {"2": 1.0}}}),
        healthy(loss=[1.0], eval_loss={"a": [1.0]}, labels_seen={"NllLoss": [320.0]},
                label_share={"0": [0.4], "1": [0.5], "2": [0.1]},
                facts={"evaluated_labels": {"a": {"2": 1.0}}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Labels first; inputs when one model is fed with one kind of data."""
        is_special = run.facts.get("is_adversarial") or run.facts.get("has_teacher")
        if is_special or not evaluations(run):
            yield Unexamined(reason=UNSEEN)
        elif (found := self._foreign(run) or self._guesses(run)) is not None:
            yield found
        elif len(run.places("fed-std")) != 1 or not run.has("evaluated-std"):
            yield Unexamined(reason=UNSEEN)
        elif (found := self._inputs(run)) is not None:
            yield found

    def _inputs(self, run: Training) -> Finding | None:
        """Inputs of every evaluation far from those of the training."""
        (model,) = run.places("fed-std")
        means, stds = run.series("fed-mean", model).values, run.series("fed-std", model).values
        middle, spread = float(np.median(means)), float(np.median(stds))
        if not np.isfinite([middle, spread]).all() or spread <= 0 or len(stds) < 4:
            return None
        apart = {}
        for name, series in run.places("evaluated-std").items():
            other, shift = median(series), median(run.series("evaluated-mean", name)) - middle
            if not np.isfinite([other, shift]).all() or other <= 0:
                return None
            ratio = max(other / spread, spread / other)
            by_scale = abs(other - spread) * self.max_noise > np.ptp(stds)
            by_shift = abs(shift) * self.max_noise > np.ptp(means)
            is_scaled = ratio > self.max_ratio and by_scale
            if not is_scaled and not (abs(shift) > self.max_shift * spread and by_shift):
                return None  # this evaluation fits the training
            apart[name] = (shift + middle, other)
        name, (mean, std) = max(apart.items(), key=lambda item: item[1][1])
        return finding(
            0.9,
            f"the model was trained on inputs around {number(middle)} ± {number(spread)} and is "
            f"evaluated on inputs around {number(mean)} ± {number(std)}",
            line_of(name),
            Remedy(name="preprocess-alike", text="Normalise both sides with the training set's "
                   "mean and standard deviation."),
            Evidence(signal="evaluated-std", value=std, limit=spread * self.max_ratio),
            Evidence(signal="evaluated-mean", value=mean, limit=middle),
        )  # fmt: skip

    def _foreign(self, run: Training) -> Finding | None:
        """Evaluations whose labels are mostly of classes that the training never had."""
        seen = max((labels.last for labels in run.places("labels-seen").values()), default=0)
        share, classes, num_known = foreign_classes(run)
        if share <= self.max_foreign or seen < self.min_labels * num_known:
            return None
        return finding(
            0.95,
            f"{percent(share)} of the evaluated examples are of classes that the training has "
            f"never seen ({listing(classes)}): the data look sorted by class and split by position",
            run.source("evaluation_loader") or line_of(next(iter(run.facts["evaluated_labels"]))),
            Remedy(name="shuffle-before-splitting", text="Shuffle before splitting, or split each "
                   "class by itself (train_test_split(…, stratify=labels))."),
            Evidence(signal="label-share", value=share, limit=self.max_foreign),
        )  # fmt: skip

    def _guesses(self, run: Training) -> Finding | None:
        """A net that has learnt its training batches and guesses in every evaluation."""
        shares = [series.last for series in run.places("label-share").values()]
        learnt = run.series("train-accuracy").values[-5:]
        ends = {
            name: float(np.median(series.values[-3:]))
            for name, series in run.places("eval-accuracy").items()
            if name in evaluations(run) and len(series) >= 3
        }
        if len(shares) < 3 or max(shares) > 0.5 or len(learnt) < 5 or not ends:
            return None
        name = max(ends, key=lambda one: ends[one])
        best, limit = ends[name], self.max_guess / len(shares)
        if learnt.mean() < self.min_learnt or best > limit:
            return None
        return finding(
            0.75,
            f"the net classifies {percent(float(learnt.mean()))} of its training batches rightly "
            f"and {percent(best)} of the evaluated examples, no more than guessing: their labels "
            "seem to be numbered otherwise, or to belong to other inputs",
            run.source("evaluation_loader") or line_of(name),
            Remedy(name="preprocess-alike", text="Number the classes once, for both sides, and "
                   "look at a few evaluated examples beside their labels."),
            Evidence(signal="train-accuracy", value=float(learnt.mean())),
            Evidence(signal="eval-accuracy", value=best, limit=limit),
        )  # fmt: skip


def finding(
    sure: float, message: str, where: Place | None, remedy: Remedy, *evidence: Evidence
) -> Finding:
    return Finding(
        confidence=sure, message=message, where=where, evidence=evidence, remedies=(remedy,)
    )

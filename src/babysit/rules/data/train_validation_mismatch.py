from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import evaluations, line_of, median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import listing, number, percent


class TrainValidationMismatch(Rule):
    """The model is evaluated on inputs of another scale, or other classes, than it was trained on.

    Why it matters:
        A net knows only what it was trained on: normalised in one place and raw in the other, or
        split by position from data sorted by class, it is measured on what it has never met, and
        the validation says nothing.

    How it decides:
        Mean and standard deviation of what the model is fed with, in training and in each
        evaluation: spreads that differ by a factor, or means that lie several spreads apart, far
        beyond what batches differ by. And the labels: most of those evaluated are of classes of
        which no sampled training batch had any. In every evaluation, not only in one. Or: a net
        that classifies its training batches well does no better than guessing in every evaluation,
        though inputs and classes are alike: the labels there are numbered otherwise, or belong to
        other inputs.

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
        "overfitting", "early-stopping-missed", "too-few-examples",
        "train-mode-during-evaluation", "batch-norm-stale-statistics",
        "data-not-shuffled",
    )  # fmt: skip
    max_foreign = threshold(
        default=0.5,
        unit="share of an evaluation's labels whose class the training never had",
        why="0 in all healthy programs; data sorted by class and split by position give 1",
    )
    min_labels = threshold(
        default=20,
        unit="labels for each class that was met",
        why="a choice: a class of usual size is then missed by chance once in a million",
    )
    max_ratio = threshold(
        default=2.5,
        unit="ratio of the standard deviations",
        why="13 healthy programs stay below 1.05; raw digits beside normalised ones differ by 6",
    )
    max_shift = threshold(
        default=2.0,
        unit="distance of the means in standard deviations of the training's inputs",
        why="13 healthy programs stay below 0.1; raw digits beside normalised ones lie 5 apart",
    )
    max_noise = threshold(
        default=0.25,
        unit="share of the difference",
        why="where training batches themselves differ by more, the difference is no surprise",
    )
    min_learnt = threshold(
        default=0.7,
        unit="accuracy on training batches",
        why="below it there may be nothing yet that could carry over",
    )
    max_guess = threshold(
        default=1.2,
        unit="accuracy of evaluations over that of guessing",
        why="a permuted numbering gives 0.9; the 5 healthy classifiers that carry over worst 2 "
        "and more",
    )
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
            yield Unexamined(reason="no evaluation of one model fed with one kind of data was seen")
            return
        foreign = self._foreign_labels(run) or self._guesses(run)
        if foreign is not None:
            yield foreign
            return
        if len(run.places("fed-std")) != 1 or not run.has("evaluated-std"):
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

    def _foreign_labels(self, run: Training) -> Finding | None:
        """The evaluations' labels against those of the training."""
        shares = {label: series.last for label, series in run.places("label-share").items()}
        known = {label for label, share in shares.items() if share > 0}
        seen = max((series.last for series in run.places("labels-seen").values()), default=0)
        held_out = run.facts.get("evaluated_labels", {})
        streams = [labels for name, labels in held_out.items() if name in evaluations(run)]
        if not streams or not known or seen < self.min_labels * len(known):
            return None
        foreign = [sum(s for label, s in one.items() if label not in known) for one in streams]
        if min(foreign) <= self.max_foreign:
            return None
        classes = sorted({c for one in streams for c in one} - known, key=int)
        return Finding(
            confidence=0.95,
            message=f"{percent(min(foreign))} of the evaluated examples are of classes that the "
            f"training has never seen ({listing(classes)}): the data look sorted by class and "
            "split by position",
            where=run.source("evaluation_loader") or line_of(next(iter(held_out))),
            evidence=(Evidence(signal="label-share", value=min(foreign), limit=self.max_foreign),),
            remedies=(
                Remedy(
                    name="shuffle-before-splitting",
                    text="Shuffle before splitting, or split each class by itself "
                    "(train_test_split(…, stratify=labels)).",
                ),
            ),
        )

    def _guesses(self, run: Training) -> Finding | None:
        """A net that has learnt its training batches and guesses in every evaluation."""
        shares = [series.last for series in run.places("label-share").values()]
        learnt = run.series("train-accuracy").values[-5:]
        streams = {
            name: series
            for name, series in run.places("eval-accuracy").items()
            if name in evaluations(run) and len(series) >= 3
        }
        if len(shares) < 3 or max(shares) > 0.5 or len(learnt) < 5 or not streams:
            return None
        name = max(streams, key=lambda one: float(np.median(streams[one].values[-3:])))
        best = float(np.median(streams[name].values[-3:]))
        limit = self.max_guess / len(shares)
        if learnt.mean() < self.min_learnt or best > limit:
            return None
        return Finding(
            confidence=0.75,
            message=f"the net classifies {percent(float(learnt.mean()))} of its training batches "
            f"rightly and {percent(best)} of the evaluated examples, no more than guessing: the "
            "labels of the evaluation seem to be numbered otherwise than those of the training, or "
            "to belong to other inputs",
            where=run.source("evaluation_loader") or line_of(name),
            evidence=(
                Evidence(signal="train-accuracy", value=float(learnt.mean())),
                Evidence(signal="eval-accuracy", value=best, limit=limit),
            ),
            remedies=(
                Remedy(
                    name="preprocess-alike",
                    text="Number the classes once, for both sides, and look at a few evaluated "
                    "examples beside their labels.",
                ),
            ),
        )

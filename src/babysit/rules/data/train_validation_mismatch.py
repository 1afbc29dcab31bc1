from __future__ import annotations

from babysit import evaluations
from babysit.evaluations import line_of
from babysit.findings import Evidence, Finding, Place, Remedy, Unexamined
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
        default=1.6, unit="ratio of the standard deviations",
        why="280 healthy programs stay below 1.15; noise on the training side 1.7, raw digits 6",
    )  # fmt: skip
    max_shift = threshold(
        default=2.0, unit="distance of the means in standard deviations of the training's inputs",
        why="280 healthy programs stay below 0.3; raw digits beside normalised ones lie 5 apart",
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
        if is_special or not evaluations.evaluations(run):
            yield Unexamined(reason=UNSEEN)
        elif (found := self._foreign(run) or self._guesses(run)) is not None:
            yield found
        elif (fed := evaluations.evaluated_inputs(run, self.max_noise)) is None:
            yield Unexamined(reason=UNSEEN)
        elif all(one.ratio > self.max_ratio or one.shift > self.max_shift for one in fed):
            yield self._inputs(run, max(fed, key=lambda one: one.std))

    def _inputs(self, run: Training, fed: evaluations.Inputs) -> Finding:
        """Inputs of every evaluation far from those of the training."""
        return finding(
            0.9,
            f"the model was trained on inputs around {number(fed.trained_mean)} ± "
            f"{number(fed.trained_std)} and is evaluated on inputs around {number(fed.mean)} ± "
            f"{number(fed.std)}",
            run.source("evaluation_transform") or line_of(fed.name),
            Remedy(name="preprocess-alike", text="Normalise both sides with the training set's "
                   "mean and standard deviation; let noise on the training side stay below that."),
            Evidence(signal="evaluated-std", value=fed.std, limit=fed.trained_std * self.max_ratio),
            Evidence(signal="evaluated-mean", value=fed.mean, limit=fed.trained_mean),
        )  # fmt: skip

    def _foreign(self, run: Training) -> Finding | None:
        """Evaluations whose labels are mostly of classes that the training never had."""
        seen = max((labels.last for labels in run.places("labels-seen").values()), default=0)
        share, classes, num_known = evaluations.foreign_classes(run)
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
        reached = evaluations.accuracies(run)
        if reached is None or reached.trained < self.min_learnt:
            return None
        limit = self.max_guess / reached.num_classes
        if reached.evaluated > limit:
            return None
        return finding(
            0.75,
            f"the net classifies {percent(reached.trained)} of its training batches rightly "
            f"and {percent(reached.evaluated)} of the evaluated examples, no more than guessing: "
            "their labels seem to be numbered otherwise, or to belong to other inputs",
            run.source("evaluation_loader") or line_of(reached.name),
            Remedy(name="preprocess-alike", text="Number the classes once, for both sides, and "
                   "look at a few evaluated examples beside their labels."),
            Evidence(signal="train-accuracy", value=reached.trained),
            Evidence(signal="eval-accuracy", value=reached.evaluated, limit=limit),
        )  # fmt: skip


def finding(
    sure: float, message: str, where: Place | None, remedy: Remedy, *evidence: Evidence
) -> Finding:
    return Finding(
        confidence=sure, message=message, where=where, evidence=evidence, remedies=(remedy,)
    )

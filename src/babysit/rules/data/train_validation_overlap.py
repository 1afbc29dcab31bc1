from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from babysit.evaluations import evaluations, line_of
from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training

STREAM = {"evaluations": 9, "rows": 200, "size": 200, "lowest": 0.5, "again": 1.0, "covered": 0.2,
          "calls": 1, "of_loader": False}  # fmt: skip
PLACE = "train.py:31#1"


class TrainValidationOverlap(Rule):
    """Examples of the validation were trained on too.

    Why it matters:
        The validation then measures memory: it promises an accuracy that new data will not give,
        and overfitting goes unseen.

    How it decides:
        Examples are compared one by one, by marks of what the model is fed with. A fixed set
        that is evaluated again and again contains examples that training batches held as well,
        is not the training set itself, and no other evaluation is free of them.

    What to do:
        Split first; repeat, augment and balance afterwards, in the training part only. Split by
        groups where several examples belong to one source.

    When it is wrong:
        Measuring the accuracy on the training set beside a validation is not reported, nor are
        data that repeat by nature (tokens, one-hot or few features, constant rows).
    """

    since = "0.1"
    severity = "warning"
    needs = ("trained-share",)
    remedies = ("split-first",)
    explains = ("training-too-short", "learning-rate-decay-due")
    min_share = threshold(
        default=0.1,
        unit="share of the evaluated examples",
        why="0 in all 12 healthy programs that it can judge; the oversampled one gives 0.4",
    )
    max_covered = threshold(
        default=0.6,
        unit="share of the trained examples that the evaluation holds",
        why="a measurement on the training set itself covers all of it; the oversampled one 0.25",
    )
    max_clean = threshold(
        default=0.02, unit="share", why="an evaluation with fewer known examples is held out"
    )
    min_evaluations = threshold(
        default=3, unit="evaluations", why="a single look at some examples is no validation"
    )
    min_rows = threshold(
        default=20, unit="examples", why="toy data of a few examples are evaluated as they are"
    )
    examples = (
        sick(trained_share={PLACE: [0.4] * 5}, eval_loss={"a": [1.0] * 9},
             facts={"evaluated": {PLACE: STREAM}}),
        healthy(trained_share={PLACE: [0.0] * 5}, eval_loss={"a": [1.0] * 9},
                facts={"evaluated": {PLACE: STREAM}}),
        healthy(trained_share={PLACE: [1.0] * 5}, eval_loss={"a": [1.0] * 9},
                facts={"evaluated": {PLACE: {**STREAM, "covered": 1.0}}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The evaluation with the largest share, unless one as frequent is held out."""
        moves = run.facts.get("is_adversarial") or run.facts.get("has_teacher")
        if moves or len(run.optimizers) > 1 or not evaluations(run):
            yield Unexamined(reason="no evaluation of one model on fixed data was seen")
            return
        streams = run.facts.get("evaluated", {})
        shares = {name: series.last for name, series in run.places("trained-share").items()}
        suspects = [n for n, share in shares.items() if self._is_suspect(streams[n], share)]
        if not suspects:
            return
        worst = max(suspects, key=lambda name: shares[name])
        clean = [
            streams[name]["evaluations"]
            for name, share in shares.items()
            if share <= self.max_clean and streams[name]["rows"] >= self.min_rows
        ]
        if max(clean, default=0) >= streams[worst]["evaluations"]:
            return
        yield Finding(
            confidence=0.9 if shares[worst] < 0.9 else 0.7,
            message=f"{shares[worst]:.0%} of the examples evaluated here were trained on as well"
            + ("" if shares[worst] > 0.95 else " (at least: not every batch was looked at)"),
            where=line_of(worst),
            evidence=(Evidence(signal="trained-share", value=shares[worst], limit=self.max_clean),),
            remedies=(
                Remedy(
                    name="split-first",
                    text="Split into training and validation before repeating, balancing or "
                    "augmenting; train only on the training part.",
                ),
            ),
        )

    def _is_suspect(self, stream: Mapping[str, Any], share: float) -> bool:
        seen = min(1.0, stream["rows"] / max(1, stream["size"]))
        is_whole = stream["of_loader"] or stream["calls"] == 1
        return (
            share >= self.min_share
            and stream["lowest"] > self.max_clean
            and stream["again"] >= 0.9
            and stream["evaluations"] >= self.min_evaluations
            and stream["rows"] >= self.min_rows
            and (is_whole or share < 0.6)
            and stream["covered"] <= self.max_covered * seen
        )

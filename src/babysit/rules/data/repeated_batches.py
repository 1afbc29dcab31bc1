from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from babysit.evaluations import evaluations
from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count


class RepeatedBatches(Rule):
    """The training gets the same batch again and again although there is more data.

    Why it matters:
        The net learns these few examples by heart and never meets the others: the training loss
        looks splendid and nothing carries over.

    How it decides:
        Nearly every batch equals the one before, and more data are known to exist: the loader's
        data set is larger, or the batch is cut anew each time from a tensor ten times as long,
        or random seeds are set anew at every step.

    What to do:
        Loop over the loader itself, ``for batch in loader``; ``next(iter(loader))`` starts from
        its beginning every time. Advance the index; set seeds once, before the loop.

    When it is wrong:
        Full-batch training, and one batch fetched once and used on and on (to see whether it can
        be learnt by heart), are not reported.
    """

    since = "0.1"
    severity = "error"
    needs = ("loss",)
    remedies = ("iterate-loader", "advance-index")
    explains = (
        "overfitting", "too-few-examples", "early-stopping-missed", "data-not-shuffled",
        "underfitting", "cannot-overfit-small-batch", "class-imbalance", "constant-features",
    )  # fmt: skip
    min_share = threshold(
        default=0.9,
        unit="share of batches that equal the one before",
        why="6 healthy programs with a loader stay at 0; the sick one lies at 0.996",
    )
    min_batches = threshold(
        default=8, unit="batches", why="a first batch looked at twice is no habit"
    )
    max_batch = threshold(
        default=0.1,
        unit="share of the data that the batch is",
        why="cutting a training part from all data anew at every step is usual; less of it is not",
    )
    examples = (
        sick(
            loss=[2.0] * 40,
            repeated_share={"TensorDataset#1": {0: 0.0, 39: 0.97}},
            facts={"loaders": {"TensorDataset#1": {"num_examples": 1400, "num_batches": 35,
                                                  "batch_size": 40, "trained": 40, "place": None}}},
        ),
        healthy(
            loss=[2.0] * 40,
            repeated_share={"TensorDataset#1": {0: 0.0, 39: 0.97}},
            facts={"loaders": {"TensorDataset#1": {"num_examples": 40, "num_batches": 1,
                                                  "batch_size": 40, "trained": 40, "place": None}}},
        ),
        healthy(loss=[2.0] * 40, repeated_share={"TensorDataset#1": [0.0] * 40}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Loaders first, for they are known at every step; else what the model was fed with."""
        found = next(self._loaded(run), None) or next(self._fed(run), None)
        if found is None:
            return
        message, where, evidence, confidence = found
        yield Finding(
            severity="error" if confidence > 0.8 else "warning" if confidence > 0.7 else "advice",
            confidence=confidence,
            message=message,
            where=where,
            evidence=(evidence,),
            remedies=(
                Remedy(
                    name="iterate-loader",
                    text="Loop over the loader (`for batch in loader`), or make its iterator once "
                    "before the loop.",
                ),
                Remedy(
                    name="advance-index",
                    text="Let every step take other rows; set random seeds once, before the loop.",
                ),
            ),
        )

    def _loaded(self, run: Training) -> Iterator[tuple[str, Place | None, Evidence, float]]:
        for name, loader in run.facts.get("loaders", {}).items():
            share = run.series("repeated-share", name)
            is_enough = loader["trained"] >= self.min_batches and loader["num_batches"] > 1
            if len(share) and is_enough and share.last >= self.min_share:
                yield (
                    f"the loader gives the same {count(loader['batch_size'] or 0, 'example')} at "
                    f"every step: {loader['trained']:,} batches were equal, out of "
                    f"{count(loader['num_examples'], 'example')}",
                    place_of(loader),
                    Evidence(signal="repeated-share", value=share.last, limit=self.min_share),
                    0.98,
                )

    def _fed(self, run: Training) -> Iterator[tuple[str, Place | None, Evidence, float]]:
        if any(loader["num_batches"] > 0 for loader in run.facts.get("loaders", {}).values()):
            return
        for name, fed in run.facts.get("fed", {}).items():
            share = run.series("same-batch-share", name)
            if not len(share) or share.last < self.min_share or fed["fresh"] < self.min_batches:
                continue
            is_part = fed["batch"] < self.max_batch * fed["pool"]
            is_reseeded = fed["seeded"] >= 0.9 * fed["steps"] > 0
            if is_part or is_reseeded:
                reason = (
                    f"of {fed['pool']:,} that there are"
                    if is_part
                    else "because a random seed is set anew each time"
                )
                yield (
                    f"every step trains on the same {count(fed['batch'], 'example')} {reason}",
                    place_of(fed) or run.source("backward"),
                    Evidence(signal="same-batch-share", value=share.last, limit=self.min_share),
                    0.9 if is_reseeded else 0.75 if evaluations(run) else 0.6,  # may be meant
                )


def place_of(facts: Mapping[str, Any]) -> Place | None:
    return Place(**facts["place"]) if facts.get("place") else None

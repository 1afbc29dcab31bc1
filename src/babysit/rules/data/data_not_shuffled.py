from __future__ import annotations

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.measures import is_recurrent, median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, percent

SHUFFLE = Remedy(
    name="shuffle",
    text="Shuffle anew every epoch: `DataLoader(..., shuffle=True)`, or draw rows from "
    "`torch.randperm(len(x))`.",
    change={"name": "shuffle"},
)


class DataNotShuffled(Rule):
    """The batches come sorted by label, or in the same order every epoch.

    Why it matters:
        A batch of one class pulls the net towards that class, the next one back: the loss swings
        with the order of the data and the classes of the last batches win.

    How it decides:
        From the labels of sampled batches: nearly all of a batch belongs to one class, though in
        all batches together no class rules. A loader that gives a classification's examples in
        the very same order every epoch is advice.

    What to do:
        ``DataLoader(..., shuffle=True)``; for index batches a new ``torch.randperm`` every epoch.

    When it is wrong:
        Recurrent nets that carry their state, several backward passes a step (real and generated
        examples in turn), a class that rules all data, and regressions are not reported.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss",)
    remedies = ("shuffle",)
    explains = (
        "loss-oscillating", "loss-not-decreasing", "learning-rate-too-high", "underfitting",
        "class-imbalance", "loss-diverging", "gradient-spikes", "overfitting", "dead-relu",
        "early-stopping-missed", "collapsed-outputs", "batch-size-too-small",
        "imbalanced-output-bias", "unexpected-initial-loss",
    )  # fmt: skip
    min_purity = threshold(
        default=0.85,
        unit="mean share of a batch that belongs to its commonest class",
        why="healthy programs of even classes stay below 0.65; sorted data give 1.0",
    )
    min_excess = threshold(
        default=0.3,
        unit="share above that of the commonest class overall",
        why="healthy programs exceed it by 0.08 at most; the sorted one by 0.57",
    )
    pure = threshold(
        default=0.95,
        unit="mean share of a batch",
        why="the sorted program lies at 1.0, the purest healthy one of even classes at 0.64",
    )
    min_others = threshold(
        default=2,
        unit="pure batches of another class than the commonest",
        why="eight random examples are all of a class that half of the data has once in 256 times",
    )
    min_samples = threshold(
        default=8, unit="sampled batches", why="fewer may all lie at the start of the data"
    )
    min_epochs = threshold(
        default=3, unit="epochs in one order", why="two epochs may be alike for a reason"
    )
    examples = (
        sick(
            loss=[1.0] * 20,
            label_purity=[1.0] * 20,
            label_majority=[1.0] * 5 + [0.5] * 15,
        ),
        healthy(loss=[1.0] * 20, label_purity=[0.6] * 20, label_majority=[0.5] * 20),
        healthy(loss=[1.0] * 20, label_purity=[0.98] * 20, label_majority=[0.97] * 20),
    )

    def check(self, run: Training) -> Conclusions:
        """Sorted by label; else the same order every epoch."""
        is_special = run.facts.get("is_adversarial") or run.has("backwards") or is_recurrent(run)
        if is_special or not run.has("label-purity"):
            return
        purity, majority = run.series("label-purity"), run.series("label-majority")
        level = float(purity.values.mean())
        excess = level - majority.last
        is_pure = level >= self.pure and self._num_others(run) >= self.min_others
        is_sorted = is_pure or (level >= self.min_purity and excess >= self.min_excess)
        if len(purity) >= self.min_samples and is_sorted:
            yield Finding(
                confidence=0.95,
                message=f"the batches are sorted by label: {percent(level)} of a batch belong to "
                f"one class, the commonest class of all batches together has "
                f"{percent(majority.last)}",
                where=feeding_line(run),
                evidence=(
                    Evidence(signal="label-purity", value=level, limit=self.min_purity),
                    Evidence(signal="label-majority", value=majority.last),
                ),
                remedies=(SHUFFLE,),
            )
            return
        yield from self._same_order(run)

    def _num_others(self, run: Training) -> int:
        """Pure batches that belong to another class than most pure batches."""
        purity, leading = run.series("label-purity"), run.series("label-leader")
        leaders = [
            leader
            for step, leader in zip(leading.steps.tolist(), leading.values.tolist(), strict=True)
            if (purity.at(step) or 0) >= self.pure
        ]
        return len(leaders) - max((leaders.count(one) for one in leaders), default=0)

    def _same_order(self, run: Training) -> Conclusions:
        for loader in run.facts.get("loaders", {}).values():
            is_fixed = loader["order"] == "SequentialSampler" and loader["num_batches"] > 1
            same, epochs = loader["same_order"], loader["epochs"]
            made = loader.get("made") or loader["place"]
            if is_fixed and same >= self.min_epochs - 1 and same >= 0.9 * (epochs - 1):
                yield Finding(
                    severity="advice",
                    confidence=0.7,
                    message=f"the loader gives its {count(loader['num_examples'], 'example')} in "
                    f"the same order in all {count(epochs, 'epoch')}",
                    where=Place(**made)
                    if (made := loader.get("made") or loader["place"])
                    else None,
                    evidence=(
                        Evidence(signal="label-purity", value=median(run.series("label-purity"))),
                    ),
                    remedies=(SHUFFLE,),
                )


def feeding_line(run: Training) -> Place | None:
    """Where the training's loader is made; else the backward pass."""
    loaders = run.facts.get("loaders", {}).values()
    places = [loader.get("made") or loader["place"] for loader in loaders]
    return Place(**places[0]) if places and places[0] else run.source("backward")

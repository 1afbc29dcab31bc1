from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import is_bounded_below, phase
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Training
from babysit.text import count, number

ADAM = Optimizer(kind="Adam", groups=({"lr": 0.001, "betas": (0.9, 0.999)},))


class BatchSizeTooLarge(Rule):
    """Nearly all examples go into one step, and only few steps are taken.

    Why it matters:
        Each epoch costs the same, but with one or two updates in it the weights hardly move; a
        batch of 32 to 128 makes many updates of the same examples, nearly as good each.

    How it decides:
        A batch holds a quarter of a data set of some size or more, the whole training has few
        updates, and the loss has kept most of its first value and still falls at the end.

    What to do:
        Take batches of 32 to 256; or, where the batch must stay, train for many more epochs at a
        higher rate.

    When it is wrong:
        Full-batch methods (LBFGS), accumulated gradients and long full-batch trainings are not
        reported; without a DataLoader only a batch that never changes counts as all the data.
    """

    since = "0.1"
    severity = "advice"
    needs = ("loss", "batch-size", "optimizer")
    remedies = ("lower-batch-size",)
    explains = (
        "training-too-short", "underfitting", "learning-rate-too-low", "loss-not-decreasing",
    )  # fmt: skip
    min_share = threshold(
        default=0.25, unit="share of the data set", why="four updates an epoch or fewer"
    )
    min_examples = threshold(
        default=500,
        unit="examples",
        why="smaller data sets are often trained in one batch, and rightly",
    )
    max_steps = threshold(
        default=100,
        unit="steps",
        why="of 61 healthy programs only one trains on all data at once: 30 steps of LBFGS; the "
        "sick clinic takes 12 steps",
    )
    max_drop = threshold(
        default=0.6, unit="share of the first loss", why="beyond this the few steps were enough"
    )
    min_falling = threshold(
        default=0.6, unit="share of the late steps", why="a flat or noisy loss falls in half"
    )
    examples = (
        sick(
            loss=[2.3 - 0.02 * step for step in range(20)],
            batch_size=dict.fromkeys(range(0, 20, 3), 4000),
            facts={"num_examples": 4000}, optimizer=ADAM,
        ),
        healthy(
            loss=[2.3 - 0.02 * step for step in range(20)],
            batch_size=dict.fromkeys(range(0, 20, 3), 64),
            facts={"num_examples": 4000}, optimizer=ADAM,
        ),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Size against data set, then number of updates, then whether more would help."""
        values = run.series("loss").values
        size = float(np.median(run.series("batch-size").values))
        total = self._num_examples(run, size)
        has_closure = any(optimizer.kind == "LBFGS" for optimizer in run.optimizers)
        if total < self.min_examples or size < self.min_share * total or has_closure:
            return
        if not len(values) >= 5 or run.steps > self.max_steps or len(run.series("backwards")):
            return
        if not is_bounded_below(run) or run.facts.get("has_loaded_weights"):
            return
        late = values[len(values) // 2 :]
        falling = float((np.diff(late) < 0).mean())
        drop = 1 - float(values[-1]) / max(float(values[0]), 1e-12)
        if falling < self.min_falling or drop > self.max_drop:
            return
        if phase(run, run.steps - 1) != "constant":
            return
        updates = round(total / size)
        yield Finding(
            severity=self.severity,
            confidence=0.8,
            message=f"a batch holds {number(size)} of {number(total)} examples: "
            f"{count(updates, 'update')} an epoch and {run.steps} in all, and the loss, "
            f"{number(float(values[-1]))} from {number(float(values[0]))}, still falls",
            where=run.source("backward"),
            evidence=(
                Evidence(signal="batch-size", value=size, limit=self.min_share * total),
                Evidence(signal="steps", value=run.steps, limit=self.max_steps),
            ),
            remedies=(
                Remedy(name="lower-batch-size", text="Take batches of 32 to 256 examples: many "
                       "more updates for the same number of epochs.",
                       change={"name": "set-batch-size", "size": 64}),
            ),
        )  # fmt: skip

    def _num_examples(self, run: Training, size: float) -> float:
        """Of the DataLoader's data set; a batch that stays the same is all there is."""
        known = run.facts.get("num_examples")
        if known is not None:
            return float(known)
        repeats = run.series("batch-repeats").values
        return size if len(repeats) > 2 and bool(repeats[1:].all()) else 0.0

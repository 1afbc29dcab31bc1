from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Optimizer, Training
from babysit.text import count, number

ADAM = Optimizer(kind="Adam", groups=({"lr": 0.001, "betas": (0.9, 0.999)},))


class OptimizerRecreated(Rule):
    """The optimizer is built anew again and again, and forgets what it had gathered.

    Why it matters:
        Momentum and Adam's averages live in the optimizer. Made anew every few steps, momentum
        never builds up and Adam's first steps, all of full size, come over and over.

    How it decides:
        Five times at least an optimizer with memory began where another one of its kind had just
        stepped, over the same and unchanged weights, with an empty state, at short and regular
        distances.

    What to do:
        Build the optimizer once, before the loop over epochs.

    When it is wrong:
        A few stages with an optimizer each (fine-tuning, progressive unfreezing), folds that
        begin with fresh weights, states that are loaded, and plain SGD, which has no memory, are
        not reported.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss", "optimizer")
    remedies = ("build-optimizer-once",)
    explains = ("loss-not-decreasing", "underfitting", "training-too-short", "loss-oscillating")
    min_rebuilds = threshold(
        default=5,
        unit="times",
        why="none of 61 healthy programs does it once, the sick clinic 79 times in 480 steps; "
        "careful fine-tuning has two to four stages",
    )
    max_distance = threshold(
        default=300,
        unit="steps",
        why="Adam's longer memory is about 1,000 steps, momentum's 10 to 20: stages that last "
        "longer than 300 lose little of them",
    )
    examples = (
        sick(
            loss=[2.0] * 200,
            optimizer_rebuilt={20 * i: 1.0 for i in range(1, 10)},
            optimizer=ADAM,
        ),
        healthy(loss=[2.0] * 200, optimizer_rebuilt={100: 1.0}, optimizer=ADAM),
        healthy(loss=[2.0] * 200, optimizer=ADAM),
    )

    def check(self, run: Training) -> Conclusions:
        """Count, and look at the distances."""
        steps = run.series("optimizer-rebuilt").steps
        if len(steps) < self.min_rebuilds:
            return
        distances = np.diff(np.append(steps, run.steps))
        typical = float(np.median(distances))
        if typical > self.max_distance:
            return
        kind = run.optimizers[0].kind
        what = "its momentum is lost" if kind == "SGD" else "the averages it has gathered are lost"
        pace = "at every step" if typical == 1 else f"about every {number(typical)} steps"
        yield Finding(
            confidence=0.92,
            message=f"the optimizer ({kind}) is built anew {pace}, "
            f"{count(len(steps), 'time')} in {run.steps:,} steps, over the same parameters: {what} "
            "each time",
            where=run.optimizers[0].place,
            first_step=int(steps[0]),
            evidence=(
                Evidence(signal="optimizer-rebuilt", value=len(steps), limit=self.min_rebuilds,
                         steps=(int(steps[0]), int(steps[-1]))),
            ),
            remedies=(
                Remedy(name="build-optimizer-once", text="Build the optimizer once, before the "
                       "loop, and pass it on; change its rate with a scheduler."),
            ),
        )  # fmt: skip

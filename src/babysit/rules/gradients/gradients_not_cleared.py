from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, percent


class GradientsNotCleared(Rule):
    """Gradients of earlier steps are still there when the next step is computed.

    Why it matters:
        Every step follows the sum of all gradients so far, as with a huge momentum that never
        forgets: the direction lags behind and the steps grow. For ``backward`` adds to
        ``.grad``.

    How it decides:
        Between one optimizer step and the next backward the gradient tensors were neither
        removed nor changed. Tensors carry a version that every change raises, so this is a
        fact, not a guess.

    What to do:
        Call ``optimizer.zero_grad()`` once per step, before ``backward``.

    When it is wrong:
        Accumulation over several backwards clears once per step and is not reported. A method
        that sums gradients over steps on purpose would be.
    """

    since = "0.1"
    severity = "error"
    needs = ("loss",)
    remedies = ("clear-gradients",)
    explains = (
        "learning-rate-too-high",
        "non-finite-loss",
        "loss-not-decreasing",
        "dead-relu",
        "vanishing-gradients",
        "overfitting",
        "collapsed-outputs",
        "saturated-activations",
    )
    min_steps = threshold(
        default=5, unit="steps", why="a set-up may step once or twice before the loop clears"
    )
    min_share = threshold(
        default=0.3,
        unit="share of steps",
        why="0 in every healthy training, 1 when zero_grad is missing; 0.5 when it is called "
        "every second step although the optimizer steps each time",
    )
    examples = (
        sick(loss=[1.0] * 20, gradients_kept=dict.fromkeys(range(1, 20), 1.0)),
        healthy(loss=[1.0] * 20),
        healthy(loss=[1.0] * 20, gradients_kept={1: 1.0}),
    )

    def check(self, run: Training) -> Conclusions:
        """Count the steps that used gradients of an earlier one."""
        kept = run.series("gradients-kept")
        if len(kept) < self.min_steps or run.steps < 2:
            return
        share = len(kept) / (run.steps - 1)
        if share < self.min_share:
            return
        first = int(kept.steps[0])
        yield Finding(
            severity=self.severity if share >= 0.9 else "warning",
            confidence=0.99 if share >= 0.9 else 0.8,
            message=f"gradients are not cleared between steps: {count(len(kept), 'step')} "
            f"({percent(min(share, 1))}) added theirs to those of the steps before",
            where=run.source("backward"),
            first_step=first,
            last_step=int(kept.steps[-1]),
            evidence=(
                Evidence(
                    signal="gradients-kept",
                    value=round(share, 3),
                    limit=self.min_share,
                    steps=(first, int(kept.steps[-1])),
                ),
            ),
            remedies=(
                Remedy(
                    name="clear-gradients",
                    text="Call optimizer.zero_grad() once per step, before backward().",
                    change={"name": "clear-gradients"},
                ),
            ),
        )

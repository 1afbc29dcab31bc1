from __future__ import annotations

from babysit.criteria import AFTERMATH
from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number


class InputIgnored(Rule):
    """The model does as well on blank inputs as on the real ones.

    Why it matters:
        What is learnt are the frequencies of the targets, nothing of the inputs: they are lost
        before or inside the model (overwritten, cut to zero by an integer division, unknown
        words throughout), or hold nothing about the targets.

    How it decides:
        By an experiment: the same few steps are trained on the real inputs and on blank ones,
        and both losses are compared.

    What to do:
        Look at a batch just before it enters the model; follow it to the first layer.

    When it is wrong:
        Where the inputs truly say little about the targets within a few steps, real inputs win
        late. The experiment is repeated and its scatter taken into account.
    """

    since = "0.1"
    severity = "error"
    needs = ("blank-input-loss", "real-input-loss")
    remedies = ("inspect-inputs",)
    explains = (*AFTERMATH, "constant-features", "unnormalised-inputs", "imbalanced-output-bias")
    min_gain = threshold(
        default=0.02, unit="share of the blank loss",
        why="on digits real inputs gain 0.36 to 0.42 in 40 steps, inputs lost to an "
        "integer division less than 0.001 (4 seeds each)",
    )  # fmt: skip
    min_repeats = threshold(
        default=2, unit="repetitions",
        why="a choice: a single comparison may be decided by initialisation",
    )  # fmt: skip
    examples = (
        sick(blank_input_loss=[2.30, 2.29], real_input_loss=[2.30, 2.30]),
        healthy(blank_input_loss=[2.30, 2.29], real_input_loss=[0.41, 0.44]),
    )

    def check(self, run: Training) -> Conclusions:
        """Compare what real inputs gain over blank ones."""
        blank, real = run.series("blank-input-loss"), run.series("real-input-loss")
        if min(len(blank), len(real)) < self.min_repeats:
            yield Unexamined(reason="the experiment was run only once")
            return
        without, with_inputs = median(blank), median(real)
        scatter = float(blank.values.std() + real.values.std())
        gain = without - with_inputs
        if gain > max(self.min_gain * abs(without), scatter):
            return
        yield Finding(
            severity=self.severity,
            confidence=0.9,
            message=f"blank inputs reach a loss of {number(without)}, the real ones "
            f"{number(with_inputs)}: the inputs do not help",
            where=run.source("backward"),
            evidence=(
                Evidence(signal="real-input-loss", value=with_inputs, limit=without),
            ),
            remedies=(
                Remedy(
                    name="inspect-inputs",
                    text="Print a batch just before the model: are its values different from "
                    "example to example, and does the forward use them?",
                ),
            ),
        )  # fmt: skip

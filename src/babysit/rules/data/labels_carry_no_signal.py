from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number


class LabelsCarryNoSignal(Rule):
    """The labels do not belong to the inputs: they are learnt no better than shuffled ones.

    Why it matters:
        Inputs and labels that were shuffled, sorted or filtered apart can be learnt by heart and
        never understood. The training loss may fall all the same.

    How it decides:
        By experiment: the training is tried with its labels and with shuffled ones, under the
        same seeds. On held-out data the real labels must do better.

    What to do:
        Print ten examples with their labels as the loss receives them; shuffle inputs and labels
        by one permutation.

    When it is wrong:
        A task too hard for the trial's few steps looks the same; more steps tell.
    """

    since = "0.1"
    severity = "error"
    needs = ("real-labels-loss", "shuffled-labels-loss")
    remedies = ("check-labels",)
    explains = ("loss-not-decreasing", "underfitting", "overfitting", "label-noise",
                "too-few-examples", "early-stopping-missed", "learning-rate-too-low")  # fmt: skip
    min_gain = threshold(
        default=0.03,
        unit="share of the loss with shuffled labels",
        why="not measured yet: a first guess, to be set when the experiment runs",
    )
    min_trials = threshold(default=2, unit="seeds", why="one pair of trials may differ by chance")
    examples = (
        sick(real_labels_loss=[0.69, 0.70, 0.69], shuffled_labels_loss=[0.69, 0.69, 0.70]),
        healthy(real_labels_loss=[0.2, 0.22, 0.21], shuffled_labels_loss=[0.69, 0.69, 0.70]),
    )

    def check(self, run: Training) -> Conclusions:
        """No seed's real labels do better than the best of the shuffled ones."""
        real = run.series("real-labels-loss").values
        shuffled = run.series("shuffled-labels-loss").values
        if min(len(real), len(shuffled)) < self.min_trials or shuffled.mean() <= 0:
            return
        gain = float(1 - real.mean() / shuffled.mean())
        if gain >= self.min_gain or real.max() < shuffled.min() - 3 * shuffled.std():
            return
        yield Finding(
            severity="error",
            confidence=0.95,
            message=f"the labels are learnt no better than shuffled ones: held-out loss "
            f"{number(float(real.mean()))} with them, {number(float(shuffled.mean()))} with "
            "shuffled ones",
            where=run.source("backward"),
            evidence=(
                Evidence(signal="real-labels-loss", value=float(real.mean()),
                         limit=float((1 - self.min_gain) * shuffled.mean())),
            ),
            remedies=(
                Remedy(name="check-labels", text="Print ten examples with their labels as the "
                       "loss receives them; apply one permutation to both."),
            ),
        )  # fmt: skip

from __future__ import annotations

import numpy as np

from babysit import measures, rates
from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import Course, course, is_bounded_below, late_agreement, pace, rate
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Parameter, Training
from babysit.text import number, percent

FC = (Parameter(name="fc.weight", shape=(8, 8)),)


class LearningRateTooLow(Rule):
    """Steps are so small that the weights stay where they began.

    Why it matters:
        The training costs as much as any and learns next to nothing.

    How it decides:
        The updates so far, added up, amount to a small part of the weights' size, each far
        below the usual thousandth, and the loss has hardly moved from its first level. The
        rate is not rising (warm-up) and the gradients reach all layers. Or: to the end all steps
        pull in the same direction, while the loss has kept a good part of its first level and
        still falls; a larger step would have gone there at once.

    What to do:
        Multiply the rate by 10, or by as much as its updates lack, until the loss falls visibly
        within the first hundred steps.

    When it is wrong:
        Fine-tuning moves weights little and is right to: there the loss falls or begins low.
        Decay to zero at the end of a schedule is not reported, for the sum counts.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss", "update-rms", "optimizer")
    remedies = ("raise-lr",)
    explains = (
        "loss-not-decreasing",
        "underfitting",
        "collapsed-outputs",
        "class-imbalance",
        "unexpected-initial-loss",
        "training-too-short",
    )
    max_ratio = threshold(
        default=3e-4, unit="update / weight", why="a third of the usual 1e-3 (field practice)"
    )
    max_travel = threshold(
        default=0.3, unit="share of the weights' size",
        why="an autoencoder at a hundredth of a good rate moved 0.13; the one of 51 healthy "
        "programs that moved least had gone 1.7 times its weights' size",
    )  # fmt: skip
    max_drop = threshold(
        default=0.16, unit="share of the first loss",
        why="that autoencoder lost 0.15; every healthy program lost more than 0.17, a rate test "
        "aside",
    )  # fmt: skip
    min_agreement = threshold(
        default=0.9, unit="cosine between gradients of sampled steps in the later half",
        why="20 healthy programs lie above 0.8, all but one with less than 0.45 of their loss left",
    )  # fmt: skip
    min_left = threshold(
        default=0.45, unit="share of the first loss",
        why="of healthy programs whose steps agree so much, one kept 0.33 to 0.45 and fell no more",
    )  # fmt: skip
    min_pace = threshold(
        default=0.15, unit="fall of log loss / rise of log steps",
        why="that one fell at 0.01; two that are too slow at 0.23 and 0.34",
    )  # fmt: skip
    min_steps = threshold(default=50, unit="steps", why="a net may be slow to begin")
    examples = (
        sick(
            parameters=FC,
            loss=[2.3 - 1e-5 * step for step in range(200)],
            update_rms={"fc.weight": [1e-7] * 20},
            weight_rms={"fc.weight": [0.1] * 20},
            learning_rate=[1e-6],
            optimizer=None,
        ),
        healthy(
            parameters=FC,
            loss=[2.3 * 0.99**step for step in range(200)],
            update_rms={"fc.weight": [1e-6] * 20},
            weight_rms={"fc.weight": [0.1] * 20},
            learning_rate=[1e-6],
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """Little travel, small steps, a loss that stays."""
        loss = course(run.series("loss").values)
        ratio = measures.typical_ratio(run)
        if loss is None or ratio is None or run.steps < self.min_steps or ratio <= 0:
            return
        if not is_bounded_below(run) or is_warming_up(run):
            return
        if run.facts.get("has_loaded_weights"):  # fine-tuning moves little by design
            return
        travel = max(float(np.mean(r)) for r in measures.update_ratios(run).values()) * run.steps
        late = late_agreement(run) or 0.0
        if ratio <= self.max_ratio and travel <= self.max_travel and loss.drop() <= self.max_drop:
            moved = f"the loss by {percent(loss.drop())}" if loss.falls else "the loss not at all"
            yield self._finding(
                run,
                0.9,
                rates.multiple(ratio),
                f"in {run.steps:,} steps the weights moved by at most {percent(travel)} of their "
                f"size and {moved}",
                Evidence(signal="update-ratio", value=ratio, limit=self.max_ratio),
                Evidence(signal="travel", value=travel, limit=self.max_travel),
                Evidence(signal="loss-drop", value=loss.drop(), limit=self.max_drop),
            )
        elif late >= self.min_agreement and self._crawls(loss):
            yield self._finding(
                run,
                0.75,
                10,
                f"after {run.steps:,} steps, all in the same direction, {percent(1 - loss.drop())} "
                "of the first loss is left and still falling",
                Evidence(signal="gradient-agreement", value=late, limit=self.min_agreement),
                Evidence(signal="loss-left", value=1 - loss.drop(), limit=self.min_left),
            )

    def _crawls(self, loss: Course) -> bool:
        """Whether much of the loss is left and falls steadily."""
        is_high = loss.start > 0 and loss.end > self.min_left * loss.start
        return is_high and loss.falls and pace(loss.levels) > self.min_pace

    def _finding(
        self, run: Training, confidence: float, factor: int, text: str, *evidence: Evidence
    ) -> Finding:
        used = rate(run)
        at, raised = (f" ({number(used)})", f", to {number(used * factor)},") if used else ("", "")
        return Finding(
            confidence=confidence,
            message=f"the learning rate{at} is too low: {text}",
            where=run.source_of_rate(),
            evidence=evidence,
            remedies=(
                Remedy(name="raise-lr", text=f"Multiply the learning rate by {factor:,}{raised} "
                       "until the loss falls visibly within the first hundred steps.",
                       change={"name": "scale-learning-rate", "factor": factor}),
            ),
        )  # fmt: skip


def is_warming_up(run: Training) -> bool:
    """Whether the rate of the first group is still on its way up."""
    rates = run.series("learning-rate", "0").values
    return len(rates) > 2 and bool(rates[-1] >= 0.999 * rates.max()) and rates[-1] > 1.01 * rates[0]

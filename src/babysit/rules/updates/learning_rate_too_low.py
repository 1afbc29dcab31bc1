from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course, is_bounded_below, rate, typical_ratio, update_ratios
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
        rate is not rising (warm-up) and the gradients reach all layers.

    What to do:
        Multiply the rate by 10 until the loss falls visibly within the first hundred steps;
        ``babysit lr`` will find it.

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
        "unnormalised-targets",
    )
    max_ratio = threshold(
        default=3e-4, unit="update / weight", why="a third of the usual 1e-3 (field practice)"
    )
    max_travel = threshold(
        default=0.3,
        unit="share of the weights' size",
        why="an autoencoder at a hundredth of a good rate moved 0.13; the one of 51 healthy "
        "programs that moved least had gone 1.7 times its weights' size",
    )
    max_drop = threshold(
        default=0.16,
        unit="share of the first loss",
        why="that autoencoder lost 0.15; every healthy program lost more than 0.17, a rate test "
        "aside",
    )
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
        ratio = typical_ratio(run)
        if loss is None or ratio is None or run.steps < self.min_steps or ratio <= 0:
            return
        if not is_bounded_below(run) or loss.drop() > self.max_drop or is_warming_up(run):
            return
        if run.facts.get("has_loaded_weights"):  # fine-tuning moves little by design
            return
        travel = max(float(np.mean(r)) for r in update_ratios(run).values()) * run.steps
        if ratio > self.max_ratio or travel > self.max_travel:
            return
        used = rate(run)
        at = f" ({number(used)})" if used is not None else ""
        raised = f", to {number(used * 10)}," if used is not None else ""
        yield Finding(
            confidence=0.9,
            message=f"the learning rate{at} is too low: in {run.steps:,} steps the weights moved "
            f"by at most {percent(travel)} of their size and the loss by {percent(loss.drop())}",
            where=run.optimizers[0].place if run.optimizers else None,
            evidence=(
                Evidence(signal="update-ratio", value=ratio, limit=self.max_ratio),
                Evidence(signal="travel", value=travel, limit=self.max_travel),
                Evidence(signal="loss-drop", value=loss.drop(), limit=self.max_drop),
            ),
            remedies=(
                Remedy(
                    name="raise-lr",
                    text=f"Multiply the learning rate by 10{raised} until the loss falls visibly "
                    "within the first hundred steps.",
                    change={"name": "scale-learning-rate", "factor": 10},
                ),
            ),
        )


def is_warming_up(run: Training) -> bool:
    """Whether the rate of the first group is still on its way up."""
    rates = run.series("learning-rate", "0").values
    return len(rates) > 2 and bool(rates[-1] >= 0.999 * rates.max()) and rates[-1] > 1.01 * rates[0]

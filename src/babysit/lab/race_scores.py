"""What the lanes of a race are compared by: the script's own evaluation, or held-out examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from babysit.evaluations import evaluations, quantity
from babysit.guessing import ignorant_loss
from babysit.lab import rates
from babysit.run import Training
from babysit.trial import Result

TITLES: Final = {"held-out": "loss on held-out examples", "training": "training loss"}


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What is compared, and how it is read off a trial.

    Args:
        kind: the script's own evaluation; where it has none, examples that are held out of its
            batches; where they cannot be, the training loss.
        stream: which of the script's evaluations.
        steps: after how many a shortened trial ends, so that an evaluation comes just before.
        is_plain_descent: SGD without momentum.
    """

    kind: Literal["evaluation", "held-out", "training"] = "training"
    stream: str = ""
    is_error_rate: bool = False
    steps: int | None = None
    is_plain_descent: bool = False

    @property
    def title(self) -> str:
        if self.kind == "evaluation":
            return "error rate in the script's evaluation" if self.is_error_rate else (
                "loss in the script's evaluation"
            )  # fmt: skip
        return TITLES[self.kind]

    def score(self, result: Result, until: float) -> float | None:
        """The loss after so many steps: the mean over the last tenth of them."""
        training = next(iter(result.run.trainings.values()), None)
        if training is None:
            return None
        if self.kind == "evaluation":
            series = evaluations(training).get(self.stream)
            if series is None:
                return None
        else:
            held_out = self.kind == "held-out"
            series = result.noted("held-out-loss") if held_out else result.losses
        return rates.tail(series.steps.tolist(), series.values.tolist(), until)

    def ignorant(self, training: Training) -> float | None:
        """What the loss is without any use of the inputs, where that is known."""
        return None if self.is_error_rate else ignorant_loss(training)


def measure_of(training: Training, steps: int, *, is_whole: bool) -> Measure:
    """What to compare lanes of so many steps by, from the training as it is."""
    optimizer = training.optimizers[0] if training.optimizers else None
    momentum = optimizer is not None and any(group.get("momentum") for group in optimizer.groups)
    is_plain = optimizer is not None and not optimizer.is_adaptive and not momentum
    found = {name: one for name, one in evaluations(training).items() if len(one)}
    for name, series in sorted(found.items(), key=lambda item: -len(item[1])):
        reached = [step for step in series.steps.tolist() if step <= steps]
        if reached:
            return Measure(
                kind="evaluation", stream=name, is_plain_descent=is_plain,
                is_error_rate=quantity(training, name) == "error rate",
                steps=None if is_whole else reached[-1] + 1,
            )  # fmt: skip
    return Measure(kind="held-out", is_plain_descent=is_plain)

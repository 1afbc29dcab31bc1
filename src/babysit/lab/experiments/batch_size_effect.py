from __future__ import annotations

import math
from typing import Any, Final

from babysit.changes.data import SetBatchSize
from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.comparing import changed, plain, refusal
from babysit.lab.generalisation import deviation, mean, mean_end
from babysit.text import number
from babysit.trial import Result, Trial

SEEDS: Final = (0, 1, 2)
FACTORS: Final = (0.25, 0.5, 4.0)
MOST: Final = 2.0  # times the usual steps, for a trial of small batches
CLEAR: Final = 0.1  # share of the held-out loss
SIGMAS: Final = 3.0


class BatchSizeEffect(Experiment):
    """Half, a quarter and four times the batch size, for as many examples (C9, D2).

    Small batches take more and noisier steps, which costs time and regularises; large ones give
    better gradients, but fewer steps. The learning rate stays, so part of the effect is its own.
    """

    question = "What would another batch size do?"
    order = 75

    def cost(self, lab: Lab) -> float:
        size = batch_size(lab)
        if size is None:
            return 0.0
        return sum(lab.cost(self._trial(lab, factor, size)) for factor in FACTORS)

    def conduct(self, lab: Lab) -> Conduct:
        size = batch_size(lab)
        if size is None:
            return not_tried("no DataLoader makes batches of a fixed size")
        trials = {factor: self._trial(lab, factor, size) for factor in self._factors(lab, size)}
        results = yield [*(plain(lab, seed) for seed in SEEDS), *trials.values()]
        usual, others = results[: len(SEEDS)], dict(zip(trials, results[len(SEEDS) :], strict=True))
        known = {factor: one for factor, one in others.items() if one.refusal is None}
        if (why := refusal(usual)) is not None or not known:
            return not_tried(why or str(refusal(list(others.values()))))
        steps = examined(lab)
        usual_losses = [held_out(one, steps) for one in usual]
        losses = {f: held_out(one, round(steps / f)) for f, one in known.items()}
        losses[1.0] = mean(usual_losses)
        if any(map(math.isnan, losses.values())):
            return not_tried("too few examples to hold any out")
        seconds = {factor: taken(one, round(steps / factor)) for factor, one in known.items()}
        seconds[1.0] = mean([taken(one, steps) for one in usual])
        return self._answer(size, losses, seconds, usual_losses)

    def _factors(self, lab: Lab, size: int) -> list[float]:
        """Those that give another size, of no more than half of the data."""
        limit = num_examples(lab) / 2
        found = {max(1, round(size * factor)): factor for factor in FACTORS}
        return [f for new, f in found.items() if new != size and (new < size or new <= limit)]

    def _trial(self, lab: Lab, factor: float, size: int) -> Trial:
        new = max(1, round(size * factor))
        steps = max(1, round(examined(lab) / factor))
        return lab.trial(
            f"batches-of-{new}", *changed(lab, "", 0, SetBatchSize(size=new)).changes,
            steps=steps, at_least=steps,
        )  # fmt: skip

    def _answer(
        self, size: int, losses: dict[float, float], seconds: dict[float, float],
        usual: list[float],
    ) -> Answer:  # fmt: skip
        noise = max(CLEAR * losses[1.0], SIGMAS * deviation(usual))
        parts = [
            f"{number(losses[factor])} at {max(1, round(size * factor))} "
            f"({number(seconds[factor])} s)"
            for factor in sorted(losses)
        ]
        best = min(losses, key=lambda factor: losses[factor])
        is_clear = losses[1.0] - losses[best] > noise
        judged = f"{max(1, round(size * best))} is better" if is_clear else "none is clearly better"
        data: dict[str, Any] = {
            "batch_size": size, "noise": noise,
            "held_out_loss": {str(max(1, round(size * f))): loss for f, loss in losses.items()},
            "seconds": {str(max(1, round(size * f))): one for f, one in seconds.items()},
        }  # fmt: skip
        text = f"{judged}; held-out loss after as many examples, by batch size: {', '.join(parts)}"
        return Answer(verdict="told", text=text, data=data)


def loaders(lab: Lab) -> list[dict[str, Any]]:
    found = lab.training.facts.get("loaders", {}).values()
    return [one for one in found if one.get("batch_size") and one["trained"] > 1]


def batch_size(lab: Lab) -> int | None:
    """Of the one loader that the training reads."""
    sizes = {int(one["batch_size"]) for one in loaders(lab)}
    return sizes.pop() if len(sizes) == 1 else None


def num_examples(lab: Lab) -> int:
    return max((int(one["num_examples"]) for one in loaders(lab)), default=0)


def examined(lab: Lab) -> int:
    """Steps of the usual size after which all are compared: small batches need more."""
    total = lab.base.run.steps if lab.ran_through else lab.max_steps
    return max(1, min(total, int(MOST * lab.max_steps * min(FACTORS))))


def held_out(result: Result, steps: int) -> float:
    """The held-out loss around the end of so many steps; NaN where nothing was held out."""
    noted = result.noted("held-out-loss")
    values = noted.values[noted.steps < steps]
    return mean_end(values) if len(values) else float("nan")


def taken(result: Result, steps: int) -> float:
    """Seconds that so many steps took."""
    done = max(result.run.steps, 1)
    return (result.seconds - result.set_up_seconds) * min(1.0, steps / done)

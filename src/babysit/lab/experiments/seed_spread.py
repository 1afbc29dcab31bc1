from __future__ import annotations

from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.comparing import END, end, plain, refusal
from babysit.text import count, number
from babysit.trial import Result

SEEDS = (0, 1, 2)
MORE_SEEDS = (*SEEDS, 3, 4, 5)
SUSPICIOUS = 0.05  # range over mean, from which on more seeds are asked
MUCH = 0.15  # range over mean, as the rule has it
NOISE = 4.0  # standard errors of one run that the range must exceed
PARTS = 5


class SeedSpread(Experiment):
    """The same training under several seeds, judged on held-out examples (D9)."""

    question = "Does the seed decide?"
    order = 50
    writes = ("seed-score",)

    def cost(self, lab: Lab) -> float:
        return lab.cost(plain(lab, 2)) * (4 if lab.is_thorough else 1)

    def conduct(self, lab: Lab) -> Conduct:
        results = yield [plain(lab, seed) for seed in SEEDS]
        if (why := refusal(results)) is not None:
            return not_tried(why)
        if has_no_zero(results):
            return not_tried("the loss falls below zero: there is nothing to measure it by")
        scores = scores_of(results)
        if not lab.ran_through:
            return Answer(verdict="told", text=f"{spread(scores)}, before the training's end")
        if lab.is_thorough or max(scores) - min(scores) > SUSPICIOUS * abs(max(scores)):
            results = yield [plain(lab, seed) for seed in MORE_SEEDS]
            results = [one for one in results if one.refusal is None]
            scores = scores_of(results)
        range_ = max(scores) - min(scores)
        is_much = range_ > MUCH * abs(sum(scores) / len(scores))
        if is_much and range_ <= NOISE * max(noise(one, first_loss(results)) for one in results):
            return Answer(
                verdict="told", text=f"{spread(scores)}: no more than one run's own noise"
            )
        lab.record("seed-score", scores)
        return Answer(
            verdict="unsound" if is_much else "sound",
            text=f"{'yes' if is_much else 'no'}: {spread(scores)}", data={"scores": scores},
        )  # fmt: skip


def scores_of(results: list[Result]) -> list[float]:
    """Held-out accuracy at the end, or the share of the first held-out loss that went.

    The first loss is a mean over the seeds: a single one is as noisy as its batches.
    """
    if all(len(one.noted("held-out-accuracy")) for one in results):
        return [end(one.noted("held-out-accuracy")) for one in results]
    first = first_loss(results)
    return [1 - end(one.noted("held-out-loss")) / first for one in results]


def has_no_zero(results: list[Result]) -> bool:
    """Whether scores would be shares of a loss that has no lowest value, as a log-likelihood."""
    values = [one.noted("held-out-loss").values for one in results]
    has_accuracy = all(len(one.noted("held-out-accuracy")) for one in results)
    return not has_accuracy and any(len(one) and one.min() < 0 for one in values)


def first_loss(results: list[Result]) -> float:
    """The held-out loss of the first steps, over all seeds."""
    curves = [one.noted("held-out-loss").values for one in results]
    starts = [float(one[: max(1, len(one) // 50)].mean()) for one in curves if len(one)]
    return sum(starts) / len(starts) or 1.0 if starts else 1.0


def noise(result: Result, first: float) -> float:
    """How uncertain a score is within one run: the standard error over five parts of its end."""
    import numpy as np

    accuracy, losses = result.noted("held-out-accuracy"), result.noted("held-out-loss")
    values = (accuracy if len(accuracy) else losses).values
    parts = np.array_split(values[-max(PARTS, int(END * len(values))) :], PARTS)
    error = float(np.std([part.mean() for part in parts], ddof=1) / PARTS**0.5)
    return error if len(accuracy) else error / abs(first)


def spread(scores: list[float]) -> str:
    """Mean and interval in words, by Student's t over the seeds."""
    import numpy as np

    values = np.array(scores)
    t = {3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57}.get(len(values), 4.30)
    half = t * values.std(ddof=1) / len(values) ** 0.5
    low, high = number(float(values.min())), number(float(values.max()))
    return (
        f"held-out score {number(float(values.mean()))} ± {number(float(half))} (95 %), "
        f"{low} to {high} over {count(len(values), 'seed')}"
    )

from __future__ import annotations

from babysit.experiment import Answer, Conduct, Experiment, Lab, not_tried
from babysit.lab.comparing import end, plain, refusal
from babysit.text import count, number
from babysit.trial import Result

SEEDS = (0, 1, 2)
MORE_SEEDS = (*SEEDS, 3, 4, 5)


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
        scores = [score(one) for one in results]
        if not lab.ran_through:
            return Answer(verdict="told", text=f"{spread(scores)}, before the training's end")
        if lab.is_thorough or max(scores) - min(scores) > 0.05 * abs(max(scores)):
            more = yield [plain(lab, seed) for seed in MORE_SEEDS]
            scores = [score(one) for one in more if one.refusal is None]
        lab.record("seed-score", scores)
        return Answer(verdict="sound", text=spread(scores), data={"scores": scores})


def score(result: Result) -> float:
    """Held-out accuracy at the end, or the share of the first held-out loss that went."""
    accuracy = result.noted("held-out-accuracy")
    if len(accuracy):
        return end(accuracy)
    losses = result.noted("held-out-loss")
    first = float(losses.values[: max(1, len(losses) // 50)].mean()) if len(losses) else 1.0
    return 1 - end(losses) / first if first else 0.0


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

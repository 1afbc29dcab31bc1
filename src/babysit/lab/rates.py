"""Reading a learning rate off curves: of range tests, and of races between constant rates.

Plain arithmetic, without trials. The rules of fastai and Lightning are written from their
descriptions; ``babysit lr`` takes two of them as hints, and the benchmark compares with all.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from babysit.learning_rate import Confidence, Lane, Sweep

SMOOTHING: Final = 0.98
EXPLODED: Final = 4.0  # times the best: where finders stop
LEFT_OUT: Final = (10, 5)  # fastai: the first tenth, and the last five points
STEP: Final = 3.0  # A2 divides by 3
SAFETY: Final = 2.0  # as far as this an answer stays below what diverged
NOTHING: Final = 1e-4  # of the untrained net's loss
BOWL: Final = 1.0  # rates worse by more than this say nothing of where the best lies
REACH: Final = 12.0  # nor do those as many times away
AS_GOOD: Final = 0.01  # a lower rate whose loss is worse by less than this is preferred
LEARNT: Final = 0.03  # less than that share of the loss, and nothing was learnt
LUCK: Final = 0.05  # at most so much of a loss is put down to luck
NEAR: Final = 0.1  # worse by no more than this: within the range


def read_sweep(rates: Sequence[float], losses: Sequence[float]) -> Sweep:
    """A range test from the loss of each step as it was seen."""
    smoothed = smooth(losses)
    best = math.inf
    for index, value in enumerate(smoothed):
        best = min(best, value)
        if not math.isfinite(value) or (index > 1 and value > exploded(smoothed[0], best)):
            return Sweep(tuple(rates[:index]), tuple(smoothed[:index]), rates[index])
    return Sweep(tuple(rates[: len(smoothed)]), tuple(smoothed))


def inner(sweep: Sweep) -> Sweep:
    """A range test without its first tenth and its last points, as fastai's rules read it."""
    begin, end = len(sweep.rates) // LEFT_OUT[0], max(2, len(sweep.rates) - LEFT_OUT[1])
    return Sweep(sweep.rates[begin:end], sweep.losses[begin:end])


def exploded(first: float, best: float) -> float:
    """The loss above which a training has exploded, also where losses are negative."""
    return best + (EXPLODED - 1) * max(abs(best), 0.1 * abs(first))


def smooth(losses: Sequence[float], smoothing: float = SMOOTHING) -> list[float]:
    """The exponential moving average, corrected for its start."""
    mean, found = 0.0, []
    for index, loss in enumerate(losses):
        mean = smoothing * mean + (1 - smoothing) * loss
        found.append(mean / (1 - smoothing ** (index + 1)))
    return found


# -- rules of other finders: each takes a sweep and suggests a rate ---------------------------


def valley(sweep: Sweep) -> float | None:
    """fastai's default: half along the longest decreasing subsequence."""
    rates, losses = inner(sweep).rates, inner(sweep).losses
    if len(losses) < 3:
        return None
    lengths = [1] * len(losses)
    for i in range(1, len(losses)):
        lengths[i] = 1 + max((lengths[j] for j in range(i) if losses[i] < losses[j]), default=0)
    length = max(lengths)
    end = lengths.index(length)
    third = (length) / 3
    return rates[max(0, end - length) + int(third) + int(third / 2)]


def steepest(sweep: Sweep) -> float | None:
    """fastai's steep: where the loss falls fastest over the logarithm of the rate."""
    rates, losses = inner(sweep).rates, inner(sweep).losses
    slopes = [
        (after - before) / math.log(high / low)
        for before, after, low, high in zip(losses, losses[1:], rates, rates[1:], strict=False)
    ]
    return rates[slopes.index(min(slopes))] if slopes else None


def minimum_tenth(sweep: Sweep) -> float | None:
    """fastai's minimum: a tenth of the rate at the lowest loss."""
    rates, losses = inner(sweep).rates, inner(sweep).losses
    return rates[losses.index(min(losses))] / 10 if losses else None


def lightning(sweep: Sweep, *, by_rate: bool = False) -> float | None:
    """Lightning's: where the gradient is lowest, without the first ten points and the last.

    Args:
        by_rate: the gradient over the rate, as since 2.5.3; else over the step.
    """
    rates, losses = sweep.rates[10:-1], sweep.losses[10:-1]
    if len(losses) < 3:
        return None
    import numpy as np

    slopes = np.gradient(losses, rates) if by_rate else np.gradient(losses)
    return rates[int(np.argmin(slopes))]


def geometric_median(rates: Sequence[float]) -> float:
    return math.exp(statistics.median(map(math.log, rates)))


def hint(sweeps: Sequence[Sweep]) -> float | None:
    """The median of valley and minimum / 10 over range tests, the two that are seldom far off."""
    found = [rule(one) for one in sweeps for rule in (valley, minimum_tenth)]
    known = [rate for rate in found if rate is not None]
    return geometric_median(known) if known else None


# -- the race ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a race ended with.

    Args:
        low, high: the range of rates whose loss is nearly as good.
        is_bracketed: whether lower and higher rates were seen to be worse.
        score: of the best rate tried, and ``noise`` its standard error.
    """

    rate: float
    low: float
    high: float
    score: float
    is_bracketed: bool
    noise: float


def relative(scores: Mapping[float, float], untrained: float | None = None) -> dict[float, float]:
    """How much worse than the best each is, as a share: of the best, or of what was gained.

    Losses that are nothing beside that of the untrained net are as good as one another.
    """
    best = min(scores.values())
    if best > 0:
        least = max(best, NOTHING * (untrained or 0.0))
        return {key: max(score, least) / least - 1 for key, score in scores.items()}
    gained = (untrained if untrained is not None else max(scores.values())) - best
    return {key: (score - best) / gained if gained > 0 else 0.0 for key, score in scores.items()}


def limit(lanes: Sequence[Lane], border: float | None) -> float:
    """The highest rate that may be answered: well below the lowest that diverged."""
    diverged = [lane.rate for lane in lanes if lane.has_diverged]
    lowest = min([*diverged, *([border] if border is not None else [])], default=math.inf)
    return lowest / SAFETY


def choose(
    lanes: Sequence[Lane], *, border: float | None = None, untrained: float | None = None
) -> Choice | None:
    """The rate to train with; ``None`` if every one diverged.

    The lowest point of a bowl laid through the rates around the best, not above it. Where they
    make no bowl, the lowest rate that is as good but for luck.

    Args:
        border: the lowest rate that is known to diverge besides.
        untrained: the loss before any training.
    """
    most = limit(lanes, border)
    sound = sorted(
        (one for one in lanes if one.scores and not one.has_diverged), key=lambda one: one.rate
    )
    if not sound:
        return None
    worse = relative({lane.rate: lane.score for lane in sound}, untrained)
    allowed = [one for one in sound if one.rate <= most] or sound[:1]
    best = min(allowed, key=lambda one: worse[one.rate])
    luck = min(noise(best) / abs(best.score), LUCK) if best.score else 0.0
    good = max(AS_GOOD, luck)
    lower = [one for one in allowed if one.rate < best.rate and worse[one.rate] <= good]
    fitted = vertex(sound, worse, best.rate)
    rate = min(fitted or (lower[0].rate if lower else best.rate), most)
    curve = [(one, share) for one, share in worse.items() if one <= max(most, best.rate)]
    low, high = reach(curve, best.rate)
    rates = [lane.rate for lane in lanes if lane.scores]
    return Choice(
        rate=rate, low=min(low, rate), high=max(high, rate), score=best.score,
        is_bracketed=min(rates) < best.rate < max([*rates, border or 0.0]), noise=noise(best),
    )  # fmt: skip


def vertex(lanes: Sequence[Lane], worse: Mapping[float, float], best: float) -> float | None:
    """The lowest point of a parabola through the rates around the best, weighed by their seeds.

    It lies between the best and its lower neighbour, since too high does more harm than too low;
    ``None`` where too few rates are near, or where they make no bowl.
    """
    near = [one for one in lanes if worse[one.rate] < BOWL and is_near(one.rate, best, REACH)]
    if len(near) < 4:
        return None
    import numpy as np

    places = np.log([one.rate / best for one in near])
    heights = np.log1p([worse[one.rate] for one in near])
    weights = np.sqrt([len(one.scores) for one in near])
    bend, slope, _ = (float(one) for one in np.polyfit(places, heights, 2, w=weights))
    if bend <= 0:
        return None
    return best * math.exp(min(max(-slope / (2 * bend), -math.log(STEP) / 2), 0.0))


def is_near(one: float, other: float, factor: float) -> bool:
    return abs(math.log(one / other)) < math.log(factor)


def reach(curve: Sequence[tuple[float, float]], rate: float) -> tuple[float, float]:
    """The range around a rate in which a curve, linear between its points, stays near its level.

    Args:
        curve: (rate, how much worse), by rising rate.
    """
    level = next(worse for one, worse in curve if one == rate) + NEAR
    below = [point for point in curve if point[0] <= rate][::-1]
    above = [point for point in curve if point[0] >= rate]
    return _crossing(below, level), _crossing(above, level)


def _crossing(points: Sequence[tuple[float, float]], level: float) -> float:
    """Where a curve, followed from its first point on, first rises to a level."""
    for (rate, worse), (further, there) in pairwise(points):
        if there > level:
            part = (level - worse) / (there - worse)
            return rate * math.pow(further / rate, part)
    return points[-1][0]


def noise(lane: Lane) -> float:
    """How much a rate's score varies with the seed: the standard error of its mean."""
    if len(lane.scores) < 2:
        return 0.0
    return statistics.stdev(lane.scores.values()) / math.sqrt(len(lane.scores))


def coarse(border: float, hinted: float | None) -> list[float]:
    """The first rates of a race: those at 1/3 to 1/27 of what diverges (A2), or near a hint."""
    if hinted is None:
        return [border / STEP**power for power in (1, 2, 3)]
    top = min(hinted * STEP, border / STEP)
    return [top / STEP**power for power in range(3)]


def further(lanes: Sequence[Lane], border: float, lowest: float) -> list[float]:
    """Rates beside the best, a factor of 3 away, where none was tried so far (B9).

    Where the best is the lowest, one more below; where all diverged, two below.
    """
    sound = [lane for lane in lanes if lane.scores and not lane.has_diverged]
    tried = [lane.rate for lane in lanes if lane.scores]
    best = min(sound, key=lambda one: one.score).rate if sound else min(tried)
    wanted = [best / STEP]
    if best == min(tried):
        wanted.append(best / STEP**2)
    if sound:
        wanted.append(best * STEP)
    return [
        rate
        for rate in wanted
        if lowest <= rate < 0.99 * border
        and not any(lies_between(one, best, rate) for one in tried if one != best)
    ]


def lies_between(rate: float, best: float, wanted: float) -> bool:
    """Whether a rate lies on the way from the best to a wanted one, or just beyond it."""
    way = math.log(rate / best) / math.log(wanted / best)
    return 0 < way < 1.3


def finer(lanes: Sequence[Lane], most: float) -> list[float]:
    """Rates between the best and its neighbours."""
    sound = [lane for lane in lanes if lane.scores and not lane.has_diverged]
    if not sound:
        return []
    best = min(sound, key=lambda one: one.score).rate
    found = [best * math.sqrt(STEP), best / math.sqrt(STEP)]
    return [
        one
        for one in found
        if one <= most and not any(is_near(one, lane.rate, 1.2) for lane in lanes)
    ]


def finalists(lanes: Sequence[Lane], most: float, num: int = 3) -> list[Lane]:
    """The best rates so far that may be answered."""
    sound = [one for one in lanes if one.scores and not one.has_diverged and one.rate <= most]
    return sorted(sound, key=lambda one: one.score)[:num]


def drift(lanes: Sequence[Lane], rate: float) -> float:
    """By which factor the best rate moved over the later half of the race."""
    early = [Lane(lane.rate, lane.halfway) for lane in lanes if lane.halfway]
    sound = [lane for lane in early if not lane.has_diverged]
    return rate / min(sound, key=lambda one: one.score).rate if sound else 1.0


def looks_ahead(moved: float, times: float) -> float:
    """What to multiply the best rate of a short race by for a training so many times as long.

    Only downwards, by half of what the drift would give, and by a factor of 3 at most.
    """
    if moved >= 1 or times <= 1:
        return 1.0
    return max(1 / STEP, math.pow(moved, 0.5 * math.log2(times)))


def confidence(choice: Choice, *, num_seeds: int, is_whole: bool, num_lanes: int) -> Confidence:
    """How far to trust a choice: by the race's length, its seeds, and what lies on both sides."""
    if not choice.is_bracketed or num_lanes < 3:
        return "low"
    if is_whole and num_seeds >= 3:
        return "high"
    return "medium" if is_whole or num_seeds >= 2 else "low"


def tail(steps: Sequence[int], values: Sequence[float], until: float) -> float | None:
    """The mean of a curve over the last tenth of so many steps; of its last point at least."""
    known = [(s, v) for s, v in zip(steps, values, strict=True) if s <= until]
    if not known:
        return None
    late = [value for step, value in known if step > 0.9 * until] or [known[-1][1]]
    return sum(late) / len(late)


def has_exploded(losses: Sequence[float], untrained: float | None) -> bool:
    """Whether a training diverged: a loss that is no number, or an end far above its start."""
    if not all(map(math.isfinite, losses)):
        return True
    if not losses or untrained is None:
        return False
    end = statistics.median(losses[-max(1, len(losses) // 10) :])
    return end > exploded(untrained, untrained) / 2


def has_learnt(score: float, references: Sequence[float], noise: float) -> bool:
    """Whether a loss lies clearly below what it is without learning.

    Args:
        noise: the standard error of the score.
    """
    reference = min(references, default=math.inf)
    if not math.isfinite(reference):
        return True
    return reference - score > max(LEARNT * abs(reference), 2 * noise)


def rounded(rate: float) -> float:
    """To two significant digits, as people write rates."""
    return float(f"{rate:.1e}")

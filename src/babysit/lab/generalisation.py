"""What the curves of a training and of its variants say about its fit: bias, variance, neither.

Bias shows on the training examples already, variance in the gap to those that were held out
(E9, B8). All of this is arithmetic on losses that cannot be negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from babysit.lab.comparing import END, end, smoothed
from babysit.text import number, percent
from babysit.trial import Result

if TYPE_CHECKING:
    from babysit.series import Floats

FEWEST: Final = 10  # steps with examples of both kinds
SIGMAS: Final = 3.0  # deviations of the seeds beyond which a difference is no chance
MUCH_LEFT: Final = 0.3  # share of the first training loss; the rule `underfitting` has the same
SOME_LEFT: Final = 0.1  # the same, for regularisation to have cost something
STILL_FALLING: Final = 0.05  # share of the loss lost in the last third
SETTLED: Final = 0.1  # the same, below which regularisation does more than slow a good training
STEEP: Final = 0.25  # share of the loss lost in the last third by a training that has just begun
# Shares of the loss that a remedy takes away. Four times the width took 0.09 at most from 8 healthy
# programs with much left, and 0.75 from a net of two units; no regularisation took 0.003 at most
# from 6 of 7 with some left (0.53 from one, of little loss and within its seeds' spread), and 0.19
# from one with too strong a decay.
BETTER: Final = 0.25
LIGHTER: Final = 0.15
WORSE: Final = 0.15  # share of the loss that half of the data add
RISE: Final = 0.25  # share by which the end lies above the best
GAP: Final = 0.8  # share of the held-out loss that the training loss lies below; a healthy one 0.56
MUCH_HELD: Final = 0.2  # share of the first loss that is left on held-out examples
LAG: Final = 0.1  # accuracy on held-out examples below that on training examples
LATEST_BEST: Final = 0.6  # of the training, after which the best is no sign of having gone too far


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What was noted of one trial: losses and accuracies of both kinds of examples."""

    training: Floats
    held_out: Floats
    training_accuracy: float = float("nan")
    held_out_accuracy: float = float("nan")
    held_out_accuracies: Floats | None = None

    @property
    def first(self) -> float:
        """The training loss at the beginning."""
        return float(self.training[: max(1, len(self.training) // 50)].mean())

    @property
    def training_end(self) -> float:
        return mean_end(self.training)

    @property
    def held_out_end(self) -> float:
        return mean_end(self.held_out)


def fit_of(result: Result) -> Fit | None:
    """What a trial noted; ``None`` where it says nothing, held nothing out or took too long."""
    training, held = result.noted("training-loss"), result.noted("held-out-loss")
    is_cut_short = result.outcome == "stopped" and result.run.steps < result.trial.max_steps
    if result.refusal is not None or is_cut_short or min(len(training), len(held)) < FEWEST:
        return None
    return Fit(
        training=training.values, held_out=held.values,
        training_accuracy=end(result.noted("training-accuracy")),
        held_out_accuracy=end(result.noted("held-out-accuracy")),
        held_out_accuracies=result.noted("held-out-accuracy").values,
    )  # fmt: skip


@dataclass(kw_only=True)
class Evidence:
    """The trials' fits, a list over seeds each; those that could not be tried are empty.

    Args:
        plain: as it is.
        wide, narrow: four times as wide, and a quarter.
        tied, free: as it is, and without regularisation, judged in the same way.
        half: learnt from half of the examples.
        off: the regularisation that ``free`` is without.
        is_whole: the training came to its own end.
    """

    plain: list[Fit] = field(default_factory=list)
    wide: list[Fit] = field(default_factory=list)
    narrow: list[Fit] = field(default_factory=list)
    tied: list[Fit] = field(default_factory=list)
    free: list[Fit] = field(default_factory=list)
    half: list[Fit] = field(default_factory=list)
    off: tuple[str, ...] = ()
    is_whole: bool = True


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One thing that is wrong with a fit, and what to do."""

    name: str
    text: str
    variant: str | None = None  # whose trials show it


def mean_end(values: Floats) -> float:
    return float(values[-max(1, int(END * len(values))) :].mean())


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def deviation(values: Sequence[float]) -> float:
    """Of seeds; of a single one nothing is known."""
    if len(values) < 2:
        return float("inf")
    middle = mean(values)
    return float((sum((value - middle) ** 2 for value in values) / (len(values) - 1)) ** 0.5)


def causes(evidence: Evidence) -> list[Cause]:
    """What is clearly wrong, the clearest first; empty where nothing is."""
    plain = evidence.plain
    if not plain or not all(is_judgeable(one) for one in plain):
        return []
    return [*bias(evidence), *variance(evidence)]


def is_judgeable(fit: Fit) -> bool:
    """Whether shares of the losses mean anything: they are finite and nowhere negative."""
    together = (*fit.training, *fit.held_out)
    return all(0 <= value < float("inf") for value in together) and fit.first > 0


def bias(evidence: Evidence) -> list[Cause]:
    """What keeps the training loss high."""
    plain, found = evidence.plain, list[Cause]()
    left = mean([one.training_end / one.first for one in plain])
    falling = [min(fall(one.training), fall(one.held_out)) for one in plain]
    has_settled = left > MUCH_LEFT or (left > SOME_LEFT and min(falling) < SETTLED)
    if has_settled and is_better(evidence.free, evidence.tied, plain, by=LIGHTER):
        found.append(
            Cause(
                name="bias: too regularised", variant="free",
                text=f"without {' and '.join(evidence.off)} the training loss ends at "
                f"{shown(evidence.free)[0]} rather than {shown(evidence.tied)[0]}, the held-out "
                f"loss at {shown(evidence.free)[1]} rather than {shown(evidence.tied)[1]}: "
                f"lower {'them' if len(evidence.off) > 1 else 'it'}",
            )
        )  # fmt: skip
    if left < MUCH_LEFT or found:
        return found
    if min(falling) > STILL_FALLING:
        if min(falling) > STEEP and evidence.is_whole:
            found.append(
                Cause(
                    name="bias: too short",
                    text="the losses of training and held-out examples both fell by another "
                    f"{percent(min(falling))} in the last third: train longer, or at a higher rate",
                )
            )
    elif is_better(evidence.wide, plain, plain, by=BETTER):
        found.append(
            Cause(
                name="bias: too small", variant="wide",
                text=f"the training loss stays at {shown(plain)[0]}; four times as wide the model "
                f"comes to {shown(evidence.wide)[0]}, on held-out examples to "
                f"{shown(evidence.wide)[1]} rather than {shown(plain)[1]}: take a larger one",
            )
        )  # fmt: skip
    return found


def variance(evidence: Evidence) -> list[Cause]:
    """What keeps the held-out loss above the training loss."""
    plain, found = evidence.plain, list[Cause]()
    if mean([one.held_out_end / one.first for one in plain]) < MUCH_HELD:
        return found
    turns = [turning_point(one) for one in plain]
    if all(turns) and evidence.is_whole:
        when, best = turns[0] or (0.0, 0.0)
        found.append(
            Cause(
                name="variance: too long",
                text=f"the held-out loss was best after {percent(when)} of the training, at "
                f"{number(best)}, and ends at {number(plain[0].held_out_end)} while the training "
                "loss fell on: stop there, or regularise",
            )
        )
    if is_gaping(plain) and is_worse(evidence.half, plain):
        found.append(
            Cause(
                name="variance: too little data", variant="half",
                text=f"the training loss is {shown(plain)[0]}, the held-out loss {shown(plain)[1]},"
                f" and {shown(evidence.half)[1]} with half of the examples: more of them would "
                "help; gather or augment, else regularise",
            )
        )  # fmt: skip
    return found


def shown(fits: Sequence[Fit]) -> tuple[str, str]:
    """Training and held-out loss in words, the mean over seeds."""
    training, held = [one.training_end for one in fits], [one.held_out_end for one in fits]
    return number(mean(training)), number(mean(held))


def is_better(others: list[Fit], than: list[Fit], plain: list[Fit], *, by: float) -> bool:
    """Whether a variant is clearly better on training and held-out examples, under each seed."""
    if not others or not than:
        return False
    for part in ("training_end", "held_out_end"):
        usual = mean([getattr(one, part) for one in than])
        noise = deviation([getattr(one, part) for one in plain])
        worst = max(getattr(one, part) for one in others)
        if not worst < min((1 - by) * usual, usual - SIGMAS * noise):
            return False
    return True


def is_worse(others: list[Fit], than: list[Fit]) -> bool:
    """Whether a variant is clearly worse on held-out examples, seed by seed.

    The same few examples are held out under every seed, so that pairs differ less than seeds do.
    """
    pairs = zip(others, than, strict=False)
    shares = [other.held_out_end / max(usual.held_out_end, 1e-12) for other, usual in pairs]
    return bool(shares) and mean(shares) > 1 + WORSE and min(shares) > 1


def is_gaping(plain: list[Fit]) -> bool:
    """Whether held-out examples are clearly worse off than those of the training."""
    gaps = [1 - one.training_end / max(one.held_out_end, 1e-12) for one in plain]
    lags = [one.training_accuracy - one.held_out_accuracy for one in plain]
    return min(gaps) > GAP and not min(lags) < LAG  # NaN, where there are no classes, passes


def fall(values: Floats) -> float:
    """Which share of a loss was lost from its second third to its end."""
    third = len(values) // 3
    before, after = values[third : 2 * third], values[-max(1, third // 2) :]
    middle = float(before[len(before) // 2 :].mean())
    return (middle - float(after.mean())) / middle if middle > 0 else 0.0


def turning_point(fit: Fit) -> tuple[float, float] | None:
    """When the held-out loss was best, as a share of the training, and how low; if it was."""
    curve = smoothed(fit.held_out)
    lowest = int(curve.argmin())
    best, when = float(curve[lowest]), lowest / max(len(curve) - 1, 1)
    accuracies = fit.held_out_accuracies
    if accuracies is not None and len(accuracies):
        right = smoothed(accuracies)
        at_best = float(right[min(lowest, len(right) - 1)])
        if mean_end(accuracies) > at_best + 0.01:
            return None  # only its certainty is worse
    fell_on = fit.training_end < float(smoothed(fit.training)[min(lowest, len(curve) - 1)])
    is_clear = fit.held_out_end > (1 + RISE) * best and float(curve[-1]) > (1 + RISE) * best
    return (when, best) if when < LATEST_BEST and is_clear and fell_on else None


def numbers(evidence: Evidence) -> dict[str, float]:
    """Losses at the end by variant and part, and what the judgement was made of."""
    found = {}
    for name in ("plain", "wide", "narrow", "tied", "free", "half"):
        fits: list[Fit] = getattr(evidence, name)
        if fits:
            found[f"{name}-training-loss"] = mean([one.training_end for one in fits])
            found[f"{name}-held-out-loss"] = mean([one.held_out_end for one in fits])
    plain = evidence.plain
    if plain:
        found["first-loss"] = mean([one.first for one in plain])
        found["held-out-deviation"] = deviation([one.held_out_end for one in plain])
        found["fall-in-last-third"] = min(fall(one.held_out) for one in plain)
    return found

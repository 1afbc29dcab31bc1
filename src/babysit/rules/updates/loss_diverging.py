from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import Course, course, is_bounded_below, is_rate_test
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number, percent

if TYPE_CHECKING:
    from babysit.series import Floats


class LossDiverging(Rule):
    """The training loss rises for a long time or runs away below zero, for no reason found.

    Why it matters:
        A training that goes uphill gets worse with every step that it is paid for; one that
        falls below zero without end follows a term that has no lowest value.

    How it decides:
        The loss ends far above both its first level and its lowest one, it has risen through
        most of the last half of the training, by far more than its noise, and no evaluation
        improved meanwhile. Or the loss ends below zero at a size that exceeds all of its
        beginning by many orders of magnitude. A symptom: it is folded under a cause where one is
        found.

    What to do:
        Check the sign of the loss and of the update (``maximize``, ``+=`` for ``-=``); check
        the rate's schedule; divide the rate by 3.

    When it is wrong:
        Losses that need not fall (opponents, sampled returns, negative log-densities, moving
        targets), rate tests, and losses that return after a leap are not reported; negative
        log-densities only where they run away.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss",)
    remedies = ("check-signs", "lower-lr")
    is_symptom = True
    explains = ("loss-not-decreasing", "loss-oscillating", "underfitting", "overfitting")
    min_steps = threshold(
        default=100, unit="steps", why="a rise over fewer than a hundred steps may be a leap"
    )
    min_rise = threshold(
        default=0.3,
        unit="share of the first level",
        why="no bounded loss of 61 healthy programs ends above its first level, a rate test "
        "aside; the one that goes uphill ends at eleven times it",
    )
    min_noise = threshold(
        default=8, unit="standard errors", why="ten windows of pure noise stay within 4 of these"
    )
    min_risings = threshold(
        default=0.75,
        unit="share of the last windows",
        why="a lasting rise goes through nearly every window; noise through half of them",
    )
    min_flight = threshold(
        default=1e6,
        unit="times the first tenth's largest size, or 1",
        why="negative log-densities, sampled returns and energies of 8 healthy trainings end at "
        "3.8 times that size at most; a divergence with the wrong sign at 1e20",
    )
    examples = (
        sick(loss=[3.0 - 1e-3 * 1.2**step for step in range(200)]),
        healthy(loss=[3.0 - step for step in range(200)]),
        sick(loss=[1.1 * 1.01**step for step in range(200)]),
        healthy(loss=[2.3 * 0.99**step for step in range(200)]),
        healthy(loss=[2.3, *[8.0] * 20, *[1.0] * 200]),
    )

    def check(self, run: Training) -> Conclusions:
        """Levels of tenths of the training."""
        points = run.series("loss")
        loss = course(points.values)
        if loss is None or len(points) < self.min_steps:
            yield Unexamined(reason=f"only {count(len(points), 'step')}: too few to tell")
            return
        if (term := self._runs_away(run, points.values)) is not None:
            yield self._flight(run, loss, term)
            return
        if not is_bounded_below(run):
            yield Unexamined(reason="this loss need not fall (negative, or its target moves)")
            return
        late = loss.levels[len(loss.levels) // 2 - 1 :]
        risings = float((np.diff(late) > 0).mean())
        lowest = int(loss.levels.argmin())
        rise = loss.end - max(loss.start, loss.best)
        is_long = lowest <= len(loss.levels) // 2 and risings >= self.min_risings
        is_clear = rise > max(self.min_rise * loss.start, self.min_noise * loss.noise)
        if not (is_long and is_clear) or evaluation_gained(run):
            return
        yield Finding(
            confidence=0.85,
            message=f"the loss diverges: it rose from {number(loss.start)} over the first tenth of "
            f"the training to {number(loss.end)} over the last, steadily ({percent(risings)} of "
            "the last windows lie above the one before)",
            where=run.source("backward"),
            first_step=int(points.steps[lowest * len(points) // len(loss.levels)]),
            evidence=(
                Evidence(signal="loss", value=loss.end, limit=(1 + self.min_rise) * loss.start,
                         steps=(int(points.steps[0]), int(points.steps[-1]))),
            ),
            remedies=(
                Remedy(name="check-signs", text="Check the sign of the loss and of the update: "
                       "maximize=True, -loss, or += where -= belongs."),
                Remedy(name="lower-lr", text="If both are right, divide the learning rate by 3.",
                       change={"name": "scale-learning-rate", "factor": 1 / 3}),
            ),
        )  # fmt: skip

    def _runs_away(self, run: Training, values: Floats) -> str | None:
        """The term, if its name is known, with which a loss falls without end; else ``None``."""
        tenth = max(1, len(values) // 10)
        sizes = np.abs(values[:tenth])
        moves = run.facts.get("is_adversarial") or run.facts.get("has_teacher") or is_rate_test(run)
        if moves or not np.isfinite(values).all():  # what is not finite has a rule of its own
            return None
        if values[-tenth:].max() > -self.min_flight * max(1.0, float(sizes.max())):
            return None
        ends = {name: abs(s.last) for name, s in run.places("loss-term").items() if len(s)}
        largest = max(ends, key=lambda name: ends[name], default="")
        return largest if largest.isidentifier() else ""

    def _flight(self, run: Training, loss: Course, term: str) -> Finding:
        named = f" with its term `{term}`" if term else ""
        return Finding(
            confidence=0.9,
            message=f"the loss runs away below zero{named}: from {number(loss.first)} to "
            f"{number(loss.end)}, {number(abs(loss.end) / max(1.0, abs(loss.first)))} times its "
            "first size; nothing holds it",
            where=run.source("backward"),
            evidence=(Evidence(signal="loss", value=loss.end,
                               limit=-self.min_flight * max(1.0, abs(loss.first))),),
            remedies=(
                Remedy(name="check-signs", text="Check the sign of "
                       + (f"`{term}`" if term else "every term of the loss")
                       + ": what is minimised must have a lowest value (a divergence is added, "
                       "a log-likelihood subtracted)."),
            ),
        )  # fmt: skip


def evaluation_gained(run: Training) -> bool:
    """Whether any evaluation ended better than it began: accuracy up, or loss down."""
    gains = [s.last > s.first + 0.02 for s in run.places("eval-accuracy").values() if len(s) > 1]
    gains += [s.last < s.first for s in run.places("eval-loss").values() if len(s) > 1]
    return any(gains)

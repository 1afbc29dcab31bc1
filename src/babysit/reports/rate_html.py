"""The answer about a learning rate as one HTML file: the curve as SVG, without any network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Final

from babysit.learning_rate import RateAnswer
from babysit.page import Page
from babysit.reports.html import TEMPLATE, WIDTH
from babysit.reports.rate_terminal import RateTerminal
from babysit.text import number

SIZE: Final = (640, 300)
MARGINS: Final = (60, 20, 40, 20)  # left, right, bottom, top
STYLE: Final = """<style>
svg { display: block; max-width: 80ch; margin: 0 auto 1.5rem; font: 12px ui-sans-serif, system-ui,
  sans-serif; color: light-dark(#1b1f24, #d8dde5); }
svg text { fill: currentColor; } .axis { stroke: currentColor; opacity: 0.4; }
.range { fill: light-dark(#1e6b34, #7bd88f); opacity: 0.15; }
.best { stroke: light-dark(#1e6b34, #7bd88f); stroke-width: 2; }
.own { stroke: light-dark(#8a5a00, #ffca5c); stroke-dasharray: 4 3; }
.sweep { fill: none; stroke: currentColor; opacity: 0.3; }
.race { fill: none; stroke: light-dark(#1f5fbf, #8ab4f8); stroke-width: 2; }
.seed { fill: light-dark(#1f5fbf, #8ab4f8); } .out { fill: light-dark(#b3261e, #ff8a80); }
</style>
"""


@dataclass(frozen=True)
class Figure:
    """Where data lie in the picture: rates by their logarithms, losses as they are.

    Args:
        rates, losses: the lowest and the highest shown.
    """

    rates: tuple[float, float]
    losses: tuple[float, float]

    @classmethod
    def of(cls, answer: RateAnswer) -> Figure | None:
        """The frame around an answer's curves; ``None`` where nothing is to be drawn."""
        rates = [lane.rate for lane in answer.lanes]
        losses = [x for lane in answer.lanes for x in lane.scores.values() if math.isfinite(x)]
        if not losses:
            return None
        low, high = min(losses), max(losses)
        around = 0.05 * (high - low) or 0.1 * abs(high) or 1.0
        return cls((min(rates) / 1.5, max(rates) * 1.5), (low - around, high + around))

    def x(self, rate: float) -> float:
        low, high = map(math.log, self.rates)
        share = (math.log(rate) - low) / (high - low)
        return MARGINS[0] + share * (SIZE[0] - MARGINS[0] - MARGINS[1])

    def y(self, loss: float) -> float:
        low, high = self.losses
        share = min(1.0, max(0.0, (loss - low) / (high - low)))
        return SIZE[1] - MARGINS[2] - share * (SIZE[1] - MARGINS[2] - MARGINS[3])

    def points(self, curve: list[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(rate):.1f},{self.y(loss):.1f}" for rate, loss in curve)


class RateHtml:
    """An answer as a self-contained page, light or dark as the reader's system is."""

    def render(self, answer: RateAnswer) -> str:
        """The whole page."""
        page = Page(width=WIDTH, colour=True)
        RateTerminal().draw(page, answer)
        title = escape(f"babysit lr: {answer.script}")
        text = TEMPLATE.format(title=title, body=page.html().rstrip())
        return text.replace("<main>", f"<main>{STYLE}{picture(answer)}", 1)


def picture(answer: RateAnswer) -> str:
    """The race's curve, the range tests behind it, the answer and the script's own rate."""
    figure = Figure.of(answer)
    if figure is None:
        return ""
    title = escape(f"{answer.measure} over the learning rate")
    parts = [f'<svg viewBox="0 0 {SIZE[0]} {SIZE[1]}" role="img" aria-label="{title}">']
    parts += [*marks(figure, answer), *curves(figure, answer), *axes(figure, answer), "</svg>"]
    return "\n".join(parts)


def marks(figure: Figure, answer: RateAnswer) -> list[str]:
    """The range, the answer, the script's own rate."""
    top, bottom = MARGINS[3], SIZE[1] - MARGINS[2]
    parts = []
    if answer.low is not None and answer.high is not None:
        left, right = figure.x(answer.low), figure.x(answer.high)
        parts.append(
            f'<rect class="range" x="{left:.1f}" y="{top}" width="{max(right - left, 1):.1f}" '
            f'height="{bottom - top}"/>'
        )
    for rate, kind in ((answer.lr, "best"), (answer.current, "own")):
        if rate is not None and figure.rates[0] <= rate <= figure.rates[1]:
            x = figure.x(rate)
            parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}">'
                         f"<title>{number(rate)}</title></line>")  # fmt: skip
    return parts


def curves(figure: Figure, answer: RateAnswer) -> list[str]:
    parts = []
    for sweep in answer.sweeps:
        seen = [
            (rate, loss)
            for rate, loss in zip(sweep.rates, sweep.losses, strict=True)
            if figure.rates[0] <= rate <= figure.rates[1]
        ]
        parts.append(f'<polyline class="sweep" points="{figure.points(seen)}"/>')
    sound = [(lane.rate, lane.score) for lane in answer.lanes if not lane.has_diverged]
    parts.append(f'<polyline class="race" points="{figure.points(sound)}"/>')
    for lane in answer.lanes:
        for score in lane.scores.values():
            kind = "seed" if math.isfinite(score) else "out"
            x, y = figure.x(lane.rate), figure.y(score if kind == "seed" else math.inf)
            parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
    return parts


def axes(figure: Figure, answer: RateAnswer) -> list[str]:
    left, right, bottom, top = MARGINS
    floor = SIZE[1] - bottom
    parts = [f'<path class="axis" fill="none" d="M{left} {top}V{floor}H{SIZE[0] - right}"/>']
    low, high = (math.ceil(math.log10(figure.rates[0])), math.floor(math.log10(figure.rates[1])))
    for power in range(low, high + 1):
        x = figure.x(10.0**power)
        parts.append(f'<text x="{x:.1f}" y="{floor + 16}" text-anchor="middle">1e{power}</text>')
    span = figure.losses[1] - figure.losses[0]
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        loss = figure.losses[0] + part * span
        parts.append(
            f'<text x="{left - 6}" y="{figure.y(loss) + 4:.1f}" text-anchor="end">{number(loss)}'
            "</text>"
        )
    middle = (left + SIZE[0] - right) / 2
    parts.append(
        f'<text x="{middle}" y="{SIZE[1] - 6}" text-anchor="middle">learning rate — line: '
        f"{escape(answer.measure)}; faint: range tests; dashed: yours</text>"
    )
    return parts

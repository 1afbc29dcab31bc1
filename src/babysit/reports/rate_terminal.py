"""The answer about a learning rate for the terminal: the rate, its range, the curve, the reason."""

from __future__ import annotations

import math
from typing import Final

from babysit.learning_rate import Lane, RateAnswer, same
from babysit.page import Page
from babysit.text import count, number

BAR: Final = 30  # columns of the worst loss shown
NEXT: Final = "Next: put {rate} into the script, and `babysit run {script}` shows how it trains."
NEXT_WITHOUT: Final = "Next: `babysit run {script}` or `babysit checkup {script}` shows why."


class RateTerminal:
    """An answer as text for people."""

    def draw(self, page: Page, answer: RateAnswer) -> None:
        """Write all of it on a page."""
        page.blank()
        title = "no learning rate" if answer.lr is None else f"learning rate {number(answer.lr)}"
        page.headline(title, answer.script, style="bold yellow" if answer.lr is None else "bold")
        if answer.lr is None:
            page.entry("why", f"No number would be honest: {answer.reason}.")
        else:
            low, high = number(answer.low or answer.lr), number(answer.high or answer.lr)
            page.entry("range", f"{low} to {high}, confidence {answer.confidence}")
            page.entry("why", f"{answer.reason}.")
        if (own := about_current(answer)) is not None:
            page.entry("yours", own)
        if answer.border is not None:
            page.entry("border", f"from {number(answer.border)} on it diverges within 100 steps")
        if answer.lanes:
            page.section(f"{answer.measure} by rate")
            for lane in answer.lanes:
                page.parts(*row(lane, answer), indent=2)
        page.blank()
        spent = f"{count(answer.trials, 'trial')} in {answer.seconds:.0f} s; nothing was changed."
        page.paragraph(spent)
        text = NEXT_WITHOUT if answer.lr is None else NEXT
        page.paragraph(text.format(rate=number(answer.lr or 0), script=answer.script))


def about_current(answer: RateAnswer) -> str | None:
    """What the script's own rate is, and how it fares."""
    if answer.current is None:
        return None
    said = number(answer.current)
    lane = answer.current_lane
    if lane is None or not lane.scores:
        return said
    return f"{said}: {'it diverges' if lane.has_diverged else number(lane.score)}"


def row(lane: Lane, answer: RateAnswer) -> list[tuple[str, str]]:
    """One rate: itself, a bar as long as its loss, the loss and its spread."""
    is_best = answer.lr is not None and abs(math.log(lane.rate / answer.lr)) < math.log(1.05)
    style = "bold green" if is_best else ""
    sign = "→" if is_best else "*" if answer.current and same(lane.rate, answer.current) else " "
    if lane.has_diverged:
        return [(f"{sign} {number(lane.rate):>8}  diverges", "red")]
    scores = [one.score for one in answer.lanes if not one.has_diverged]
    low, high = min(*scores, 0.0), max(*scores, 1e-12)
    bar = "█" * max(1, round(BAR * (lane.score - low) / (high - low)))
    spread = ""
    if len(lane.scores) > 1:
        spread = f" ({number(min(lane.scores.values()))} to {number(max(lane.scores.values()))})"
    return [
        (f"{sign} {number(lane.rate):>8}  ", style),
        (f"{bar} ", style or "cyan"),
        (f"{number(lane.score)}{spread}", style),
    ]

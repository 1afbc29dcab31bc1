"""The part of a report that tells what was tried: questions, answers, what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from babysit.page import Page
from babysit.text import count

SIGNS: Final = {
    "sound": ("✓", "bold green"), "unsound": ("✗", "bold red"), "told": ("·", "bold"),
}  # fmt: skip


def draw_checkup(page: Page, checkup: Mapping[str, Any]) -> None:
    """Put the experiments on a page: first what is not sound, then what is, then the rest."""
    answers, trials = checkup["answers"], checkup["trials"]
    amount = count(len(trials), "trial")
    page.parts(("Experiments", "bold"), (f"  {amount} in {checkup['seconds']:.0f} s", "dim"))
    for verdict, (sign, style) in sorted(SIGNS.items(), key=lambda one: one[0] != "unsound"):
        for answer in answers:
            if answer["verdict"] == verdict:
                page.parts((f"{sign} ", style), (answer["question"], ""), indent=2)
                page.paragraph(answer["answer"], indent=6)
    left = [answer for answer in answers if answer["verdict"] == "not tried"]
    if left:
        page.paragraph("Not tried:", indent=2)
    for answer in left:
        page.paragraph(f"{answer['name']}: {answer['answer']}", indent=4, hang=2)
    page.blank()

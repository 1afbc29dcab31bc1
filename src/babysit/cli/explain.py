"""`babysit explain`: all about one rule."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from babysit.cli.output import difference, say

if TYPE_CHECKING:
    from babysit.page import Page
    from babysit.rule import Rule


@click.command()
@click.argument("name")
def command(name: str) -> None:
    """Explain a rule: why it matters, how it decides, what cures it.

    NAME is the rule's, as in a report; `babysit rules` lists them. When the rule is wrong is told
    as well, and what chose its limits.

    \b
    babysit explain softmax-before-cross-entropy
    """
    from babysit import catalogue
    from babysit.page import Page

    rule = catalogue.rule(name.lower().replace("_", "-"))
    page = Page.for_stream(sys.stdout)
    page.headline(rule.name(), f"{rule.severity}, {rule.group()}, since {rule.since}")
    page.blank()
    page.paragraph(plain(rule.summary()))
    for heading, text in rule.sections().items():
        page.section(heading)
        page.paragraph(plain(text), indent=2)
    limits(page, rule)
    relations(page, rule)
    prescription(page, rule)
    say(page.text())


def limits(page: Page, rule: type[Rule]) -> None:
    """The thresholds, and what chose them."""
    from babysit.text import number

    thresholds = rule.thresholds()
    if thresholds:
        page.section("Limits")
    for name, limit in thresholds.items():
        page.paragraph(f"`{name}` = {number(limit.default)} {limit.unit}", indent=2)
        page.paragraph(plain(limit.why), indent=6)


def relations(page: Page, rule: type[Rule]) -> None:
    """Its remedies by name, and what else it explains."""
    page.section("Remedies")
    page.paragraph(", ".join(f"`{remedy}`" for remedy in rule.remedies), indent=2)
    if rule.explains:
        page.section("Explains, where both are found")
        page.paragraph(", ".join(f"`{other}`" for other in rule.explains), indent=2)


def prescription(page: Page, rule: type[Rule]) -> None:
    """What makes the rule's sick training healthy: the difference of its two scripts."""
    folder = clinic() / rule.name().replace("-", "_")
    sick, healthy = folder / "sick.py", folder / "healthy.py"
    if sick.is_file() and healthy.is_file():
        page.section("Prescription")
        page.diff(difference(sick, healthy))


def clinic() -> Path:
    """The folder of sick and healthy trainings: in the package, or beside its sources."""
    package = Path(__file__).parents[1]
    installed = package / "clinic"
    return installed if installed.is_dir() else package.parents[1] / "clinic"


def plain(text: str) -> str:
    """Docstrings mark code with two backticks, a terminal with one."""
    return text.replace("``", "`")

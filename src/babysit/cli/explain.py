"""`babysit explain`: all about one rule."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from babysit.signal import CHECKUP

    rule = catalogue.rule(name.lower().replace("_", "-"))
    page = Page.for_stream(sys.stdout)
    page.headline(rule.name(), f"{rule.severity}, {rule.group()}, since {rule.since}")
    page.blank()
    page.paragraph(plain(rule.summary()))
    if rule.needs_checkup():
        page.paragraph(f"It {CHECKUP}.")
    for heading, text in rule.sections().items():
        page.section(heading)
        page.paragraph(plain(text), indent=2)
    limits(page, rule)
    relations(page, rule)
    prescription(page, rule)
    say(page.text())


def limits(page: Page, rule: type[Rule]) -> None:
    """The thresholds, what chose them, and how far healthy trainings stay away."""
    from babysit.text import number

    thresholds = rule.thresholds()
    if thresholds:
        page.section("Limits")
    for name, limit in thresholds.items():
        page.paragraph(f"`{name}` = {number(limit.default)} {limit.unit}", indent=2)
        page.paragraph(plain(limit.why), indent=6)
        for text in margins(rule, name):
            page.paragraph(f"Measured: {text}.", indent=6)


def margins(rule: type[Rule], limit: str) -> list[str]:
    """What was compared with a threshold on healthy programs, and on the rule's sick one.

    A healthy value may lie beyond the limit where another condition of the rule is not met.
    """
    from babysit.text import count, number

    known = calibration().get(rule.name(), {}).get(limit, {})
    texts = []
    for kind in ("healthy", "sick"):
        found = known.get(kind)
        if found:
            low, middle, high = (number(found[part]) for part in ("low", "middle", "high"))
            span = f"{low} to {high}" if low != high else low
            if kind == "sick":
                texts.append(f"a program with this fault: {span}")
                continue
            usual = f", usually up to {middle}" if low != high else ""
            programs = count(found["count"], "healthy program")
            texts.append(f"{programs}, the rule's other conditions aside: {span}{usual}")
    return texts


@cache
def calibration() -> dict[str, Any]:
    """What ``benchmarks.calibration`` measured, by rule and threshold."""
    import json

    path = clinic() / "calibration.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return known


def relations(page: Page, rule: type[Rule]) -> None:
    """Its remedies, in the words of an example where it has one, and what else it explains."""
    told = remedies_told(rule)
    page.section("Remedies, with names from an example" if told else "Remedies")
    for remedy in rule.remedies:
        for text in told.get(remedy, [""]):
            page.paragraph(f"`{remedy}`" + (f": {text}" if text else ""), indent=2, hang=4)
    if rule.explains:
        page.section("Explains, where both are found")
        page.paragraph(", ".join(f"`{other}`" for other in rule.explains), indent=2)


def remedies_told(rule: type[Rule]) -> dict[str, list[str]]:
    """What the rule advises on its own examples, by the remedy's name."""
    from babysit.findings import Finding

    found = [one for example in rule.examples for one in rule().conclude(example.training)]
    advised = (remedy for one in found if isinstance(one, Finding) for remedy in one.remedies)
    texts: dict[str, list[str]] = {}
    for remedy in advised:
        known = texts.setdefault(remedy.name, [])
        known += [remedy.text] if remedy.text not in known else []
    return texts


def prescription(page: Page, rule: type[Rule]) -> None:
    """What makes the rule's sick training healthy: the difference of its two scripts."""
    folder = clinic() / rule.name().replace("-", "_")
    sick, healthy = folder / "sick.py", folder / "healthy.py"
    if sick.is_file() and healthy.is_file():
        page.section("Prescription")
        page.paragraph("A program with this fault, and the same program cured:", indent=2)
        page.blank()
        page.diff(difference(sick, healthy))


def clinic() -> Path:
    """The folder of sick and healthy trainings: in the package, or beside its sources."""
    package = Path(__file__).parents[1]
    installed = package / "clinic"
    return installed if installed.is_dir() else package.parents[1] / "clinic"


def plain(text: str) -> str:
    """Docstrings mark code with two backticks, a terminal with one."""
    return text.replace("``", "`")

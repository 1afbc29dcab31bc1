"""`babysit rules`: what babysit can find."""

from __future__ import annotations

import sys
from itertools import groupby

import click

from babysit.cli.output import say


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def command(as_json: bool) -> None:
    """List what babysit can find, one sentence for each rule."""
    from babysit import catalogue
    from babysit.page import SEVERITY_STYLES, Page
    from babysit.reports.json import strict
    from babysit.run import SCHEMA

    rules = sorted(catalogue.rules().values(), key=lambda rule: (rule.group(), rule.name()))
    if as_json:
        listed = [
            {"name": rule.name(), "group": rule.group(), "severity": rule.severity,
             "summary": rule.summary(), "since": rule.since}
            for rule in rules
        ]  # fmt: skip
        say(strict({"schema": SCHEMA, "rules": listed}))
        return
    page = Page.for_stream(sys.stdout)
    for group, members in groupby(rules, key=lambda rule: rule.group()):
        page.headline(group)
        for rule in members:
            severity = (f"{rule.severity:<9}", SEVERITY_STYLES[rule.severity])
            page.parts(severity, (rule.name(), "bold"), indent=2)
            page.paragraph(rule.summary(), indent=11)
        page.blank()
    page.paragraph(f"Next: `babysit explain {rules[0].name()}` tells all about one of them.")
    say(page.text())

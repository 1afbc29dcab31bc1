"""Writes docs/rules/ and the tables of experiments and changes in docs/, from their own files."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

from babysit import catalogue
from babysit.change import changes
from babysit.cli.explain import clinic, margins
from babysit.cli.output import difference
from babysit.lab.checkup import experiments
from babysit.rule import Rule
from babysit.signal import CHECKUP

DOCS = Path(__file__).resolve().parents[1] / "docs"
FOLDER = DOCS / "rules"


def page(rule: type[Rule]) -> str:
    """One rule as Markdown."""
    lines = [
        f"# {rule.name()}",
        "",
        rule.summary(),
        "",
        f"*{rule.severity}, since {rule.since}{f', {CHECKUP}' * rule.needs_checkup()}*",
        "",
    ]
    for heading, text in rule.sections().items():
        lines += [f"## {heading}", "", text.replace("``", "`"), ""]
    if rule.thresholds():
        lines += [
            "## Thresholds",
            "",
            "| name | value | unit | why | measured |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| `{name}` | {limit.default:g} | {limit.unit} | {limit.why} "
            f"| {'; '.join(margins(rule, name))} |"
            for name, limit in rule.thresholds().items()
        ]
        lines.append("")
    pair = clinic() / rule.name().replace("-", "_")
    lines += [
        "## The prescription",
        "",
        "A program with this fault, and the same program cured:",
        "",
    ]
    lines += ["```diff", *difference(pair / "sick.py", pair / "healthy.py"), "```", ""]
    return "\n".join(lines)


def table(rules: list[type[Rule]]) -> str:
    """All rules by family."""
    lines = ["# Rules", "", "Made by `make docs` from the rules' own files.", ""]
    for group in dict.fromkeys(rule.group() for rule in rules):
        lines += [f"## {group}", "", "| rule | severity | sick when |", "|---|---|---|"]
        lines += [
            f"| [{rule.name()}]({rule.name()}.md) | {rule.severity} | {rule.summary()} |"
            for rule in rules
            if rule.group() == group
        ]
        lines.append("")
    return "\n".join(lines)


def experiment_table() -> str:
    """All experiments with their questions."""
    rows = [f"| {one.question} | `{one.name()}` | {one.summary()} |" for one in experiments()]
    return "\n".join(["| question | experiment | what it does |", "|---|---|---|", *rows])


def change_table() -> str:
    """All changes with their parameters."""
    rows = []
    for name, change in changes().items():
        parameters = ", ".join(f"`{field.name}`" for field in fields(change))
        rows.append(f"| `{name}` | {parameters} | {change.summary()} |")
    return "\n".join(["| change | parameters | what it does |", "|---|---|---|", *rows])


def filled(path: Path, table: str) -> str:
    """A page with the table between its two marks."""
    before, start, rest = path.read_text().partition("<!-- made by `make docs` -->\n")
    _, end, after = rest.partition("<!-- end -->")
    return f"{before}{start}{table}\n{end}{after}"


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` say which differ from what they should be."""
    rules = list(catalogue.rules().values())
    pages = {FOLDER / f"{rule.name()}.md": page(rule) for rule in rules}
    pages[FOLDER / "README.md"] = table(rules)
    for path, made in (
        (DOCS / "checkup.md", experiment_table),
        (DOCS / "changes.md", change_table),
    ):
        pages[path] = filled(path, made())
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text() != text]
    stale += [path for path in FOLDER.glob("*.md") if path not in pages]
    if "--check" in arguments:
        for path in stale:
            print(f"{path.name} is out of date; run `make docs`")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in stale:
        if path in pages:
            path.write_text(pages[path])
        else:
            path.unlink()
    print(f"docs/: {len(pages)} pages, {len(stale)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

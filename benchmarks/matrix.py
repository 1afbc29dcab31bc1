"""The matrix of programs × rules as text: a line for each program, what was found on it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.cases import ROOT, Case

FILE: Final = ROOT / "tests" / "gold" / "matrix.txt"
SEVERITIES: Final = {"E": "error", "W": "warning", "A": "advice"}
CELL: Final = re.compile(r"([EWA]) (\S+) at (\S*):(\d*)(?: < ([\w-]+))?")


def row(case: Case, findings: Sequence[Mapping[str, Any]]) -> str:
    """What was found on a program: severity, rule, place, and what it follows from."""
    return "; ".join(cell(case, finding) for finding in findings) or "-"


def cell(case: Case, finding: Mapping[str, Any]) -> str:
    where = finding["where"] or {}
    is_own = Path(where.get("file") or "").name == case.program.name
    line = where.get("line") if is_own else None
    layer = (where.get("layer") or "").replace(" ", "_")
    because = f" < {finding['because_of']}" if finding["because_of"] else ""
    return f"{finding['severity'][0].upper()} {finding['rule']} at {layer}:{line or ''}{because}"


def findings_in(text: str, case: Case) -> list[dict[str, Any]]:
    """The findings that a row stands for."""
    return [
        {
            "severity": SEVERITIES[severity],
            "rule": rule,
            "where": {
                "layer": layer or None,
                "line": int(line) if line else None,
                "file": case.program.name,
            },
            "because_of": because or None,
        }
        for severity, rule, layer, line, because in CELL.findall(text)
    ]


def read() -> dict[str, str]:
    """All rows by the program's name."""
    if not FILE.exists():
        return {}
    rows = (line.partition(" | ") for line in FILE.read_text().splitlines())
    return {name.strip(): found for name, _, found in rows}


def write(rows: Mapping[str, str]) -> None:
    width = max((len(name) for name in rows), default=0)
    lines = [f"{name:<{width}} | {found}" for name, found in sorted(rows.items())]
    FILE.write_text("\n".join(lines) + "\n")

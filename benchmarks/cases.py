"""The programs that rules are judged by: clinic pairs, the ward, bugs from the field.

``clinic/<rule>/`` and ``clinic/field/<case>/`` hold ``sick.py``, ``healthy.py`` and ``case.toml``,
which says where it is sick; ``clinic/ward/`` holds healthy trainings that fool naive thresholds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
CLINIC: Final = ROOT / "clinic"
NOT_RULES: Final = ("ward", "field", "numerics")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One program and what is to be said about it.

    Args:
        causes: rules that name what is wrong, gravest first; ``a|b`` where either says it. None
            for a healthy program.
        lines: texts of guilty source lines; any of them is the right place.
        layers: names of guilty layers, likewise.
    """

    program: Path
    causes: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its path below ``clinic/``, without the ending."""
        return self.program.relative_to(CLINIC).with_suffix("").as_posix()

    @property
    def names(self) -> frozenset[str]:
        """Every rule that names one of the causes."""
        return frozenset(name for cause in self.causes for name in cause.split("|"))

    @property
    def has_place(self) -> bool:
        return bool(self.lines or self.layers)

    def is_right_place(self, where: Mapping[str, Any] | None) -> bool:
        """Whether a finding's ``where`` names one of the guilty layers or lines."""
        if where is None:
            return False
        line = where.get("line") or 0
        source = self.program.read_text().splitlines()
        text = source[line - 1] if 0 < line <= len(source) else ""
        in_program = Path(where.get("file") or "").name == self.program.name
        is_line = in_program and any(part in text for part in self.lines)
        return is_line or where.get("layer") in self.layers


@dataclass(frozen=True, kw_only=True)
class Score:
    """How a diagnosis of one sick program compares with what is known of it.

    Attributes:
        is_named: whether the gravest cause is among the findings.
        share_named: how many of all its causes are.
    """

    is_named: bool
    share_named: float
    is_first: bool
    is_placed: bool | None
    num_extra: int


def score(case: Case, findings: Sequence[Mapping[str, Any]]) -> Score:
    """Compare findings, as in the JSON report, with a sick program's true causes.

    Extra is what is neither a cause nor said to follow from one.
    """
    found = {finding["rule"] for finding in findings}
    right = [finding for finding in findings if finding["rule"] in case.names]
    extra = [f for f in findings if f["rule"] not in case.names and not follows(f, case, findings)]
    named = [bool(found & set(cause.split("|"))) for cause in case.causes]
    return Score(
        is_named=named[0],
        share_named=sum(named) / len(named),
        is_first=bool(findings) and findings[0]["rule"] in case.names,
        is_placed=any(case.is_right_place(f["where"]) for f in right) if case.has_place else None,
        num_extra=len({finding["rule"] for finding in extra}),
    )


def follows(finding: Mapping[str, Any], case: Case, all_of: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a finding is marked as a consequence of a true cause, directly or through others."""
    because = {other["rule"]: other["because_of"] for other in all_of}
    seen = set()
    rule = finding["because_of"]
    while rule is not None and rule not in seen:
        if rule in case.names:
            return True
        seen.add(rule)
        rule = because.get(rule)
    return False


def sick_case(folder: Path) -> Case:
    """A sick program, with what its ``case.toml`` says."""
    facts = tomllib.loads((folder / "case.toml").read_text())
    return Case(
        program=folder / "sick.py",
        causes=tuple(facts.get("causes", (folder.name.replace("_", "-"),))),
        lines=tuple(facts.get("lines", ())),
        layers=tuple(facts.get("layers", ())),
    )


def folders(below: Path) -> list[Path]:
    return sorted(path.parent for path in below.glob("*/sick.py"))


PAIRS: Final = [folder for folder in folders(CLINIC) if folder.name not in NOT_RULES]
FIELD_PAIRS: Final = folders(CLINIC / "field")
SICK: Final = [sick_case(folder) for folder in PAIRS]
FIELD: Final = [sick_case(folder) for folder in FIELD_PAIRS]
TWINS: Final = [Case(program=folder / "healthy.py") for folder in PAIRS]
MENDED: Final = [Case(program=folder / "healthy.py") for folder in FIELD_PAIRS]
WARD: Final = [Case(program=path) for path in sorted((CLINIC / "ward").glob("*.py"))]
HEALTHY: Final = [*TWINS, *WARD, *MENDED]

"""How well autopsies name what made a NaN: the programs of ``clinic/numerics`` against their facts.

Each sick program says in its ``case.toml`` which operation, line and class of cause made its first
value that is not finite; each healthy one, and each control, must stay silent.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from babysit import autopsy
from babysit.diagnosis import diagnose
from babysit.session import Verdict
from babysit.text import percent
from benchmarks.cases import CLINIC, Case
from benchmarks.scores import alarms, brief
from benchmarks.trials import run_all

NUMERICS: Final = CLINIC / "numerics"
RULES: Final = (
    "non-finite-loss", "non-finite-gradient", "non-finite-input", "non-finite-parameter",
    "unsafe-operation", "half-precision-overflow", "gradient-mismatch",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is known of a numerical fault."""

    ops: tuple[str, ...]
    lines: tuple[str, ...]
    causes: tuple[str, ...]
    phase: str
    step: int | None

    @classmethod
    def of(cls, folder: Path) -> Truth:
        facts = tomllib.loads((folder / "case.toml").read_text())
        return cls(
            ops=tuple(facts["op"].split("|")),
            lines=tuple(facts.get("lines") or [facts["line"]]),
            causes=tuple(facts["cause"].split("|")),
            phase=facts["phase"],
            step=facts.get("step"),
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """What babysit said of one program."""

    findings: list[dict[str, Any]]
    autopsy: autopsy.Autopsy | None = None
    cause: str | None = None
    reproduces: bool | None = None


def read(verdict: Verdict) -> Found:
    """In the program's process: its findings, and whether its black box does it again."""
    findings = [finding.to_json() for finding in diagnose(verdict.run).findings]
    for training in verdict.run.trainings.values():
        found = autopsy.of(training)
        if found is not None:
            box = Path(found.blackbox or "", "reproduce.py")
            again = None
            if found.blackbox and box.exists():
                done = subprocess.run([sys.executable, str(box)], capture_output=True, check=False)
                again = done.returncode == 0
            cause = found.cause(training) if found.birth else None
            return Found(findings=findings, autopsy=found, cause=cause, reproduces=again)
    return Found(findings=findings)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Which parts of an autopsy are right."""

    is_found: bool
    op: bool
    line: bool
    cause: bool
    step: bool
    reproduces: bool | None


def mark(case: Case, truth: Truth, found: Found) -> Mark:
    seen = found.autopsy
    if seen is None or not seen.birth:
        return Mark(is_found=False, op=False, line=False, cause=False, step=False, reproduces=None)
    source = case.program.read_text().splitlines()
    number = seen.birth.get("line") or 0
    text = source[number - 1] if 0 < number <= len(source) else ""
    is_data = truth.phase == "data" and seen.arrived == "data"
    return Mark(
        is_found=True,
        op=seen.op in truth.ops or is_data,
        line=any(one in text for one in truth.lines),
        cause=found.cause in truth.causes,
        step=truth.step in (None, seen.step),
        reproduces=found.reproduces,
    )


def tally(marks: Sequence[Mark]) -> dict[str, float]:
    """The share of programs of which each part is right."""
    names = [field.name for field in fields(Mark)]
    known = {name: [v for m in marks if (v := getattr(m, name)) is not None] for name in names}
    return {name: sum(values) / max(len(values), 1) for name, values in known.items()}


def about_numbers(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The alarms that say a value is not finite, or is about to be."""
    return [f for f in alarms(findings) if f["rule"] in RULES]


def sick_cases(only: Sequence[str] = ("",)) -> list[Case]:
    folders = sorted(path.parent for path in NUMERICS.glob("*/sick.py"))
    return [Case(program=f / "sick.py") for f in folders if any(part in f.name for part in only)]


def silent_cases(only: Sequence[str] = ("",)) -> list[Case]:
    programs = [*NUMERICS.glob("*/healthy.py"), *NUMERICS.glob("controls/*.py")]
    return [Case(program=p) for p in sorted(programs) if any(part in str(p) for part in only)]


def main(arguments: list[str]) -> int:
    """Print what was found of each, and the scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[""], help="programs whose name holds this")
    parser.add_argument("--sick", action="store_true", help="leave the healthy ones out")
    options = parser.parse_args(arguments)
    marks = []
    for case, found in run_all(sick_cases(options.only), read):
        one = mark(case, Truth.of(case.program.parent), found or Found(findings=[]))
        marks.append(one)
        wrong = [name for name, value in vars(one).items() if value is False]
        seen = found.autopsy if found is not None else None
        said = seen.sentence or seen.failed if seen is not None else "no autopsy"
        names = brief(found.findings) if found is not None else "-"
        print(f"{case.name}: {'WRONG ' + ' '.join(wrong) if wrong else 'right'} | "
              f"{found and found.cause} | {said} | {names}", flush=True)  # fmt: skip
    for name, share in tally(marks).items():
        print(f"{name}: {percent(share)} of {len(marks)}")
    if not options.sick:
        num_silent = num = 0
        for case, found in run_all(silent_cases(options.only), read):
            num += 1
            is_silent = found is not None and not about_numbers(found.findings)
            num_silent += is_silent
            if found is None or alarms(found.findings):
                said = brief(found.findings) if found is not None else "did not run"
                print(f"{case.name}: {'' if is_silent else 'ALARM '}{said}", flush=True)
        print(f"silent: {num_silent} of {num}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

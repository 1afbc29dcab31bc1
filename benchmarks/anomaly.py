"""babysit and PyTorch's detect_anomaly on the same numerical faults; writes docs/numerics.md.

Each program of ``clinic/numerics`` runs twice: watched, and unwatched with detect_anomaly on from
its first line. What that prints is read as an autopsy: one comparison with the facts judges both.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from babysit import launch, target
from babysit.autopsy import Autopsy
from benchmarks import numerics
from benchmarks.cases import ROOT, Case
from benchmarks.cost import circumstances
from benchmarks.numerics import Found, Mark, Truth, about_numbers, mark, sick_cases, silent_cases
from benchmarks.trials import run_all

PAGE: Final = ROOT / "docs" / "numerics.md"
TOOLS: Final = ("babysit", "detect_anomaly")
ROWS: Final = {
    "found": "is_found", "right operation": "op", "right line": "line",
    "cause named": "cause", "black box that makes the value again": "reproduces",
}  # fmt: skip
PREFACE: Final = """{}

{} training scripts with a numerical fault each, whose operation, line and cause are known, and
silent ones: the cured twins, and scripts whose infinities are meant. They are the project's own,
and its tests hold babysit to them. Each runs unmodified, once watched by babysit and once with
`torch.autograd.set_detect_anomaly(True)` before its first line. detect_anomaly raises where a
backward node returns NaN: its operation is that node's, its line the script's innermost in the
traceback of the forward call. It names no cause and keeps nothing to replay."""


def under_detect_anomaly(program: Path, tell: Callable[[str], None]) -> None:
    """Run a program unwatched with detect_anomaly on; what is told is all that stderr got."""
    import torch

    printed = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the process
    os.dup2(printed.fileno(), 2)
    torch.autograd.set_detect_anomaly(True)

    def on_end(_: launch.Ending) -> None:
        printed.seek(0)
        tell(printed.read().decode(errors="replace"))

    launch.run(target.resolve(str(program)), on_end=on_end)


def said(printed: str, script: str) -> Found:
    """What detect_anomaly named: the node, and the script's innermost line of the forward call.

    A script's own failure has no such message. A node without a number is a Function of the user's.
    """
    from babysit.instrument.replay.operations import word_of_name

    forward = re.split(r"Traceback \(most recent|Previous calculation", printed)[0]
    node = re.search(r"Error detected in (\S+)\. ", forward)
    if node is None:
        return Found(findings=[])
    lines = re.findall(rf'File ".*/{re.escape(script)}", line (\d+)', forward)
    op = word_of_name(node[1], is_own=not node[1][-1].isdigit())
    birth = {"op": op, "line": int(lines[-1]) if lines else None, "phase": "backward"}
    autopsy = Autopsy(event="gradient", step=-1, birth=birth)  # it does not tell the step
    return Found(findings=[{"rule": "non-finite-gradient", "severity": "error"}], autopsy=autopsy)


def found_by(tool: str, cases: Sequence[Case]) -> list[Found | None]:
    """What a tool found in each program; ``None`` where it did not come to an end."""
    if tool == "babysit":
        return [found for _, found in run_all(cases, numerics.read)]
    runs = run_all(cases, str, way=under_detect_anomaly)
    return [None if text is None else said(text, case.program.name) for case, text in runs]


def symbol(one: Mark) -> str:
    """Found with the right line, found with another one, or not found."""
    return ("✓" if one.line else "another line") if one.is_found else "–"


def page(
    truths: Mapping[str, Truth], marks: Mapping[str, Sequence[Mark]], alarms: Mapping[str, str]
) -> str:
    """The comparison as Markdown."""
    heading = " | ".join(TOOLS)
    lines = ["# NaN and Inf: babysit beside detect_anomaly", "",
             PREFACE.format(circumstances(), len(truths)), "",
             f"| | {heading} |", "|---|---|---|"]  # fmt: skip
    for title, name in ROWS.items():
        counts = [sum(getattr(one, name) is True for one in marks[tool]) for tool in TOOLS]
        lines.append(f"| {title} | {' | '.join(f'{n} of {len(truths)}' for n in counts)} |")
    lines += [f"| false alarms on the silent ones | {' | '.join(alarms.values())} |", "",
              "✓: found, with the right line. –: not found.", "",
              f"| fault | born in | {heading} |", "|---|---|---|---|"]  # fmt: skip
    for (name, truth), *both in zip(truths.items(), *(marks[tool] for tool in TOOLS), strict=True):
        lines.append(f"| {name} | {truth.phase} | {' | '.join(map(symbol, both))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all programs both ways and write the page."""
    sick, silent = sick_cases(), silent_cases()
    truths = {case.program.parent.name: Truth.of(case.program.parent) for case in sick}
    marks, alarms = {}, {}
    for tool in TOOLS:
        found = zip(sick, truths.values(), found_by(tool, sick), strict=True)
        marks[tool] = [mark(case, truth, one or Found(findings=[])) for case, truth, one in found]
        alarmed = [not one or about_numbers(one.findings) for one in found_by(tool, silent)]
        alarms[tool] = f"{sum(map(bool, alarmed))} of {len(silent)}"
    PAGE.write_text(page(truths, marks, alarms))


if __name__ == "__main__":
    main()

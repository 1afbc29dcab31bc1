"""Judges the rules on all programs, under several seeds: what is named, what is cried wolf.

python -m benchmarks.scores [--seeds 0 1 2 3 4 5] [--only TEXT ...] [--verbose]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console
from rich.progress import track

from babysit import catalogue
from babysit.session import Verdict
from benchmarks.cases import FIELD, HEALTHY, SICK, Case, Score, score
from benchmarks.trials import run_all

Findings = list[dict[str, Any]]
MEASURED_ONLY: Final = ("field/d_", "field/h_")


def findings(verdict: Verdict) -> Findings:
    return [finding.to_json() for finding in verdict.diagnosis.findings]


def brief(found: Findings) -> str:
    """Findings in a line: severity, rule, place and what it follows from."""
    words = []
    for finding in found:
        where = finding["where"] or {}
        place = where.get("layer") or (f"line {where['line']}" if where.get("line") else "")
        because = f" < {finding['because_of']}" if finding["because_of"] else ""
        words.append(f"{finding['severity'][0].upper()} {finding['rule']} ({place}){because}")
    return "; ".join(words) or "-"


def alarms(found: Findings) -> Findings:
    return [finding for finding in found if finding["severity"] != "advice"]


def report(title: str, scores: Sequence[Score]) -> str:
    """The shares that count, for one group of sick programs."""
    placed = [one.is_placed for one in scores if one.is_placed is not None]
    num = max(len(scores), 1)
    return (
        f"{title}: {len(scores)} sick, gravest cause named "
        f"{sum(s.is_named for s in scores) / num:.0%} (of all causes "
        f"{sum(s.share_named for s in scores) / num:.0%}), "
        f"first {sum(s.is_first for s in scores) / num:.0%}, "
        f"right place {sum(placed) / max(len(placed), 1):.0%}, "
        f"extra findings {sum(s.num_extra for s in scores) / num:.2f} a program"
    )


def judge(cases: Sequence[Case], seed: int, *, is_verbose: bool) -> None:
    """Run all; print each program that was judged wrongly, then a line for each group."""
    groups: dict[str, list[Score]] = {}
    num_healthy = num_alarmed = 0
    console = Console(stderr=True)
    runs = run_all(cases, findings, seed_offset=seed)
    for case, found in track(runs, f"seed +{seed}", total=len(cases), console=console):
        if case.causes:
            result = score(case, found or [])
            groups.setdefault(group_of(case), []).append(result)
            is_right = result.share_named == 1 and result.is_first and result.is_placed is not False
            is_right = is_right and not result.num_extra
        else:
            num_healthy += 1
            is_right = found is not None and not alarms(found)
            num_alarmed += not is_right
        if is_verbose or not is_right:
            print(f"  {case.name}: {'no verdict' if found is None else brief(found)}", flush=True)
    for group, scores in groups.items():
        print(report(f"seed +{seed}, {group}", scores))
    print(f"seed +{seed}, healthy: {num_healthy} programs, {num_alarmed} with an alarm", flush=True)


def needs_checkup(case: Case) -> bool:
    """Whether none of its causes can be told by watching."""
    known = catalogue.rules()
    return all(known[name].needs_checkup() for name in case.names)


def group_of(case: Case) -> str:
    """Bugs from the field come in halves: the second is looked at to measure only."""
    if needs_checkup(case):
        return "awaiting the checkup"
    if case not in FIELD:
        return "clinic"
    return "field, measured only" if case.name.startswith(MEASURED_ONLY) else "field"


def main(arguments: list[str]) -> int:
    """Print the scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="added to all seeds")
    parser.add_argument("--only", nargs="+", default=[""], help="programs whose name holds this")
    parser.add_argument("--verbose", action="store_true", help="print every program's findings")
    options = parser.parse_args(arguments)
    known = [*SICK, *HEALTHY, *FIELD]
    cases = [case for case in known if any(part in case.name for part in options.only)]
    for seed in options.seeds:
        judge(cases, seed, is_verbose=options.verbose)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

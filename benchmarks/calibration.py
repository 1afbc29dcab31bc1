"""Measures every threshold of every rule on the clinic and the ward; writes
clinic/calibration.json.

What a rule compares with a threshold is recorded while it judges, so that its page can show how
far healthy trainings stay from the limit, and how far beyond it the sick ones lie.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.progress import track

from babysit import catalogue
from babysit.rule import Rule
from babysit.session import Verdict
from benchmarks.cases import CLINIC, SICK, TWINS, WARD, Case
from benchmarks.trials import run_all

FILE: Final = CLINIC / "calibration.json"
Compared = dict[str, dict[str, list[float]]]


class Recorded(float):
    """A limit that keeps what it is compared with."""

    __array_ufunc__ = None  # so that NumPy's numbers leave the comparison to us
    seen: list[float]

    @classmethod
    def of(cls, limit: float, seen: list[float]) -> Recorded:
        made = cls(limit)
        made.seen = seen
        return made

    def _note(self, other: Any) -> Any:
        values = np.asarray(other, dtype=np.float64).ravel()
        finite = values[np.isfinite(values)]
        if len(finite):
            self.seen += [float(finite.min()), float(finite.max())]
        return other

    def __lt__(self, other: Any) -> Any:
        return float(self) < self._note(other)

    def __le__(self, other: Any) -> Any:
        return float(self) <= self._note(other)

    def __gt__(self, other: Any) -> Any:
        return float(self) > self._note(other)

    def __ge__(self, other: Any) -> Any:
        return float(self) >= self._note(other)


def compared(verdict: Verdict) -> Compared:
    """Lowest and highest value that each rule compared with each of its thresholds."""
    found: Compared = {}
    for name, rule in catalogue.rules().items():
        seen = {limit: compared_by(rule, limit, verdict) for limit in rule.thresholds()}
        found[name] = {limit: values for limit, values in seen.items() if values}
    return found


def compared_by(rule: type[Rule], limit: str, verdict: Verdict) -> list[float]:
    seen: list[float] = []
    judge = rule({limit: Recorded.of(rule.thresholds()[limit].default, seen)})
    for training in verdict.run.trainings.values():
        if training.has_begun and all(training.has(need) for need in judge.needs):
            list(judge.conclude(training))
    return [min(seen), max(seen)] if seen else []


def summary(ranges: list[list[float]]) -> dict[str, float]:
    """Number of programs; their lowest value, the middle of their highest, the highest."""
    if not ranges:
        return {}
    lows, highs = np.array(ranges).T
    return {
        "count": len(ranges), "low": float(lows.min()), "middle": float(np.median(highs)),
        "high": float(highs.max()),
    }  # fmt: skip


def tabulate(measured: list[tuple[Case, Compared | None]]) -> dict[str, Any]:
    """By rule and threshold: the values of healthy programs, and of the rule's own sick one."""
    table: dict[str, Any] = {}
    for name, rule in catalogue.rules().items():
        for limit in rule.thresholds():
            found = [(case, (values or {}).get(name, {}).get(limit)) for case, values in measured]
            healthy = [values for case, values in found if values and not case.causes]
            sick = [values for case, values in found if values and name in case.causes]
            own = {"healthy": summary(healthy), "sick": summary(sick)}
            table.setdefault(name, {})[limit] = own
    return table


def main() -> int:
    """Run every program once and write the table."""
    cases = [*SICK, *TWINS, *WARD]
    console = Console(stderr=True)
    runs = track(run_all(cases, compared), "measuring", total=len(cases), console=console)
    table = tabulate(list(runs))
    rounded = json.loads(json.dumps(table), parse_float=lambda text: float(f"{float(text):.3g}"))
    FILE.write_text(json.dumps(rounded, indent=1, sort_keys=True) + "\n")
    print(f"{FILE.name}: {len(table)} rules measured on {len(cases)} programs")
    return 0


if __name__ == "__main__":
    sys.exit(main())

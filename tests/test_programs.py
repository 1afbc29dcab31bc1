"""The clinic and the ward through the real command: right on the sick, silent on the healthy,
and every training bit-identical with and without us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.programs import SICK, TWINS, WARD, Outcome, name_of, run, run_watched


def alarms(report: dict[str, Any]) -> list[str]:
    found = [f for f in report["findings"] if f["severity"] != "advice"]
    return [f"{finding['rule']}: {finding['message']}" for finding in found]


def assert_undisturbed(plain: Outcome, watched: Outcome) -> None:
    assert watched.exit_code == plain.exit_code == 0, watched.stderr
    assert watched.stdout == plain.stdout
    assert watched.stderr == plain.stderr
    assert watched.digest == plain.digest
    assert plain.digest["random"]


@pytest.mark.parametrize("program", SICK, ids=name_of)
def test_a_sick_program_gets_its_cause_named_first_and_is_not_disturbed(
    program: Path, tmp_path: Path
) -> None:
    watched, report = run_watched(program, tmp_path / "watched")
    sickness = program.parent.name.replace("_", "-")
    assert report["findings"], f"nothing found; not examined: {report['not_examined']}"
    assert report["findings"][0]["rule"] == sickness, alarms(report)
    roots = [f["rule"] for f in report["findings"] if f["because_of"] is None]
    assert roots == [sickness], roots
    assert report["findings"][0]["where"], "a clinic sickness has a place"
    assert report["findings"][0]["remedies"]
    assert_undisturbed(run(program, tmp_path / "plain"), watched)


@pytest.mark.parametrize("program", [*TWINS, *WARD], ids=name_of)
def test_a_healthy_program_gets_no_error_and_no_warning_and_is_not_disturbed(
    program: Path, tmp_path: Path
) -> None:
    watched, report = run_watched(program, tmp_path / "watched")
    assert alarms(report) == []
    assert report["examined"], "silence must come from looking"
    assert_undisturbed(run(program, tmp_path / "plain"), watched)

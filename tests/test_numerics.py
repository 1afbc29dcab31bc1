"""The numerical faults of ``clinic/numerics``: what made each first bad value, and silence on the
cured programs and on infinities that are meant."""

from __future__ import annotations

import pytest
from benchmarks.cases import Case
from benchmarks.numerics import (
    Found,
    Truth,
    about_numbers,
    mark,
    read,
    sick_cases,
    silent_cases,
    tally,
)
from benchmarks.trials import run_all, run_one


def test_operation_line_cause_and_step_of_the_first_bad_value_are_named() -> None:
    marks = [
        mark(case, Truth.of(case.program.parent), found or Found(findings=[]))
        for case, found in run_all(sick_cases(), read)
    ]
    assert len(marks) >= 40
    right = tally(marks)
    assert right["is_found"] == 1
    assert right["op"] >= 0.95
    assert right["line"] >= 0.95
    assert right["cause"] >= 0.9
    assert right["step"] >= 0.95
    assert right["reproduces"] >= 0.95


@pytest.mark.parametrize("case", silent_cases(), ids=lambda case: case.name)
def test_cured_programs_and_infinities_that_are_meant_stay_silent(case: Case) -> None:
    found = run_one(case, read, seed_offset=0)
    assert found is not None
    assert not about_numbers(found.findings)

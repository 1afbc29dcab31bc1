"""What detect_anomaly says of a numerical fault is read from what it prints."""

from __future__ import annotations

import pytest
from benchmarks.anomaly import found_by, said
from benchmarks.numerics import Mark, Truth, about_numbers, mark, sick_cases


def judged(name: str) -> Mark:
    (case,) = sick_cases([name])
    (found,) = found_by("detect_anomaly", [case])
    assert found is not None
    assert bool(about_numbers(found.findings)) == (found.autopsy is not None)
    return mark(case, Truth.of(case.program.parent), found)


def test_detect_anomaly_finds_a_nan_gradient_of_a_finite_loss_at_its_line() -> None:
    one = judged("grains_at_rest")
    assert (one.is_found, one.op, one.line) == (True, True, True)
    assert not one.cause
    assert one.reproduces is None


def test_detect_anomaly_is_silent_about_a_nan_that_never_passes_a_backward() -> None:
    assert not judged("validation_precision").is_found


@pytest.mark.parametrize(
    ("node", "op"),
    [("LinalgEighBackward0", "eigh"), ("MseLossBackward0", "mse_loss"), ("OwnBackward", "Own")],
)
def test_a_node_is_named_as_the_operation_and_the_last_line_of_the_script_counts(
    node: str, op: str
) -> None:
    seen = said(
        f"graph.py:979: UserWarning: Error detected in {node}. Traceback of forward call that "
        'caused the error:\n  File "/x/sick.py", line 9, in <module>\n  File "/x/sick.py", line 5, '
        'in f\n  File "/torch/functional.py", line 7, in g\n'
        'Traceback (most recent call last):\n  File "/x/sick.py", line 10, in <module>\n'
        f"RuntimeError: Function '{node}' returned nan values in its 0th output.",
        "sick.py",
    ).autopsy
    assert seen is not None
    assert (seen.op, seen.birth["line"]) == (op, 5)


def test_a_script_that_fails_for_its_own_reason_was_not_found_out() -> None:
    printed = 'Traceback (most recent call last):\n  File "/x/sick.py", line 3\nValueError: nan'
    assert said(printed, "sick.py").autopsy is None

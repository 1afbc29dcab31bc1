"""The report for programs is strict JSON of schema 1."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from babysit.diagnosis import Diagnosis
from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.reports.json import JsonReport, strict
from babysit.run import Run

KEYS = [
    "schema", "babysit", "script", "argv", "outcome", "exit_code", "steps", "seconds", "overhead",
    "findings", "examined", "not_examined",
]  # fmt: skip
FINDING_KEYS = [
    "rule", "severity", "confidence", "message", "where", "first_step", "last_step", "evidence",
    "because_of", "remedies",
]  # fmt: skip


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def rendered(value: Any) -> dict[str, Any]:
    finding = Finding(
        rule="non-finite-loss", message="the loss is NaN", confidence=1.0,
        where=Place(file="train.py", line=3),
        evidence=(Evidence(signal="loss", value=value, limit=1.0, steps=(3,)),),
        remedies=(Remedy(name="lower-lr", text="Lower it.", change={"factor": 1 / 3}),),
    )  # fmt: skip
    run = Run(header={"script": "train.py", "argv": ["--epochs", "3"], "babysit": "0.1.0"})
    text = JsonReport().render(Diagnosis(findings=(finding,), examined=(finding.rule,)), run)
    assert text.endswith("}\n")
    parsed: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return parsed


def test_a_diagnosis_has_the_fields_of_schema_1() -> None:
    report = rendered(0.5)
    assert report["schema"] == 1
    assert [key for key in KEYS if key not in report] == []
    assert [key for key in FINDING_KEYS if key not in report["findings"][0]] == []
    assert report["findings"][0]["where"] == {
        "layer": None, "op": None, "file": "train.py", "line": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "written"),
    [(float("nan"), "NaN"), (float("inf"), "Inf"), (float("-inf"), "-Inf"), (0.25, 0.25),
     (np.float64("nan"), "NaN"), (np.float32(0.5), 0.5), (np.int64(7), 7), ("(8, 1)", "(8, 1)")],
)  # fmt: skip
def test_numbers_that_json_lacks_become_words(value: Any, written: Any) -> None:
    assert rendered(value)["findings"][0]["evidence"][0]["value"] == written


def test_signs_beyond_ascii_stay_readable() -> None:
    assert strict({"text": "3 × 3 …"}) == '{\n  "text": "3 × 3 …"\n}\n'

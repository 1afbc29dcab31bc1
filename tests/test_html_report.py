"""The HTML report: one file, nothing from outside, nothing that a name could inject."""

from __future__ import annotations

import re

from babysit.diagnosis import Diagnosis
from babysit.findings import Evidence, Finding, Place
from babysit.reports.html import HtmlReport
from babysit.run import Run

EVENTS = [
    {"event": "start", "babysit": "0", "script": "<b>train</b>.py", "argv": []},
    {"event": "training", "training": 1, "name": "training"},
    {"event": "step", "training": 1, "step": 0, "values": {"loss": 1.0}},
    {"event": "end", "outcome": "finished", "exit_code": 0, "seconds": 1.0,
     "overhead": {"seconds": 0.01, "share": 0.01}},
]  # fmt: skip
FINDING = Finding(
    rule="dead-relu",
    severity="warning",
    confidence=0.9,
    message="units of `<script>alert(1)</script>` are dead",
    where=Place(layer="<img src=x>"),
    evidence=(Evidence(signal="dead-share", value=0.9, limit=0.5),),
)


def rendered() -> str:
    diagnosis = Diagnosis(findings=(FINDING,), examined=("dead-relu",))
    return HtmlReport().render(diagnosis, Run.replay(EVENTS))


def test_it_holds_the_finding_with_its_severity_in_colour() -> None:
    page = rendered()
    assert page.startswith("<!doctype html>")
    assert re.search(r'<span class="r-bold r-yellow">WARNING</span>', page)
    assert "share of units that are dead" in page


def test_names_from_a_run_are_escaped() -> None:
    page = rendered()
    assert "<script>" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "<title>babysit: &lt;b&gt;train&lt;/b&gt;.py</title>" in page


def test_it_needs_no_network() -> None:
    assert not re.search(r"<[a-z][^>]* (?:src|href)=|url[(]|@import|https?://", rendered())

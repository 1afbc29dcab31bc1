"""What holds for every rule because it exists."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from benchmarks.cases import CLINIC

import babysit
from babysit import catalogue
from babysit.findings import SEVERITIES, Finding
from babysit.labels import LABELS, label
from babysit.rule import Rule
from babysit.signals import SIGNALS

RULES = list(catalogue.rules().values())
HEADINGS = ["Why it matters:", "How it decides:", "What to do:", "When it is wrong:"]
each_rule = pytest.mark.parametrize("rule", RULES, ids=[rule.name() for rule in RULES])


def findings(rule: type[Rule], index: int) -> list[Finding]:
    conclusions = rule().conclude(rule.examples[index].training)
    return [conclusion for conclusion in conclusions if isinstance(conclusion, Finding)]


@each_rule
def test_its_docstring_has_one_sentence_and_the_four_headings_in_order(rule: type[Rule]) -> None:
    text = inspect.getdoc(rule) or ""
    assert re.findall(r"^(?:Why|How|What|When) [^\n]*:$", text, re.M) == HEADINGS
    assert rule.summary().endswith(".")
    assert rule.summary().count(". ") == 0


@each_rule
def test_its_class_is_named_for_its_file(rule: type[Rule]) -> None:
    words = rule.name().split("-")
    assert rule.__name__.lower() == "".join(words)


@each_rule
def test_it_names_known_signals_severities_and_rules(rule: type[Rule]) -> None:
    known = {found.name() for found in RULES}
    assert rule.severity in SEVERITIES
    assert set(rule.needs) <= {*SIGNALS, "wiring", "optimizer"}
    assert set(rule.explains) <= known
    assert rule.name() not in rule.explains


@each_rule
def test_it_finds_its_sick_examples_and_stays_silent_on_its_healthy_ones(rule: type[Rule]) -> None:
    assert {example.is_sick for example in rule.examples} == {True, False}
    for index, example in enumerate(rule.examples):
        assert bool(findings(rule, index)) == example.is_sick, f"example {index}"


@each_rule
def test_its_findings_carry_evidence_and_only_remedies_that_it_declares(rule: type[Rule]) -> None:
    for index in range(len(rule.examples)):
        for finding in findings(rule, index):
            assert finding.evidence
            assert finding.remedies
            assert {remedy.name for remedy in finding.remedies} <= set(rule.remedies)
            assert finding.rule == rule.name()
            assert finding.message[0].islower() or finding.message[0].isdigit()
            assert not finding.message.endswith(".")


@each_rule
def test_its_thresholds_say_unit_and_why(rule: type[Rule]) -> None:
    for threshold in rule.thresholds().values():
        assert threshold.unit
        assert len(threshold.why) > 20


@each_rule
def test_its_file_stays_small_and_imports_nothing_but_contracts(rule: type[Rule]) -> None:
    source = Path(inspect.getfile(rule)).read_text()
    assert len(source.splitlines()) <= 160
    assert "import torch" not in source
    assert "print(" not in source


@each_rule
def test_it_has_a_clinic_pair_whose_difference_is_small(rule: type[Rule]) -> None:
    folder = CLINIC / rule.name().replace("-", "_")
    sick, healthy = (
        (folder / f"{kind}.py").read_text().splitlines() for kind in ("sick", "healthy")
    )
    assert sick != healthy
    assert len(set(sick) ^ set(healthy)) <= 14, "the diff is the prescription"
    assert "babysit" not in "".join(sick + healthy)


def test_every_label_belongs_to_something_that_evidence_names() -> None:
    folder = Path(babysit.__file__).parent
    sources = "".join(path.read_text() for path in folder.rglob("*.py") if path.stem != "labels")
    named = {name for name in LABELS if name in SIGNALS or f'signal="{name}"' in sources}
    assert set(LABELS) == named


@each_rule
def test_what_its_evidence_shows_is_told_in_words(rule: type[Rule]) -> None:
    found = [one for index in range(len(rule.examples)) for one in findings(rule, index)]
    told = [label(evidence.signal) for one in found for evidence in one.evidence]
    assert [text for text in told if re.search(r"\b(rms|std|wiring)\b", text)] == []

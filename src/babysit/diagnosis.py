"""Rules × run → ranked findings: found, clean, or not examined because …"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from babysit import catalogue
from babysit.findings import SEVERITIES, Finding, Severity
from babysit.rule import Rule
from babysit.run import SCHEMA, Run, Training
from babysit.text import count

NOT_TRAINED = "no training was seen"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Findings, likeliest root cause first; what was examined; what was not, and why."""

    findings: tuple[Finding, ...] = ()
    examined: tuple[str, ...] = ()
    not_examined: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @property
    def roots(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.because_of is None)

    def consequences(self, root: Finding) -> tuple[Finding, ...]:
        """What a root explains, directly or through another of its consequences."""
        found: list[Finding] = []
        causes = {root.rule}
        for finding in self.findings:
            if finding.because_of in causes and finding.training == root.training:
                causes.add(finding.rule)
                found.append(finding)
        return tuple(found)

    def worst(self) -> Severity | None:
        """The gravest severity among the findings."""
        present = {finding.severity for finding in self.findings}
        return next((severity for severity in SEVERITIES if severity in present), None)

    def to_json(self, run: Run) -> dict[str, Any]:
        """Schema 1 of the JSON contract."""
        ending = run.ending
        return {
            "schema": SCHEMA,
            "babysit": run.header.get("babysit"),
            "script": run.header.get("script"),
            "argv": run.header.get("argv", []),
            "outcome": ending.get("outcome", "interrupted"),
            "exit_code": ending.get("exit_code"),
            "steps": run.steps,
            "seconds": ending.get("seconds"),
            "overhead": ending.get("overhead"),
            "findings": [finding.to_json() for finding in self.findings],
            "examined": list(self.examined),
            "not_examined": dict(self.not_examined),
            "trainings": [
                {"name": training.name, "steps": training.steps}
                for training in run.trainings.values()
            ],
            **({"checkup": run.checkup} if run.checkup else {}),
        }


def diagnose(
    run: Run, *, rules: Iterable[Rule] | None = None, only: int | None = None
) -> Diagnosis:
    """Judge every training of a run, or only one of them, by every rule."""
    judges = list(rules) if rules is not None else [rule() for rule in catalogue.rules().values()]
    known = [t for t in run.trainings.values() if t.has_begun]
    trainings = [training for training in known if only in (None, training.number)]
    if not trainings:
        return Diagnosis(not_examined={judge.name(): NOT_TRAINED for judge in judges})
    explains = {judge.name(): judge.explains for judge in judges}
    symptoms = {judge.name() for judge in judges if judge.is_symptom}
    findings: list[Finding] = []
    reasons: dict[str, list[str]] = {}
    examined: set[str] = set()
    faults: list[str] = []
    for training in trainings:
        found: list[Finding] = []
        for judge in judges:
            conclusions, reason, fault = judge_one(judge, training)
            found += conclusions
            faults += [fault] if fault else []
            if reason is None:
                examined.add(judge.name())
            else:
                reasons.setdefault(judge.name(), []).append(reason)
        label = training.name if len(known) > 1 else None
        ranked = rank(found, explains, symptoms)
        findings += [replace(finding, training=label) for finding in ranked]
    return Diagnosis(
        findings=tuple(merge(findings, len(trainings))),
        examined=tuple(judge.name() for judge in judges if judge.name() in examined),
        not_examined={n: texts[0] for n, texts in reasons.items() if n not in examined},
        faults=tuple(dict.fromkeys(faults)),
    )


def judge_one(judge: Rule, training: Training) -> tuple[list[Finding], str | None, str | None]:
    """One rule on one training: its findings, why it did not examine, how it failed."""
    absence = judge.absence(training)
    if absence is not None:
        return [], absence, None
    try:
        with np.errstate(all="ignore"):  # records hold NaN, and warnings would reach the user
            conclusions = list(judge.conclude(training))
    except Exception as error:  # a rule's fault must never reach the user's training
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        fault = f"rule {judge.name()} failed with {type(error).__name__}: {error} ({place})"
        return [], f"the rule itself failed ({type(error).__name__}: {error})", fault
    found = [conclusion for conclusion in conclusions if isinstance(conclusion, Finding)]
    open_questions = [c.reason for c in conclusions if not isinstance(c, Finding)]
    return found, open_questions[0] if open_questions and not found else None, None


def rank(
    findings: Sequence[Finding], explains: Mapping[str, Sequence[str]], symptoms: set[str]
) -> list[Finding]:
    """Consequences point to their cause; roots come first, graver and surer ones before others.

    A symptom follows from whatever cause there is. Advice waits until no error is left.
    """

    def weight(finding: Finding) -> tuple[bool, bool, int, float, int]:
        return (
            finding.severity == "advice",
            finding.rule in symptoms,
            SEVERITIES.index(finding.severity),
            -finding.confidence,
            finding.first_step,
        )

    errors = {finding.rule for finding in findings if finding.severity == "error"}
    is_broken = bool(errors - symptoms)
    judged = [f for f in findings if not is_broken or f.severity != "advice"]
    ordered = sorted(judged, key=weight)
    because: dict[str, str] = {}
    for finding in ordered:
        for other in ordered:
            explained = finding.rule in explains[other.rule]
            explained &= (
                other.rule not in symptoms
                or finding.rule in symptoms
                or finding.severity == "advice"
            )
            if explained and not leads_to(finding.rule, other.rule, because):
                because.setdefault(finding.rule, other.rule)
    causes = [f.rule for f in ordered if f.rule not in symptoms and f.severity != "advice"]
    for symptom in symptoms - because.keys():  # any cause will do
        if causes and not leads_to(symptom, causes[0], because):
            because[symptom] = causes[0]
    linked = [replace(f, because_of=because.get(f.rule)) for f in ordered]
    return sorted(linked, key=lambda finding: depth(finding.rule, because))


def depth(rule: str, because: Mapping[str, str]) -> int:
    """How many causes stand behind a finding."""
    return 1 + depth(because[rule], because) if rule in because else 0


def leads_to(cause: str, rule: str, because: Mapping[str, str]) -> bool:
    """Whether following the causes of ``rule`` comes to ``cause``: two may explain each other."""
    while rule in because and rule != cause:
        rule = because[rule]
    return rule == cause


def merge(findings: Sequence[Finding], num_trainings: int) -> list[Finding]:
    """One finding where several trainings of the process have the same one at the same place."""
    merged: dict[tuple[Any, ...], list[Finding]] = {}
    for finding in findings:
        where = finding.where
        key = (finding.rule, where and (where.layer, where.file, where.line), finding.because_of)
        merged.setdefault(key, []).append(finding)
    result = []
    for same in merged.values():
        first = same[0]
        if len(same) > 1:
            text = f"{first.message} (in {len(same)} of {count(num_trainings, 'training')})"
            first = replace(first, message=text)
        result.append(first)
    return sorted(result, key=lambda finding: finding.because_of is not None)

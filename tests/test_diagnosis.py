"""Judging: found, clean and not examined are three things; causes stand before consequences."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from babysit.diagnosis import diagnose, rank
from babysit.findings import Finding
from babysit.rule import Conclusions, Rule
from babysit.run import Run, Training


def run_with(*trainings: dict[str, list[float]]) -> Run:
    run = Run()
    for number, signals in enumerate(trainings, start=1):
        name = f"training {number}"
        run.apply({"event": "training", "training": number, "name": name})
        for signal, values in signals.items():
            for step, value in enumerate(values):
                event = {"event": "step", "training": number, "step": step}
                run.apply({**event, "values": {signal: value}})
    return run


class Loud(Rule):
    """Finds a loss above one."""

    since, severity, needs, remedies, examples = "0", "error", ("loss",), (), ()

    def check(self, run: Training) -> Conclusions:
        if run.series("loss").last > 1:
            yield Finding(message="loud", confidence=0.9, severity=self.severity)


class Broken(Rule):
    """Fails."""

    since, severity, needs, remedies, examples = "0", "error", ("loss",), (), ()

    def check(self, run: Training) -> Conclusions:
        raise ZeroDivisionError("no")
        yield


class NeedsEvaluation(Loud):
    """Needs what is not there."""

    needs = ("eval-loss",)

    @classmethod
    def name(cls) -> str:
        return "needs-evaluation"


def finding(rule: str, severity: Any = "error", confidence: float = 0.9) -> Finding:
    return Finding(rule=rule, severity=severity, confidence=confidence, message=rule)


def test_found_clean_and_not_examined_are_told_apart() -> None:
    run = run_with({"loss": [2.0]})
    found = diagnose(run, rules=[Loud(), NeedsEvaluation()])
    assert [f.message for f in found.findings] == ["loud"]
    assert dict(found.not_examined) == {"needs-evaluation": "no evaluation was seen"}
    quiet = diagnose(run_with({"loss": [0.5]}), rules=[Loud()])
    assert not quiet.findings
    assert quiet.examined == (Loud.name(),)


def test_without_a_training_no_rule_claims_to_have_looked() -> None:
    nothing = diagnose(Run(), rules=[Loud()])
    assert nothing.examined == ()
    assert dict(nothing.not_examined) == {Loud.name(): "no training was seen"}


def test_a_rule_that_fails_is_told_as_our_fault_and_the_others_judge() -> None:
    found = diagnose(run_with({"loss": [2.0]}), rules=[Broken(), Loud()])
    assert "ZeroDivisionError: no" in found.faults[0]
    assert [f.message for f in found.findings] == ["loud"]


def test_the_same_finding_in_several_trainings_is_said_once() -> None:
    run = run_with({"loss": [2.0]}, {"loss": [3.0]}, {"loss": [0.1]})
    (merged,) = diagnose(run, rules=[Loud()]).findings
    assert merged.message == "loud (in 2 of 3 trainings)"


def test_a_cause_of_lesser_severity_still_comes_first() -> None:
    explains = {"inputs": ("rate",), "rate": ("stuck",), "stuck": ()}
    ranked = rank(
        [finding("stuck"), finding("rate"), finding("inputs", "warning")], explains, set()
    )
    assert [(f.rule, f.because_of) for f in ranked] == [
        ("inputs", None),
        ("rate", "inputs"),
        ("stuck", "rate"),
    ]


RULES = ["a", "b", "c", "d"]


@given(
    st.lists(st.sampled_from(RULES), unique=True, min_size=1),
    st.fixed_dictionaries({rule: st.lists(st.sampled_from(RULES), unique=True) for rule in RULES}),
)
def test_however_rules_explain_each_other_every_finding_hangs_on_a_root(
    names: list[str], explains: dict[str, list[str]]
) -> None:
    ranked = rank([finding(name) for name in names], explains, set())
    assert sorted(f.rule for f in ranked) == sorted(names)
    causes = {f.rule: f.because_of for f in ranked}
    for name in names:
        seen: list[str | None] = [name]
        while causes[seen[-1] or ""] is not None:
            seen.append(causes[seen[-1] or ""])
            assert len(seen) <= len(names), "a circle of causes"

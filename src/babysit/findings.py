"""What a rule concludes: findings with their place, evidence and remedies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "advice")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in the user's program: a layer, an operation, a source line; what is known of it."""

    layer: str | None = None
    op: str | None = None
    file: str | None = None
    line: int | None = None
    code: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"layer": self.layer, "op": self.op, "file": self.file, "line": self.line}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A measured value beside the limit that it broke, and the steps that showed it."""

    signal: str
    value: float | str
    limit: float | str | None = None
    steps: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "signal": self.signal,
            "value": self.value,
            "limit": self.limit,
            "steps": list(self.steps),
        }


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """A cure in words, and as a change where one can be applied from outside."""

    name: str
    text: str
    change: Mapping[str, Any] | None = None
    verified: bool | None = None

    def to_json(self) -> dict[str, Any]:
        change = dict(self.change) if self.change is not None else None
        return {"name": self.name, "text": self.text, "change": change, "verified": self.verified}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One sickness at one place.

    Args:
        confidence: how sure the rule is, from 0 to 1. Findings that are at least 0.95 sure and
            errors are announced while the training runs.
        because_of: the rule of the finding that explains this one; filled by the diagnosis.
        training: which training of the process it belongs to, when there are several.
    """

    message: str
    confidence: float
    rule: str = ""
    severity: Severity = "warning"
    where: Place | None = None
    first_step: int = 0
    last_step: int = 0
    evidence: tuple[Evidence, ...] = field(default=())
    remedies: tuple[Remedy, ...] = field(default=())
    because_of: str | None = None
    training: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= 1:
            raise ValueError(f"confidence must lie between 0 and 1, got {self.confidence}")

    @property
    def is_certain(self) -> bool:
        return self.severity == "error" and self.confidence >= 0.95

    def to_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "severity": self.severity,
            "confidence": round(self.confidence, 3),
            "message": self.message,
            "where": self.where.to_json() if self.where else None,
            "first_step": self.first_step,
            "last_step": self.last_step,
            "evidence": [evidence.to_json() for evidence in self.evidence],
            "because_of": self.because_of,
            "remedies": [remedy.to_json() for remedy in self.remedies],
            "training": self.training,
        }


@dataclass(frozen=True, kw_only=True)
class Unexamined:
    """A rule's word that it could not judge, and why."""

    reason: str

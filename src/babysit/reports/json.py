"""The report for programs: the diagnosis as JSON, schema 1."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from babysit.diagnosis import Diagnosis
from babysit.run import Run
from babysit.text import number


class JsonReport:
    """A diagnosis as strict JSON that every parser reads.

    JSON knows no NaN and no infinity: they become the strings ``"NaN"``, ``"Inf"``, ``"-Inf"``.
    """

    def render(self, diagnosis: Diagnosis, run: Run) -> str:
        """The whole report as text."""
        return strict(diagnosis.to_json(run))


def strict(value: Any) -> str:  # Any: whatever JSON can hold
    """A value as indented JSON text, with a newline at its end."""
    return json.dumps(spelt(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def spelt(value: Any) -> Any:  # Any: whatever JSON can hold
    """The same value, with numbers that JSON lacks spelt out, and NumPy's made plain."""
    if isinstance(value, Mapping):
        return {str(key): spelt(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [spelt(one) for one in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else number(value)
    return value.item() if hasattr(value, "item") else value

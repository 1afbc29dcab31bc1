"""The contract of a report: a diagnosis as text for a reader."""

from __future__ import annotations

from typing import Protocol

from babysit.diagnosis import Diagnosis
from babysit.run import Run


class Report(Protocol):
    """Renders a diagnosis. Options go into the constructor of an implementation."""

    def render(self, diagnosis: Diagnosis, run: Run) -> str:
        """The whole report as text."""
        ...

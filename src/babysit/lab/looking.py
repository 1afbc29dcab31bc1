"""The one trial of a few steps in which everything is looked at that needs no training."""

from __future__ import annotations

from typing import Final

from babysit.change import Change
from babysit.changes.examining import ExamineBatchMixing, ExamineModes, ExamineSingleExamples
from babysit.experiment import Lab
from babysit.trial import Result, Trial

STEPS: Final = 25
MIXING: Final = ExamineBatchMixing()
SINGLES: Final = ExamineSingleExamples()
MODES: Final = ExamineModes()


def look(lab: Lab) -> Trial:
    """The trial; experiments share it."""
    return lab.trial("look", MIXING, SINGLES, MODES, steps=STEPS, examines_functions=True)


def hindrance(result: Result, change: Change) -> str | None:
    """Why this trial says nothing of what one of its changes looked for."""
    if result.outcome == "crashed" and not result.run.trial:
        return result.refusal
    return result.refusals.get(str(change))

"""All signals by name, one family a file."""

from __future__ import annotations

from typing import Final

from babysit.signal import Signal
from babysit.signals.activations import ACTIVATIONS
from babysit.signals.data import DATA
from babysit.signals.experiments import EXPERIMENTS
from babysit.signals.modes import MODES
from babysit.signals.numerics import NUMERICS
from babysit.signals.parameters import PARAMETERS
from babysit.signals.quality import QUALITY
from babysit.signals.resources import RESOURCES
from babysit.signals.steps import STEPS

SIGNALS: Final[dict[str, Signal]] = {
    **STEPS,
    **PARAMETERS,
    **ACTIVATIONS,
    **DATA,
    **MODES,
    **QUALITY,
    **NUMERICS,
    **RESOURCES,
    **EXPERIMENTS,
}

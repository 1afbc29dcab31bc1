"""Whether dropout is on, be it a module's or a function's."""

from __future__ import annotations

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray
from babysit.wiring import DROPOUT


class Dropout(Reading):
    """Counts the dropouts that a step went through."""

    def read(self, xray: Xray) -> Values:
        return {"active-dropouts": {"": float(sum(1 for _ in xray.wiring.find({DROPOUT})))}}

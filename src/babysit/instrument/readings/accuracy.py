"""How well the training classifies its own batch."""

from __future__ import annotations

from typing import Final

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray

MAX_EXAMPLES: Final = 512


class Accuracy(Reading):
    """Share of the batch that the training's own classification gets right."""

    def read(self, xray: Xray) -> Values:
        """The share, for a cross-entropy over classes."""
        for index in xray.wiring.find({"NllLoss"}):
            source = xray.wiring.source(xray.wiring.nodes[index].inputs[0])
            target = xray.saved(index, "target")
            if source is None or target is None or xray.wiring.nodes[source].op != "LogSoftmax":
                continue
            scores = xray.saved(source, "result")
            if scores is not None and scores.dim() == 2 and target.shape == scores.shape[:1]:
                right = scores[:MAX_EXAMPLES].argmax(dim=1) == target[:MAX_EXAMPLES]
                return {"train-accuracy": {"": right.float().mean().item()}}
        return {}

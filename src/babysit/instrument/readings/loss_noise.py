"""How much of a batch's loss is the luck of the draw."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray

MAX_EXAMPLES: Final = 1024


class LossNoise(Reading):
    """Standard error of the batch's mean loss, from the spread over its examples."""

    def read(self, xray: Xray) -> Values:
        """The standard error, where one known loss function is all there is."""
        found = [
            (index, node.op)
            for index, node in enumerate(xray.wiring.nodes)
            if node.op in ("NllLoss", "MseLoss", "SmoothL1Loss", "BinaryCrossEntropyWithLogits")
        ]
        nodes = xray.wiring.nodes
        if not found and nodes[-1].op == "Mean" and nodes[-1].inputs[0] is not None:
            found = [(nodes[-1].inputs[0], nodes[nodes[-1].inputs[0]].op)]
        if len(found) != 1:
            return {}
        index, op = found[0]
        scores, target = xray.saved(index, "self"), xray.saved(index, "target")
        if op == "Abs" and scores is not None:  # the mean of absolute differences
            target = scores
        if scores is None or target is None or scores.dim() == 0 or len(scores) < 4:
            return {}
        losses = per_example(op, scores[:MAX_EXAMPLES], target[:MAX_EXAMPLES])
        if losses is None or not losses.numel():
            return {}
        return {"loss-noise": {"": (losses.std() / len(scores) ** 0.5).item()}}


def per_example(op: str, scores: Tensor, target: Tensor) -> Tensor | None:
    """The loss of each example, mean over whatever an example consists of."""
    scores = scores.float()
    if op == "NllLoss":
        if scores.dim() != 2 or target.shape != scores.shape[:1]:
            return None
        rows = target >= 0
        return -scores[rows].gather(1, target[rows][:, None])[:, 0]
    if scores.shape != target.shape:
        return None
    target = target.float()
    if op == "Abs":
        return scores.abs().reshape(len(scores), -1).mean(dim=1)
    if op == "BinaryCrossEntropyWithLogits":
        losses = torch.nn.functional.softplus(scores) - scores * target
    elif op not in ("MseLoss", "SmoothL1Loss"):
        return None
    else:
        losses = (scores - target).square()
    return losses.reshape(len(losses), -1).mean(dim=1)

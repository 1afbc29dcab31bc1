"""What comes out of the model: whether it differs between examples, and how far off it is."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from babysit.criteria import BINARY, NLLS, SOFT, criteria
from babysit.instrument.reading import Reading, Values
from babysit.instrument.readings.targets import operands_of
from babysit.instrument.xray import Xray

MAX_CRITERIA: Final = 4
MAX_ROWS: Final = 512
MAX_COLUMNS: Final = 256
CONSTANT: Final = 1e-6  # spread of a target, relative to its size, that is none
UNKNOWN: Final = -1.0  # no share or spread is negative
MIN_ROWS: Final = 8


class Outputs(Reading):
    """Spread of the predictions over the examples of a batch, by the kind of comparison."""

    def read(self, xray: Xray) -> Values:
        """Spreads; for regressions also relative to the targets, and the error."""
        values: Values = {}
        for criterion in criteria(xray.wiring)[:MAX_CRITERIA]:
            operands = operands_of(xray, criterion)
            if operands is None:
                continue
            prediction, target = operands
            if prediction.dim() == 0 or prediction.shape[0] < MIN_ROWS or target.is_complex():
                continue
            rows = rows_of(prediction)
            spread = rows.std(dim=0, correction=0)
            if criterion.kind in NLLS or criterion.kind == SOFT:
                found = {"output-spread": spread.square().mean().sqrt()}
                if criterion.kind in NLLS and target.numel():
                    flat = target.reshape(-1)[:MAX_ROWS]
                    found["target-spread"] = (flat != flat[0]).float().mean()
            elif prediction.shape == target.shape and rows.numel():
                wanted = rows_of(target)
                varied = wanted.std(dim=0, correction=0)
                found = {"output-spread": largest(spread), "target-spread": largest(varied)}
                if criterion.kind not in BINARY:
                    error = (rows - wanted).square().mean().sqrt()
                    size = wanted.std(correction=0)
                    varies = size > CONSTANT * wanted.abs().mean()
                    found["regression-error"] = torch.where(varies, error / size, UNKNOWN)
            else:
                continue
            numbers = torch.stack([part.float().to("cpu") for part in found.values()]).tolist()
            for signal, number in zip(found, numbers, strict=True):
                if number != UNKNOWN:
                    values.setdefault(signal, {})[criterion.place] = number
        return values


def rows_of(tensor: Tensor) -> Tensor:
    """Examples by outputs, a bounded part."""
    part = tensor.detach()[:MAX_ROWS].float()
    part = part.reshape(part.shape[0], -1)
    return part[:, :: -(-part.shape[1] // MAX_COLUMNS)] if part.shape[1] else part


def largest(spread: Tensor) -> Tensor:
    """Of several outputs the one that varies most."""
    return spread.amax()

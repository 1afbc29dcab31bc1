"""The terms of a summed loss: their values under the user's names for them."""

from __future__ import annotations

import sys
from typing import Any, Final

from torch import Tensor

from babysit.criteria import NLLS, Term, terms
from babysit.instrument import sources
from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray

MAX_TERMS: Final = 8
MAX_FRAMES: Final = 4
SUM: Final = 2
CALLED: Final = {
    "MseLoss": ("mse_loss",), "L1Loss": ("l1_loss",), "HuberLoss": ("huber_loss",),
    "SmoothL1Loss": ("smooth_l1_loss",), "KlDiv": ("kl_div",),
    "NllLoss": ("cross_entropy", "nll_loss"), "SoftTargets": ("cross_entropy",),
    "BinaryCrossEntropy": ("binary_cross_entropy",),
    "BinaryCrossEntropyWithLogits": ("binary_cross_entropy_with_logits",),
}  # fmt: skip


class Terms(Reading):
    """Values of the summands of a loss, with the weights that the program gave them."""

    def read(self, xray: Xray) -> Values:
        """One value for each term; what kind it is goes into the facts."""
        found = terms(xray.wiring)
        if not 2 <= len(found) <= MAX_TERMS or xray.loss.numel() != 1:
            return {}
        values = [self._value(xray, term) for term in found]
        unknown = [index for index, value in enumerate(values) if value is None]
        if len(unknown) > 1:
            return {}
        if unknown:
            rest = sum(value[1] for value in values if value is not None)
            term = found[unknown[0]]
            name = term.criteria[0].place if len(term.criteria) == 1 else "the other term"
            values[unknown[0]] = (name, float(xray.loss.detach()) - rest)
        by_name: dict[str, float] = {}
        facts: dict[str, Any] = {}
        for term, value in zip(found, values, strict=True):
            assert value is not None
            by_name[value[0]] = value[1]
            facts[value[0]] = describe(xray, term)
        if len(by_name) == len(found):
            xray.facts["loss_terms"] = facts
            return {"loss-term": by_name}
        return {}

    def _value(self, xray: Xray, term: Term) -> tuple[str, float] | None:
        """The name and weighted value of a term: a variable's, or that of the call it came from."""
        for name, tensor in numbers():
            for index, factor in term.chain:
                if tensor.grad_fn is xray.graph[index]:
                    return name, float(tensor.detach()) * factor
        if len(term.criteria) != 1 or term.chain[0][0] != term.criteria[0].index:
            return None
        names = CALLED.get(term.criteria[0].kind, ())
        calls = [call for call in xray.calls if call.function in names]
        is_sum = xray.wiring.nodes[term.criteria[0].index].facts.get("reduction") == SUM
        if len(calls) != 1 or is_sum or "value" not in calls[0].facts:
            return None
        return calls[0].function, calls[0].facts["value"] * term.weight


def numbers() -> list[tuple[str, Tensor]]:
    """Single numbers with a gradient among the local variables of the innermost user frames."""
    found = []
    frame = sources.user_frame(sys._getframe(1))
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        for name, value in list(frame.f_locals.items()):
            if isinstance(value, Tensor) and value.grad_fn is not None and value.dim() == 0:
                found.append((name, value))
        frame = sources.user_frame(frame.f_back)
    return found


def describe(xray: Xray, term: Term) -> dict[str, Any]:
    """What a rule needs to know of a term."""
    kinds = [criterion.kind for criterion in term.criteria]
    fact: dict[str, Any] = {"weight": term.weight}
    if len(kinds) == 1:
        criterion = term.criteria[0]
        shape = xray.wiring.nodes[criterion.prediction].shape
        fact |= {"kind": criterion.kind, "target": criterion.place}
        if criterion.kind in NLLS and len(shape) > 1:
            fact["classes"] = shape[1]
    return fact

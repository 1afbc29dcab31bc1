"""The losses behind a wiring's root: what is compared with a target, and by which measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from babysit.wiring import LINEARS, PARAMETER, RESHAPES, Wiring

SQUARED: Final = frozenset({"MseLoss", "Pow", "Mul", "LinalgVectorNorm"})
ABSOLUTE: Final = frozenset({"L1Loss", "SmoothL1Loss", "HuberLoss", "Abs"})
REGRESSIONS: Final = SQUARED | ABSOLUTE
NLLS: Final = frozenset({"NllLoss", "NllLoss2D", "NllLossNd"})
BINARY: Final = frozenset({"BinaryCrossEntropy", "BinaryCrossEntropyWithLogits"})
SOFT: Final = "SoftTargets"
BUILT_IN: Final = NLLS | BINARY | {"MseLoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "KlDiv"}
# What may stand between a loss and the root: sums and means of it, weights, signs.
PASSING: Final = RESHAPES | frozenset(
    "Add Sub Rsub Mul Div Neg Mean Sum Sqrt Stack Cat Clamp Nansum MaskedFill Where "
    "MaskedSelect Pow Abs LinalgVectorNorm".split()
)
# Operations that only change the shape, row by row.
SAME_ORDER: Final = frozenset(
    "View UnsafeView ReshapeAlias Reshape Squeeze Unsqueeze Clone ToCopy Alias Contiguous "
    "Flatten Unflatten ViewAs".split()
)


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One comparison with a target.

    Args:
        index: its node.
        kind: the node's operation; :data:`SOFT` for ``-(target * log(p)).sum()``.
        prediction: the node whose result is compared.
        place: under which its signals (``target-mean``, …) are kept.
    """

    index: int
    kind: str
    prediction: int
    place: str

    @property
    def is_regression(self) -> bool:
        return self.kind in REGRESSIONS


def criteria(wiring: Wiring) -> list[Criterion]:
    """All comparisons with data that the root is made of, in the order of the forward pass."""
    found: dict[int, tuple[str, int]] = {}
    waiting, seen = [len(wiring.nodes) - 1] if wiring.nodes else [], set()
    while waiting:
        index = waiting.pop()
        if index in seen:
            continue
        seen.add(index)
        node = wiring.nodes[index]
        compared = comparison(wiring, index)
        if compared is not None:
            found[index] = compared
        elif node.op in PASSING:
            waiting += [source for source in node.inputs if source is not None]
    counts: dict[str, int] = {}
    made = []
    for index, (kind, prediction) in sorted(found.items()):
        counts[kind] = counts.get(kind, 0) + 1
        place = kind if counts[kind] == 1 else f"{kind} {counts[kind]}"
        made.append(Criterion(index=index, kind=kind, prediction=prediction, place=place))
    return made


def comparison(wiring: Wiring, index: int) -> tuple[str, int] | None:
    """The kind of a node that compares a prediction with data, and the prediction's node."""
    node = wiring.nodes[index]
    if node.op in BUILT_IN:
        source = node.inputs[0] if node.inputs else None
        return (node.op, source) if source is not None else None
    if node.op in ("Pow", "Abs", "LinalgVectorNorm", "Mul"):
        difference = wiring.source(node.inputs[0], through=SAME_ORDER) if node.inputs else None
        squares = node.op != "Mul" or set(node.inputs) == {node.inputs[0]}
        if difference is not None and squares and len(node.inputs) == (2 if node.op == "Mul" else 1):
            predicted = compared_with_data(wiring, difference)
            return (node.op, predicted) if predicted is not None else None
    if node.op == "Mul" and None in node.inputs and len(node.inputs) == 2:
        source = wiring.source(next((s for s in node.inputs if s is not None), None))
        if source is not None and is_log_probability(wiring, source):
            same = wiring.nodes[source].shape == node.shape and len(node.shape) >= 2
            return (SOFT, source) if same else None
    return None


def compared_with_data(wiring: Wiring, index: int) -> int | None:
    """The prediction in ``prediction - target``, where the target has no gradient."""
    node = wiring.nodes[index]
    sources = [source for source in node.inputs if source is not None]
    if node.op != "Sub" or len(sources) != 1 or len(node.inputs) != 2:
        return None
    behind = wiring.source(sources[0])
    is_parameter = behind is not None and wiring.nodes[behind].op == PARAMETER
    return None if is_parameter else sources[0]


def is_log_probability(wiring: Wiring, index: int) -> bool:
    """Whether a value is a logarithm of probabilities: log-softmax, or log of a softmax."""
    node = wiring.nodes[index]
    if node.op == "LogSoftmax":
        return True
    if node.op != "Log" or not node.inputs:
        return False
    inner = wiring.source(node.inputs[0], through=RESHAPES | {"Add", "Clamp"})
    return wiring.softmax(inner) is not None


def is_output(wiring: Wiring, index: int) -> bool:
    """Whether a value goes to the loss without passing another layer.

    A value that enters a layer or meets another one in a product (attention weights, gates) is
    no output.
    """
    waiting, seen = [index], set()
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        for user in wiring.consumers[at]:
            node = wiring.nodes[user]
            operands = {source for source in node.inputs if source is not None}
            meets = node.op in ("Mul", "Div") and len(operands) > 1 and len(node.shape) > 0
            is_norm = "Norm" in node.op and node.op != "LinalgVectorNorm"
            if node.op in LINEARS or meets or is_norm:
                return False
            waiting.append(user)
    return True

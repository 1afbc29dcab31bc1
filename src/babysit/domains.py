"""Where operations are undefined or overflow: their words, edges and cures, shared by rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from babysit.wiring import Wiring

CLAMPS: Final = frozenset({"Clamp", "ClampMin", "ClampMax", "Maximum", "Minimum"})
# ``1 - p`` in single precision jumps from 6e-8 to 0: a few such steps are the edge.
STEP_BELOW_ONE: Final = 5e-7


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Of one operation.

    Args:
        word: what users call it.
        edge: operands beyond this are as good as outside.
        is_upper: whether the edge is the largest operand allowed, not the smallest.
        end: the operand where value or slope is infinite.
        beyond: what happens there.
        cure: what to write instead.
    """

    word: str
    edge: float
    end: float
    beyond: str
    cure: str
    is_upper: bool = False

    def is_at_edge(self, operand: float) -> bool:
        return operand >= self.edge if self.is_upper else operand <= self.edge

    def is_singular(self, operand: float) -> bool:
        """Whether value or slope is infinite at this operand."""
        return operand >= self.end if self.is_upper else operand <= self.end


def small(word: str, beyond: str, cure: str, *, edge: float = 1e-30, end: float = 0.0) -> Domain:
    return Domain(word=word, edge=edge, end=end, beyond=beyond, cure=cure)


_LOG: Final = (
    "it is minus infinity",
    "Take log_softmax or logsigmoid of the scores, or the log of `x.clamp_min(1e-8)`.",
)
_DIVISION: Final = ("the quotient is infinite", "Add a small constant to the denominator: 1e-8.")
_ROOT: Final = (
    "its slope is infinite, and 0 times infinity is NaN",
    "Take the root of `x + 1e-8`: its slope stays finite.",
)
_ARC: Final = ("its slope is infinite", "Clamp its operand to -1 + 1e-6 … 1 - 1e-6, or use atan2.")
_EXP: Final = (
    "it is infinite",
    "Subtract the maximum first, as softmax and logsumexp do: give the scores themselves to "
    "cross_entropy, log_softmax or logsumexp.",
)
DOMAINS: Final[dict[str, Domain]] = {
    "Log": small("log", *_LOG),
    "Log2": small("log2", *_LOG),
    "Log10": small("log10", *_LOG),
    "Log1P": small("log1p", *_LOG, edge=-1 + 1e-6, end=-1.0),
    "Sqrt": small("sqrt", *_ROOT),
    "Pow": small("pow", *_ROOT),
    "Rsqrt": small("rsqrt", *_DIVISION),
    "Div": small("division", *_DIVISION),
    "Reciprocal": small("division", *_DIVISION),
    "Exp": Domain(
        word="exp", edge=60, end=88.7, is_upper=True, beyond=_EXP[0], cure=_EXP[1]
    ),
    "Expm1": Domain(
        word="expm1", edge=60, end=88.7, is_upper=True, beyond=_EXP[0], cure=_EXP[1]
    ),
    "Acos": Domain(word="acos", edge=1 - 1e-7, end=1, is_upper=True, beyond=_ARC[0], cure=_ARC[1]),
    "Asin": Domain(word="asin", edge=1 - 1e-7, end=1, is_upper=True, beyond=_ARC[0], cure=_ARC[1]),
    "Atanh": Domain(
        word="atanh", edge=1 - 1e-7, end=1, is_upper=True, beyond=_ARC[0], cure=_ARC[1]
    ),
}  # fmt: skip


def domain_of(label: str) -> Domain | None:
    """The domain of the operation with this label (:attr:`Wiring.labels`)."""
    return DOMAINS.get(label.partition(" ")[0])


def operand_of(wiring: Wiring, label: str) -> str | None:
    """The operation that made the operand of a log, root or exp."""
    if label not in wiring.labels:
        return None
    inputs = wiring.nodes[wiring.labels.index(label)].inputs
    source = wiring.source(inputs[-1] if label.startswith("Div") else inputs[0]) if inputs else None
    return wiring.nodes[source].op if source is not None else None

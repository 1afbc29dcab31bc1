"""The losses behind a wiring's root: what is compared with a target, and by which measure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from babysit.findings import Place
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
# Activations whose results are no probabilities.
UNBOUNDED: Final = frozenset({"Relu", "Tanh", "LeakyRelu", "Elu", "Gelu", "Silu"})
# What may stand between a probability and its logarithm.
BEFORE_LOG: Final = RESHAPES | {"Sub", "Rsub"}
# Operations that only change the shape, row by row.
SAME_ORDER: Final = frozenset(
    "View UnsafeView ReshapeAlias Reshape Squeeze Unsqueeze Clone ToCopy Alias Contiguous "
    "Flatten Unflatten ViewAs".split()
)
LOGARITHMS: Final = frozenset({"LogSoftmax", "Log", "Log2", "Log10", "Logsumexp", "LogSigmoid",
                        "LogSigmoidForward", "Logaddexp", "Logcumsumexp", "Softplus",
                        "Logit", "LogNormal", "Log1P"})  # fmt: skip
UNREAD: Final = "neither the autograd graph of a step nor a call of a loss could be read"
# What follows when outputs and loss do not fit each other.
AFTERMATH: Final = (
    "loss-diverging", "loss-not-decreasing", "loss-oscillating", "learning-rate-too-high",
    "learning-rate-too-low", "non-finite-loss", "non-finite-gradient", "exploding-gradients",
    "vanishing-gradients", "gradient-spikes", "unexpected-initial-loss", "overfitting",
    "underfitting", "early-stopping-missed", "learning-rate-decay-due", "dead-relu",
    "saturated-activations", "collapsed-outputs", "constant-loss", "unsafe-operation",
    "weights-not-updating", "update-ratio-imbalanced", "cannot-overfit-small-batch",
    "training-too-short", "clipping-too-tight", "optimizer-unsuited",
)  # fmt: skip


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
        if (
            difference is not None
            and squares
            and len(node.inputs) == (2 if node.op == "Mul" else 1)
        ):
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


def layer_behind(wiring: Wiring, index: int | None, *, through: frozenset[str]) -> int | None:
    """The layer with a weight of its own that produced a value, a bias added or not."""
    index = wiring.source(index, through=through)
    if index is not None and wiring.nodes[index].op == "Add":
        data = [s for s in wiring.nodes[index].inputs if s is not None]
        data = [source for source in data if wiring.weight(source) is None]
        if len(data) == 1:
            index = wiring.source(data[0], through=through)
    if index is None or wiring.nodes[index].op not in LINEARS:
        return None
    has_weight = any(wiring.weight(source) is not None for source in wiring.nodes[index].inputs)
    return index if has_weight else None


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


def clamped_scores(wiring: Wiring) -> Iterator[tuple[int, int | None]]:
    """Clamps that make probabilities of raw scores, for a logarithm or a loss of probabilities.

    With each the activation that made those scores, if it was one.
    """
    bare = RESHAPES | {"Clamp"}
    for index in wiring.find({"Clamp"}):
        facts = wiring.nodes[index].facts
        is_share = 0 <= facts.get("min", -1) < facts.get("max", 2) <= 1
        inner = wiring.source(index, through=bare)
        is_active = inner is not None and wiring.nodes[inner].op in UNBOUNDED
        is_raw = is_active or layer_behind(wiring, index, through=bare) is not None
        if is_share and is_raw and reaches(wiring, index, {"Log", "BinaryCrossEntropy"}):
            yield index, inner if is_active else None


def bounded_scores(wiring: Wiring) -> Iterator[tuple[int, str, float]]:
    """Outputs of bounded activations under cross-entropy: node, its name, and the lowest loss.

    Scores that lie at most ``d`` apart leave a loss of ``log(1 + (classes - 1) exp(-d))``.
    """
    for index in wiring.find({"LogSoftmax"}):
        source = wiring.source(wiring.nodes[index].inputs[0])
        if source is None or not is_output(wiring, index):
            continue
        node = wiring.nodes[source]
        if node.op == "Div" and is_softsign(wiring, source):
            name, width = "softsign", 2.0
        elif node.op in ("Clamp", "Hardtanh") and {"min", "max"} <= set(node.facts):
            name, width = node.op.lower(), node.facts["max"] - node.facts["min"]
        else:
            continue
        yield source, name, math.log1p((node.shape[-1] - 1) * math.exp(-width))


def is_softsign(wiring: Wiring, index: int) -> bool:
    """Whether a quotient is ``x / (1 + |x|)``."""
    inputs = wiring.nodes[index].inputs
    total = inputs[1] if len(inputs) == 2 else None
    if total is None or wiring.nodes[total].op != "Add":
        return False
    sizes = [s for s in wiring.nodes[total].inputs if s is not None and wiring.nodes[s].op == "Abs"]
    return any(wiring.nodes[size].inputs[0] == inputs[0] for size in sizes)


def reaches(wiring: Wiring, index: int, ops: set[str]) -> bool:
    """Whether an output goes, but for a ``1 - p``, straight into one of these operations."""
    waiting = [index]
    while waiting:
        for user in wiring.consumers[waiting.pop()]:
            if wiring.nodes[user].op in ops:
                return is_output(wiring, user)
            waiting += [user] * (wiring.nodes[user].op in BEFORE_LOG)
    return False


def has_logarithm(wiring: Wiring, index: int) -> bool:
    """Whether a logarithm was taken between the last layer and here."""
    waiting, seen = [index], set()
    while waiting:
        at = waiting.pop()
        node = wiring.nodes[at]
        if at in seen or node.op in LINEARS:
            continue
        if node.op in LOGARITHMS:
            return True
        seen.add(at)
        waiting += [source for source in node.inputs if source is not None]
    return False


@dataclass(frozen=True, kw_only=True)
class Term:
    """A summand of the root, as one number.

    Args:
        chain: its node and, towards the root, those that only multiply it; with each the
            factor that is still to be applied.
        criteria: the comparisons with data in it.
    """

    chain: tuple[tuple[int, float], ...]
    criteria: tuple[Criterion, ...]

    @property
    def weight(self) -> float:
        """The explicit coefficient of the term."""
        return self.chain[0][1]


def terms(wiring: Wiring) -> list[Term]:
    """The summands of a loss that is a sum of single numbers; nothing if it is not a sum."""
    waiting: list[tuple[int, float, tuple[tuple[int, float], ...]]] = []
    if wiring.nodes:
        waiting.append((len(wiring.nodes) - 1, 1.0, ()))
    compared, found = criteria(wiring), []
    while waiting:
        index, factor, chain = waiting.pop()
        node = wiring.nodes[index]
        inputs = [source for source in node.inputs if source is not None]
        chain = ((index, factor), *chain)
        known = node.facts.get("factor")
        if node.op in ("Add", "Sub") and len(inputs) == 2 and node.shape == ():
            waiting += [(source, factor, ()) for source in inputs]
        elif len(inputs) == 1 and node.op in ("Add", "Sub", "Clone", "ToCopy"):
            waiting.append((inputs[0], factor, chain))
        elif len(inputs) == 1 and node.op in ("Mul", "Div", "Neg") and node.shape == ():
            known = -1.0 if node.op == "Neg" else known
            if known is None:
                found.append((index, chain))
            elif wiring.nodes[inputs[0]].shape == ():
                waiting.append((inputs[0], factor * known, chain))
            else:
                found.append((index, chain))
        else:
            found.append((index, chain))
    if len(found) < 2:
        return []
    made = []
    for index, chain in found:
        inside = ancestors(wiring, index)
        own = tuple(criterion for criterion in compared if criterion.index in inside)
        made.append(Term(chain=chain, criteria=own))
    return made


def ancestors(wiring: Wiring, index: int) -> set[int]:
    """The nodes of a term down to its comparisons with data."""
    waiting, seen = [index], set()
    while waiting:
        at = waiting.pop()
        if at not in seen:
            seen.add(at)
            if at == index or wiring.nodes[at].op in PASSING:
                waiting += [source for source in wiring.nodes[at].inputs if source is not None]
    return seen


def weight_penalty(wiring: Wiring) -> Place | None:
    """Where a penalty on weights is added to the loss: a power or norm of nothing but them."""
    for index in wiring.find({"Pow", "Mul", "LinalgVectorNorm", "Abs"}):
        node = wiring.nodes[index]
        sources = [wiring.nodes[source] for source in node.inputs if source is not None]
        if sources and all(len(s.shape) > 1 and s.op == PARAMETER for s in sources):
            return sum_place(wiring) or node.place
    return None


def sum_place(wiring: Wiring) -> Place | None:
    """Where the terms of the loss are added up: the addition nearest to the root."""
    sums = (node for node in reversed(wiring.nodes) if node.op == "Add" and node.shape == ())
    last = next((node for node in sums if node.line), None)
    return replace(last.place, layer=None) if last is not None else None

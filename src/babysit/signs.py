"""Which sign a loss can only have, told from its wiring: a minus too many, or one too few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from babysit.criteria import BINARY, NLLS, PASSING, REGRESSIONS, comparison
from babysit.findings import Place
from babysit.guessing import chance_loss
from babysit.measures import course
from babysit.run import Training
from babysit.text import number
from babysit.wiring import RESHAPES, Wiring

# They hand on the sign of what they read: sums, means and picks.
KEEPING: Final = RESHAPES | frozenset(
    "Mean Sum Nansum Stack Cat Gather Index TakeAlongDim MaskedFill MaskedSelect Where "
    "Diagonal Sqrt".split()
)
LOG_SHARES: Final = frozenset({"LogSoftmax", "LogSigmoid", "LogSigmoidForward"})
DATA: Final = 1  # what stands beside a log-probability are weights or targets, from 0 to 1


def signs(wiring: Wiring) -> list[int]:
    """For every node 1 where it cannot be negative, -1 where not positive, 0 where unknown."""
    found: list[int] = []
    for index, node in enumerate(wiring.nodes):
        read = [found[source] for source in node.inputs if source is not None]
        factor = node.facts.get("factor")
        compared = comparison(wiring, index)
        if is_log_share(wiring, index):
            sign = -1
        elif compared is not None and compared[0] in REGRESSIONS | BINARY:
            sign = 1
        elif node.op in NLLS or node.op == "Neg":
            sign = -agreed(read)
        elif node.op in ("Mul", "Div") and len(read) == 1:
            sign = agreed(read) * (DATA if factor is None else (factor > 0) - (factor < 0))
        elif node.op == "Sub" and len(read) == 2:
            sign = agreed([read[0], -read[1]])
        elif node.op in KEEPING or (node.op == "Add" and len(read) == 2):
            sign = agreed(read)
        else:
            sign = 0
        found.append(sign)
    return found


def agreed(read: Sequence[int]) -> int:
    """The sign that all operands share; 0 where they differ."""
    return read[0] if read and len(set(read)) == 1 else 0


def is_log_share(wiring: Wiring, index: int) -> bool:
    """Whether a node is a logarithm of probabilities, which is never above 0."""
    node = wiring.nodes[index]
    if node.op in LOG_SHARES:
        return True
    if node.op != "Log" or not node.inputs:
        return False
    inner = wiring.source(node.inputs[0], through=RESHAPES | {"Clamp", "Sub", "Rsub", "Gather"})
    return wiring.softmax(inner) is not None or wiring.sigmoid(inner) is not None


def negation(wiring: Wiring) -> Place | None:
    """Where a loss that can never be above 0 was turned round: the sign nearest to the root.

    Without any sign it is where log-probabilities were picked or added up.
    """
    if not wiring.nodes or (found := signs(wiring))[-1] >= 0:
        return None
    index, last = len(wiring.nodes) - 1, wiring.nodes[-1].place
    while wiring.nodes[index].op in PASSING | KEEPING:
        node = wiring.nodes[index]
        if node.line:
            last = node.place
        inputs = [source for source in node.inputs if source is not None]
        if not inputs or found[inputs[0]] != found[index]:
            break
        index = inputs[0]
    return last


def trains_last_weight(training: Training, wiring: Wiring) -> bool:
    """Whether the model's weight nearest to the loss is updated: no input is changed instead."""
    names = [name for n in wiring.nodes for source in n.inputs if (name := wiring.weight(source))]
    last = training.parameters.get(names[-1]) if names else None
    return last is not None and last.in_model and last.trainable and last.optimized


def fall_of_negated(training: Training, wiring: Wiring) -> tuple[float, float] | None:
    """First and last level of a negated loss, below 0 all along; ``None`` where it is none.

    Nor where opponents pull it down, or inputs, no weights, are changed, or where it begins at
    what had been learnt before, to be forgotten.
    """
    loss = course(training.series("loss").values)
    moves = training.facts.get("is_adversarial") or training.facts.get("has_teacher")
    if loss is None or moves or loss.highest > 0 or not trains_last_weight(training, wiring):
        return None
    start, chance = float(loss.levels[0]), chance_loss(training) or 0.0
    return (start, loss.end) if start < min(0.0, -0.5 * chance) else None


def negated(start: float, end: float) -> str:
    """What such a loss says."""
    return (
        "the loss has the wrong sign: it is made of terms that are never negative, turned round, "
        f"and falls without end, from {number(start)} to {number(end)}: the worse the "
        "predictions, the lower it is"
    )

from __future__ import annotations

from collections.abc import Iterator

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Training
from babysit.text import shape
from babysit.wiring import RESHAPES, Node, Wiring, chain

ELEMENTWISE_LOSSES = frozenset(
    {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "poisson_nll_loss"}
)
DIFFERENCES = frozenset("Sub Rsub MseLoss L1Loss SmoothL1Loss HuberLoss Mul Add Div".split())
PASSING = RESHAPES | frozenset("Pow Abs Mul Neg Mean Sum Sqrt Add Div Clamp Exp Log".split())


class LossTargetBroadcast(Rule):
    """Prediction and target have different shapes, and broadcasting compares every pair.

    Why it matters:
        ``(N, 1)`` against ``(N,)`` gives ``(N, N)``: every prediction is compared with every
        target. The best answer is then the mean of the targets, and nothing else is learnt.

    How it decides:
        On the way to the loss a prediction of N rows is blown up to an N × N result by an
        operand that has no gradient; or a loss function was called with such shapes.

    What to do:
        Give both the same shape: ``prediction.squeeze(1)`` or ``target.unsqueeze(1)``.

    When it is wrong:
        Losses over all pairs (contrastive, ranking) compare predictions with predictions: both
        sides carry a gradient, which is not reported. A target blown up to the prediction's
        shape, as quantile losses do on purpose, is not reported either.
    """

    since = "0.1"
    severity = "error"
    needs = ("wiring",)
    remedies = ("match-shapes",)
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-low",
        "overfitting",
        "collapsed-outputs",
    )
    examples = (
        sick(wiring=chain(Node(op="Addmm", shape=(8, 1)), Node(op="Sub", shape=(8, 8)),
                          Node(op="Pow", shape=(8, 8)), Node(op="Mean"))),
        healthy(wiring=chain(Node(op="Addmm", shape=(8, 1)), Node(op="Sub", shape=(8, 1)),
                             Node(op="Pow", shape=(8, 1)), Node(op="Mean"))),
        healthy(wiring=chain(Node(op="Addmm", shape=(8, 5)), Node(op="Sub", shape=(8, 5)),
                             Node(op="Mean"))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Judge the calls of loss functions first, they know the target's shape; then the graph."""
        for wiring in run.wirings:
            for prediction, target, place in [*from_calls(wiring), *from_graph(wiring)]:
                yield self._finding(prediction, target, place, wiring.step)
                return

    def _finding(
        self, prediction: tuple[int, ...], target: tuple[int, ...] | None, place: Place, step: int
    ) -> Finding:
        against = f"a target of shape {shape(target)}" if target else "a target of another shape"
        rows = prediction[0]
        return Finding(
            severity=self.severity,
            confidence=0.98,
            message=f"the prediction of shape {shape(prediction)} is compared with {against}: "
            f"broadcasting makes {rows} × {rows} pairs, each prediction against every target",
            where=place,
            first_step=step,
            evidence=(
                Evidence(signal="shape", value=shape(prediction), limit="the target's shape",
                         steps=(step,)),
            ),
            remedies=(
                Remedy(
                    name="match-shapes",
                    text="Give both the same shape before the loss: `prediction.squeeze(1)` or "
                    "`target.unsqueeze(1)`.",
                ),
            ),
        )  # fmt: skip


def pairs_up(smaller: tuple[int, ...], larger: tuple[int, ...]) -> bool:
    """Whether N rows have become N × N by broadcasting."""
    rows = smaller[0] if smaller else 1
    if rows < 2 or len(larger) < 2:
        return False
    flat = [size for size in smaller if size != 1]
    return larger[:2] == (rows, rows) and flat.count(rows) == 1 and smaller != larger


def from_calls(wiring: Wiring) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], Place]]:
    """Calls of element-wise losses with ``(N, 1, …)`` against ``(N, …)``, either way round."""
    for call in wiring.calls:
        first, second = call.prediction_shape, call.target_shape
        rows = first[0] if first else 1
        if (
            call.function in ELEMENTWISE_LOSSES
            and rows > 1
            and (second == (rows, 1, *first[1:]) or first == (rows, 1, *second[1:]))
        ):
            yield first, second, call.place


def compares_pairs(wiring: Wiring, shape: tuple[int, ...]) -> bool:
    """Whether elsewhere predictions are compared with one another, all pairs (MMD, energy)."""
    return any(
        node.op in DIFFERENCES
        and node.shape == shape
        and len(sources := [source for source in node.inputs if source is not None]) > 1
        and all(wiring.nodes[source].shape != shape for source in sources)
        for node in wiring.nodes
    )


def from_graph(wiring: Wiring) -> Iterator[tuple[tuple[int, ...], None, Place]]:
    """Hand-written differences, walking back from the loss through what keeps the shape."""
    waiting = [len(wiring.nodes) - 1] if wiring.nodes else []
    seen: set[int] = set()
    while waiting:
        index = waiting.pop()
        if index in seen:
            continue
        seen.add(index)
        node = wiring.nodes[index]
        sources = [source for source in node.inputs if source is not None]
        if node.op in DIFFERENCES | {"Expand"} and len(sources) == 1:
            before = wiring.nodes[sources[0]]
            # An explicit unsqueeze says that all pairs are wanted (kernels, Chamfer distance).
            is_meant = before.op == "Unsqueeze" or compares_pairs(wiring, node.shape)
            if not is_meant and pairs_up(before.shape, node.shape):
                yield before.shape, None, node.place
        if node.op in DIFFERENCES | PASSING:
            waiting += sources

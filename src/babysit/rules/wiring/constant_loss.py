from __future__ import annotations

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count
from babysit.wiring import PARAMETER, Node, chain

ROUNDED = chain(Node(op=PARAMETER, parameter="fc.weight"), Node(op="Addmm", layer="fc"),
                Node(op="Round", layer="fc"), Node(op="Mean"))  # fmt: skip
STEPS_OF_ZERO_SLOPE = frozenset("Round Floor Ceil Trunc Sign Heaviside Frac".split())


class ConstantLoss(Rule):
    """The loss does not depend on the parameters, or only in steps of zero slope.

    Why it matters:
        ``backward`` runs without complaint, and no weight ever learns anything.

    How it decides:
        Backward begins at a tensor that no operation made (``torch.tensor(loss.item(),
        requires_grad=True)``), or reaches only such tensors and never a parameter of the
        optimizer; or the gradient is exactly zero at nearly every step although the loss is not
        (``round``, ``sign``, ``floor`` and ``clamp`` have no slope).

    What to do:
        Compute the loss from the model's output with differentiable operations only, and never
        set ``requires_grad`` on it by hand.

    When it is wrong:
        A loss that has become zero (all margins kept, all examples learnt) has a zero gradient by
        right and is not reported. Straight-through estimators have a gradient.
    """

    since = "0.1"
    severity = "error"
    needs = ("loss",)
    remedies = ("keep-the-graph", "differentiable-loss")
    explains = (
        "weights-not-updating",
        "loss-not-decreasing",
        "learning-rate-too-low",
        "parameters-not-in-optimizer",
        "parameters-without-gradient",
        "unused-module",
        "vanishing-gradients",
        "underfitting",
    )
    min_steps = threshold(
        default=8,
        unit="steps",
        why="a few batches may keep every margin and have no slope, by chance",
    )
    min_share = threshold(
        default=0.9,
        unit="share of steps",
        why="0 in 88 healthy programs; 1 where the loss is cut off from the parameters",
    )
    examples = (
        sick(loss=[0.7] * 20, loss_without_graph=[1.0] * 20, without_gradient=[1.0] * 20),
        sick(loss=[0.4] * 20, gradient_norm=[0.0] * 20, wiring=ROUNDED),
        healthy(loss=[0.0] * 20, gradient_norm=[0.0] * 20, wiring=ROUNDED),
        healthy(loss=[0.7] * 20, gradient_norm=[0.1] * 20, wiring=ROUNDED),
    )

    def check(self, run: Training) -> Conclusions:
        """Three ways: no graph, a graph that ends too early, a gradient of zero."""
        num_steps = max(run.steps, len(run.series("loss")))
        if num_steps < self.min_steps:
            return
        cut = len(run.series("loss-without-graph"))
        if cut >= self.min_share * num_steps:
            yield self._finding(
                f"the loss is a new tensor with nothing behind it at {count(cut, 'step')}: "
                "backward reaches no parameter, so nothing can learn",
                Evidence(signal="loss-without-graph", value=cut, limit=0),
                run.source("backward"),
                "keep-the-graph",
            )
            return
        yield from self._ends_early(run)
        yield from self._is_flat(run)

    def _ends_early(self, run: Training) -> Conclusions:
        """The graph holds only tensors made on the way, none of them a parameter."""
        idle = len(run.series("without-gradient"))
        reached = [p for w in run.wirings for p in w.parameters if p in run.parameters]
        is_cut = all(not (p := run.parameters[name]).is_parameter and not p.optimized
                     for name in reached)  # fmt: skip
        if run.wirings and reached and is_cut and idle >= self.min_share * max(run.steps, 1):
            leaf = next((n for n in run.wirings[0].nodes if n.line), None)
            yield self._finding(
                "the graph behind the loss ends at a tensor that was made anew: no parameter of "
                f"the optimizer got a gradient in {count(idle, 'step')}",
                Evidence(signal="without-gradient", value=idle, limit=0),
                leaf.place if leaf else run.source("backward"),
                "keep-the-graph",
            )

    def _is_flat(self, run: Training) -> Conclusions:
        """The gradient is exactly zero, the loss is not."""
        norms, losses = run.series("gradient-norm").values, run.series("loss").values
        if len(norms) < self.min_steps or (norms == 0).mean() < self.min_share:
            return
        if (abs(losses) > 0).mean() < self.min_share:
            return
        nodes = [node for wiring in run.wirings for node in wiring.nodes]
        flat = next((n for n in nodes if n.op in STEPS_OF_ZERO_SLOPE), None)
        named = f": `{flat.op.lower()}` has no slope anywhere" if flat else ""
        yield self._finding(
            f"the gradient is exactly zero at {count(int((norms == 0).sum()), 'sampled step')}, "
            f"though the loss is not zero{named}",
            Evidence(signal="gradient-norm", value=0.0, limit="above 0"),
            flat.place if flat else run.source("backward"),
            "differentiable-loss",
        )

    def _finding(
        self, message: str, evidence: Evidence, where: Place | None, remedy: str
    ) -> Finding:
        texts = {
            "keep-the-graph": "Build the loss from the model's output without .item(), .detach(), "
            ".data, NumPy or torch.tensor(...); requires_grad never needs to be set on it.",
            "differentiable-loss": "Replace rounding, signs and counts by their smooth "
            "counterparts: cross-entropy on the scores instead of an accuracy.",
        }
        return Finding(
            severity=self.severity, confidence=0.98, message=message, where=where,
            evidence=(evidence,), remedies=(Remedy(name=remedy, text=texts[remedy]),),
        )  # fmt: skip

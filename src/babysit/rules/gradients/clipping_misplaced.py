from __future__ import annotations

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number, percent
from babysit.wiring import Node, chain

CLAMPED = chain(Node(op="Addmm"), Node(op="MseLoss"), Node(op="Clamp", facts={"max": 1.0}))


class ClippingMisplaced(Rule):
    """Clipping takes place where it does nothing, or clips the wrong thing.

    Why it matters:
        Clipped before ``backward`` or after ``step`` there is no gradient to clip, and the
        updates go unclipped. Clipped before ``unscale_``, gradients that ``GradScaler`` made
        thousands of times larger all end at the limit. And a clamped *loss* has no gradient at
        all where it is clamped: the worst examples teach nothing.

    How it decides:
        At nearly all calls of the clipping functions no backward had run since the optimizer's
        last step, or a scaled loss had not been unscaled. Or the graph ends in a clamp of the
        loss from above, and the loss reached that limit.

    What to do:
        In this order: ``loss.backward()``, (``scaler.unscale_(optimizer)``),
        ``clip_grad_norm_(...)``, ``optimizer.step()``.

    When it is wrong:
        A limit beyond reach only measures the norm and is left alone. Clamping examples one by
        one, or from below (hinge losses, free bits), is usual.
    """

    since = "0.1"
    severity = "error"
    needs = ("loss",)
    remedies = ("move-clipping", "clip-gradients")
    explains = (
        "exploding-gradients",
        "gradient-spikes",
        "learning-rate-too-high",
        "non-finite-loss",
        "non-finite-gradient",
        "loss-not-decreasing",
        "loss-oscillating",
        "loss-diverging",
        "constant-loss",
        "clipping-too-tight",
        "vanishing-gradients",
        "learning-rate-too-low",
    )
    min_share = threshold(
        default=0.9,
        unit="share of clipped steps",
        why="0 in 80 healthy programs, of which eight clip; 1 where the call is misplaced",
    )
    min_steps = threshold(
        default=5, unit="steps", why="a set-up may clip once before the loop begins"
    )
    min_clamped = threshold(
        default=0.05,
        unit="share of steps",
        why="a limit that is never reached does no harm; below this the batch mean smooths it",
    )
    examples = (
        sick(loss=[1.0] * 20, clip_norm=[1.0] * 20, clip_in_vain=[1.0] * 20),
        sick(loss=[1.0] * 20, wiring=CLAMPED),
        healthy(loss=[1.0] * 20, clip_norm=[1.0] * 20),
        healthy(loss=[0.3] * 20, wiring=CLAMPED),
    )

    def check(self, run: Training) -> Conclusions:
        """In vain, on scaled gradients, on the loss."""
        calls = max(len(run.series("clip-norm")), len(run.series("clip-value")))
        vain = run.series("clip-in-vain")
        scaled = run.series("clip-of-scaled-gradients")
        where = run.source("misplaced_clip") or run.source("backward")
        if len(vain) >= max(self.min_steps, self.min_share * calls):
            yield self._finding(
                f"gradients are clipped when there are none to clip, at {count(len(vain), 'step')}"
                ": no backward has run since the optimizer's last step",
                Evidence(signal="clip-in-vain", value=len(vain), limit=0),
                where,
            )
        elif len(scaled) >= max(self.min_steps, self.min_share * calls):
            yield self._finding(
                "gradients are clipped while GradScaler still scales them, at "
                f"{count(len(scaled), 'step')}: the limit holds for values thousands of times "
                "too large",
                Evidence(signal="clip-of-scaled-gradients", value=len(scaled), limit=0),
                where,
            )
        yield from self._clamped_loss(run)

    def _clamped_loss(self, run: Training) -> Conclusions:
        for wiring in run.wirings:
            index = wiring.source(len(wiring.nodes) - 1) if wiring.nodes else None
            node = wiring.nodes[index] if index is not None else None
            limit = node.facts.get("max") if node is not None and not node.shape else None
            if node is None or limit is None or limit <= node.facts.get("min", float("-inf")):
                continue
            values = run.series("loss").values
            share = float((values >= limit * (1 - 1e-6)).mean()) if len(values) else 0.0
            if len(values) < self.min_steps or share < self.min_clamped:
                continue
            yield Finding(
                severity=self.severity,
                confidence=0.95,
                message=f"the loss itself is clamped at {number(limit)}: {percent(share)} of the "
                "steps were cut there, and such a step has no gradient at all",
                where=node.place,
                evidence=(Evidence(signal="clamped steps", value=round(share, 3),
                                   limit=self.min_clamped),),
                remedies=(
                    Remedy(name="clip-gradients",
                           text="Do not clamp the loss; limit the gradients instead, between "
                           "backward() and step(): "
                           "torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)."),
                ),
            )  # fmt: skip
            return

    def _finding(self, message: str, evidence: Evidence, where: Place | None) -> Finding:
        text = "Clip between backward() and optimizer.step(); with a GradScaler, after " \
            "scaler.unscale_(optimizer)."  # fmt: skip
        return Finding(
            severity=self.severity, confidence=0.97, message=message, where=where,
            evidence=(evidence,), remedies=(Remedy(name="move-clipping", text=text),),
        )  # fmt: skip

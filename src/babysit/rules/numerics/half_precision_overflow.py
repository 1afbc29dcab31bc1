from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number
from babysit.wiring import Node, chain

LARGEST = 65504.0


class HalfPrecisionOverflow(Rule):
    """Values outgrow float16, or the gradient scaler skips one step after another.

    Why it matters:
        float16 ends at 65,504. What lies beyond is infinite, its gradient NaN; the GradScaler
        skips such steps, so that nothing crashes and nothing is learnt.

    How it decides:
        The tensors that float16 operations kept in the graph of a sampled step reach infinity or
        almost; or the scaler skipped more steps than its search for a scale needs. Advice when a
        scaler is at work and nothing in the graph is half precision.

    What to do:
        Compute that operation in float32 (``with torch.autocast(..., enabled=False)`` and
        ``.float()``), divide before summing or squaring, or use bfloat16, which has the range of
        float32.

    When it is wrong:
        The scaler starts high and skips a few steps by design, later one in about 2000. Infinite
        masks carry no gradient and are not looked at.
    """

    since = "0.1"
    severity = "warning"
    needs = ("wiring",)
    remedies = ("compute-in-float32", "use-bfloat16", "add-autocast")
    explains = (
        "non-finite-loss", "non-finite-gradient", "weights-not-updating", "loss-not-decreasing",
        "unsafe-operation", "training-too-short", "underfitting", "learning-rate-too-high",
    )  # fmt: skip
    max_in_a_row = threshold(
        default=24,
        unit="steps",
        why="from its first scale of 65,536 the scaler halves 17 times down to 1; healthy "
        "programs in float16 skipped 4 in a row and 7 of 200 in all",
    )
    max_share = threshold(
        default=0.1,
        unit="share of the steps after the first 50",
        why="healthy scalers skip one in 2000 (their growth interval)",
    )
    max_peak = threshold(
        default=0.9 * LARGEST,
        unit="size of a float16 value",
        why="the healthy clinic in float16 stays below 10; softmax and losses run in float32",
    )
    min_samples = threshold(default=2, unit="samples", why="one batch may hold a stray example")
    examples = (
        sick(half_peak={"Mul 0": {0: float("inf"), 1: float("inf")}},
             wiring=chain(Node(op="Addmm"), Node(op="Mul", layer="fc"))),
        sick(scaled_steps=[float(n) for n in range(1, 100)],
             skipped_steps=[float(n) for n in range(1, 100)],
             skipped_in_a_row=[float(n) for n in range(1, 100)]),
        healthy(scaled_steps=[float(n) for n in range(1, 200)], skipped_steps={0: 1, 1: 2, 120: 3},
                skipped_in_a_row={0: 1, 1: 2, 120: 1}),
        healthy(half_peak={"Mul 0": {0: 200.0, 1: 210.0}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Values first: they name the operation."""
        finding = self._peak(run) or self._skips(run) or self._without_autocast(run)
        if finding is not None:
            yield finding

    def _peak(self, run: Training) -> Finding | None:
        high = {
            label: series.steps[series.values >= self.max_peak].tolist()
            for label, series in run.places("half-peak").items()
            if (series.values >= self.max_peak).sum() >= self.min_samples
        }
        if not high:
            return None
        order = [label for wiring in run.wirings for label in wiring.labels]
        known = [label for label in order if label in high] or list(high)
        label = known[0]
        node, steps = run.labelled(label), high[label]
        peak = float(run.series("half-peak", label).values.max())
        is_over = not np.isfinite(peak)
        layer = f" after `{node.layer}`" if node is not None and node.layer else ""
        size = "beyond 65,504, which is infinity there" if is_over else (
            f"of {number(peak)}, and float16 ends at 65,504"
        )  # fmt: skip
        skipped = run.series("skipped-steps")
        text = (
            f"; the GradScaler skipped {count(int(skipped.last), 'step')}" if len(skipped) else ""
        )
        return self._finding(
            f"values in float16{layer} reach a size {size}{text}",
            Evidence(signal="half-peak", value=number(peak), limit=LARGEST, steps=tuple(steps[:3])),
            where=node.place if node is not None else run.source("backward"),
            severity="error" if is_over else self.severity,
            confidence=0.95,
        )

    def _skips(self, run: Training) -> Finding | None:
        skipped, in_a_row = run.series("skipped-steps"), run.series("skipped-in-a-row")
        asked = run.series("scaled-steps")
        if not len(skipped) or not len(asked):
            return None
        total, longest = int(skipped.last), int(in_a_row.values.max())
        is_stuck = longest >= self.max_in_a_row
        late = max(0, total - 20) / max(asked.last - 50, 1) if asked.last >= 100 else 0.0
        if not is_stuck and late < self.max_share:
            return None
        scale = run.series("loss-scale")
        text = f"; its scale is down to {number(scale.last)}" if len(scale) and is_stuck else ""
        return self._finding(
            f"the GradScaler skipped {count(total, 'step')} of {int(asked.last):,}, up to "
            f"{longest} in a row: their gradients were infinite or NaN{text}",
            Evidence(signal="skipped-in-a-row", value=longest, limit=self.max_in_a_row),
            where=run.source("backward"),
            severity="error" if is_stuck else self.severity,
            confidence=0.9,
        )

    def _without_autocast(self, run: Training) -> Finding | None:
        share, asked = run.series("half-share"), run.series("scaled-steps")
        if not len(asked) or asked.last < self.max_in_a_row or len(share) < self.min_samples:
            return None
        if share.values.any() or run.series("loss-scale").values.max(initial=0) <= 1:
            return None
        return Finding(
            severity="advice",
            confidence=0.8,
            message="a GradScaler scales the loss, but nothing is computed in half precision: "
            "autocast is off where the model runs",
            where=run.source("backward"),
            evidence=(Evidence(signal="half-share", value=0.0, limit="above 0"),),
            remedies=(
                Remedy(name="add-autocast", text="Run the model inside `with torch.autocast(...)` "
                       "of its own device, or leave the GradScaler out."),
            ),
        )  # fmt: skip

    def _finding(self, message: str, evidence: Evidence, **fields: object) -> Finding:
        return Finding(
            message=message,
            evidence=(evidence,),
            remedies=(
                Remedy(name="compute-in-float32", text="Leave autocast for this part (`with "
                       "torch.autocast(..., enabled=False)`) and use `.float()`; divide before "
                       "you square or sum."),
                Remedy(name="use-bfloat16", text="Or use bfloat16: it has the range of float32 "
                       "and needs no GradScaler."),
            ),
            **fields,  # type: ignore[arg-type]  # the fields that vary
        )  # fmt: skip

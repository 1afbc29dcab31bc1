from __future__ import annotations

import numpy as np

from babysit.domains import CLAMPS, STEP_BELOW_ONE, Domain, domain_of, operand_of
from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, number
from babysit.wiring import Node, chain


class UnsafeOperation(Rule):
    """An operation works at the edge of its domain, one step before NaN.

    Why it matters:
        A log of almost nothing, an exp of 60 or a division by 1e-30 still gives numbers. A little
        further it gives Inf, the next operation NaN, and every weight is lost in that step.

    How it decides:
        The graph keeps what such operations were given. Reported when an operand truly comes to
        the edge in at least two sampled steps: below 1e-30 for log, root and divisor, above 60 for
        exp, within 1e-7 of the ends of acos, within a few roundings of 0 for ``log(1 - p)``.

    What to do:
        Use the form that cannot fail: ``cross_entropy``, ``log_softmax``, ``logsumexp``,
        ``logsigmoid`` and their like; else keep the operand away with a small constant.

    When it is wrong:
        That such an operation exists is no fault. ``log(x + 1e-8)``, clamped operands and
        softmax after subtracting the maximum never come near the edge and are not reported; nor
        are values beyond the end whose gradient a mask or a ReLU holds off.
    """

    since = "0.1"
    severity = "warning"
    needs = ("wiring",)
    remedies = ("mend-operation",)
    min_samples = threshold(
        default=2,
        unit="sampled steps",
        why="a single stray value may come from an untrained net; in the sick clinic 20 of 24 "
        "sampled steps lie beyond the edge, in 70 healthy programs none does",
    )
    examples = (
        sick(closest_operand={"Exp 0": {0: 66.0, 1: 66.2, 5: 66.5}},
             wiring=chain(Node(op="Mm"), Node(op="Exp"), Node(op="Log"))),
        sick(closest_operand={"Log 0": {0: 1e-3, 10: 1e-33, 20: 1e-36}},
             wiring=chain(Node(op="Addmm"), Node(op="Softmax"), Node(op="Log"))),
        healthy(closest_operand={"Log 0": {0: 1e-8, 10: 1e-8, 20: 1e-8}},
                wiring=chain(Node(op="Addmm"), Node(op="Add"), Node(op="Log"))),
        healthy(closest_operand={"Exp 0": {0: 3.0, 1: 5.0}},
                wiring=chain(Node(op="Addmm"), Node(op="Exp"))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The operation that was at its edge most often."""
        worst: tuple[int, str, Domain, list[int], float] | None = None
        for label, series in run.places("closest-operand").items():
            domain = domain_of(label)
            if domain is None:
                continue
            limit = self._limit(run, label, domain)
            if limit is None:
                continue
            values = series.values
            beyond = values >= limit if domain.is_upper else values <= limit
            survived = [self._survived(run, step, domain, v) for step, v in zip(
                series.steps.tolist(), values.tolist(), strict=True)]  # fmt: skip
            beyond = beyond & ~np.array(survived, dtype=bool)
            steps = series.steps[beyond].tolist()
            if len(steps) < self.min_samples or (worst and worst[0] >= len(steps)):
                continue
            extreme = values[beyond].max() if domain.is_upper else values[beyond].min()
            worst = (len(steps), label, domain, steps, float(extreme))
        if worst is None:
            return
        num_samples, label, domain, steps, extreme = worst
        node = run.labelled(label)
        layer = f" after `{node.layer}`" if node is not None and node.layer else ""
        direction = "as much as" if domain.is_upper else "as little as"
        yield Finding(
            severity=self.severity,
            confidence=0.85,
            message=f"the {domain.word}{layer} works at the edge: it received {direction} "
            f"{number(extreme)} in {count(num_samples, 'sampled step')}; at "
            f"{number(domain.end)} {domain.beyond}",
            where=node.place if node is not None else run.source("backward"),
            first_step=steps[0],
            evidence=(
                Evidence(signal="closest-operand", value=extreme,
                         limit=self._limit(run, label, domain), steps=tuple(steps[:3])),
            ),
            remedies=(Remedy(name="mend-operation", text=domain.cure),),
        )  # fmt: skip

    def _survived(self, run: Training, step: int, domain: Domain, operand: float) -> bool:
        """Whether a value beyond the end did no harm: a mask of the script's own holds it off."""
        norms = run.series("gradient-norm")
        return domain.is_singular(operand) and step in norms.steps and bool(
            np.isfinite(norms.at(step) or 0.0)
        )  # fmt: skip

    def _limit(self, run: Training, label: str, domain: Domain) -> float | None:
        """Where the edge begins; ``None`` when the operand is clamped to what is safe."""
        made_by = {operand_of(wiring, label) for wiring in run.wirings} - {None}
        if made_by & CLAMPS and domain.end not in (1, -1):
            return None
        if label.startswith("Log ") and "Rsub" in made_by:
            return STEP_BELOW_ONE
        return domain.edge

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from babysit.criteria import AFTERMATH, BINARY, NLLS, sum_place
from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number

TERMS = {
    "names": {"weight": 1.0, "kind": "NllLoss", "target": "NllLoss", "classes": 10},
    "picture": {"weight": 1000.0, "kind": "MseLoss", "target": "MseLoss"},
}


class LossTermsUnbalanced(Rule):
    """One term of a summed loss drowns another one, which is not learnt.

    Why it matters:
        The gradient of the sum follows its largest term. A task whose term is a hundredth of
        another's moves the shared layers by nothing and stays at the level of guessing.

    How it decides:
        Two terms of the loss each have targets of their own. One is larger by far in the middle of
        the sampled steps and falls; the other one still stands at the end where guessing
        stands (the logarithm of the classes, the variance of the targets), and no small
        coefficient says that this is meant. Or a penalty has an explicit coefficient, began larger
        by far, was pressed to a fraction of that, and the term with targets stands at guessing.

    What to do:
        Weigh the terms so that they begin at about the same size; average instead of summing.

    When it is wrong:
        Terms without targets (penalties, the divergence of a VAE, auxiliary balancing) never count
        as drowned: they may be small by right. A task that cannot be learnt would look
        the same; train it by itself to see.
    """

    since = "0.1"
    severity = "warning"
    needs = ("loss-term",)
    remedies = ("weigh-terms",)
    explains = (*AFTERMATH, "gradients-not-averaged", "unnormalised-targets")
    min_ratio = threshold(
        default=30.0, unit="larger term over the smaller one",
        why="the sick clinic lies at 152; healthy programs reach 380 (a mean teacher), "
        "so this never decides alone: what tells is what is left of guessing",
    )  # fmt: skip
    min_left = threshold(
        default=0.7, unit="share of the guessing level that is left at the end",
        why="terms of 4 healthy programs that were trained to the end keep 0.05 to 0.26 "
        "of it, the sick clinic 1.03",
    )  # fmt: skip
    min_coefficient = threshold(
        default=10.0, unit="factor written before a penalty",
        why="a choice: usual coefficients (decay, divergence, auxiliary losses) are 5 or less",
    )  # fmt: skip
    min_samples = threshold(
        default=8, unit="sampled steps",
        why="a choice: the first few samples all lie at the beginning",
    )  # fmt: skip
    examples = (
        sick(loss_term={"names": [2.3] * 12, "picture": [200 - 15.0 * i for i in range(12)]},
             facts={"loss_terms": TERMS}),
        healthy(loss_term={"names": [2.3 * 0.7**i for i in range(12)],
                           "picture": [200 - 15.0 * i for i in range(12)]},
                facts={"loss_terms": TERMS}),
        healthy(loss_term={"names": [2.3] * 12, "picture": [1.0 - 0.05 * i for i in range(12)]},
                facts={"loss_terms": TERMS}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Every term with a target against every other one."""
        if run.facts.get("is_adversarial"):
            return
        known = {
            name: fact
            for name, fact in run.facts.get("loss_terms", {}).items()
            if fact.get("kind") and len(run.series("loss-term", name)) >= self.min_samples
        }
        penalties = [
            name
            for name, fact in run.facts.get("loss_terms", {}).items()
            if not fact.get("kind") and abs(fact.get("weight", 1.0)) >= self.min_coefficient
        ]
        for name, fact in known.items():
            for other in (*known, *penalties):
                begun = 3 if other in penalties else None  # it is pressed down, and has done harm
                if name != other and self._drowns(run, other, name, fact, begun):
                    yield self._finding(run, other, name)
                    return

    def _drowns(
        self, run: Training, large: str, small: str, fact: Mapping[str, Any], begun: int | None
    ) -> bool:
        values = run.series("loss-term", small).values
        others = run.series("loss-term", large).values
        level = guessing(run, fact)
        if level is None or not np.isfinite(values).all() or not np.isfinite(others).all():
            return False
        third = max(len(values) // 3, 1)
        weight = abs(fact.get("weight", 1.0))
        left = float(np.median(values[-third:])) / (weight * level) if weight else 0.0
        falls = np.median(others[-third:]) < 0.8 * np.median(others[:third])
        ratio = np.median(np.abs(others[:begun])) / max(np.median(np.abs(values[:begun])), 1e-12)
        return bool(weight >= 0.5 and ratio >= self.min_ratio and falls and left >= self.min_left)

    def _finding(self, run: Training, large: str, small: str) -> Finding:
        typical = {
            n: float(np.median(run.series("loss-term", n).values[:9])) for n in (large, small)
        }
        ratio = typical[large] / max(typical[small], 1e-12)
        return Finding(
            severity=self.severity,
            confidence=0.8,
            message=f"the loss's term `{large}` (about {number(typical[large])} at first) drowns "
            f"`{small}` ({number(typical[small])}), which has stayed at the level of guessing",
            where=next(filter(None, map(sum_place, run.wirings)), None) or run.source("backward"),
            evidence=(Evidence(signal="loss-term", value=ratio, limit=self.min_ratio),),
            remedies=(
                Remedy(
                    name="weigh-terms",
                    text=f"Divide `{large}` by about {number(ratio)}, so that both begin at the "
                    "same size; or take the mean where a sum is taken.",
                ),
            ),
        )


def guessing(run: Training, fact: Mapping[str, Any]) -> float | None:
    """The value of a term whose predictions know nothing of the inputs."""
    kind = fact["kind"]
    if kind in NLLS:
        return math.log(fact["classes"]) if fact.get("classes", 0) > 1 else None
    if kind in BINARY:
        return math.log(2)
    spread = run.series("target-column-std", fact["target"]).values
    if not len(spread):
        spread = run.series("target-std", fact["target"]).values
    return float(np.mean(spread**2)) if kind in ("MseLoss", "Pow") and len(spread) else None

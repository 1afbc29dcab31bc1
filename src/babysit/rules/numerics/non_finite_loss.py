from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.measures import is_rate_test
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number

UNSAFE = {
    "Log": "take the logarithm of `x.clamp_min(1e-8)`, or use log_softmax / logsigmoid, which "
    "never see a zero",
    "Div": "add a small constant to the denominator: `x / (y + 1e-8)`",
    "Sqrt": "take the root of `x + 1e-8`: its slope at 0 is infinite",
    "Rsqrt": "take the root of `x + 1e-8`",
    "Exp": "subtract the maximum first, as softmax and logsumexp do",
    "Pow": "keep the base above 0: `x.clamp_min(1e-8)`",
    "LinalgVectorNorm": "add a small constant under the root: the norm has no slope at 0",
    "Std": "the standard deviation of constant values has no slope: add a small constant",
    "Acos": "clamp its input to -1 + 1e-6 … 1 - 1e-6",
}
NAMES = {"Div": "division", "Log": "log", "Exp": "exp", "Pow": "pow", "LinalgVectorNorm": "norm"}


class NonFiniteLoss(Rule):
    """The loss is NaN or infinite.

    Why it matters:
        From the first such step on, every weight that the optimizer touches becomes NaN, and
        nothing learnt before survives.

    How it decides:
        The value that backward was called on was not finite. The graph of that very step is
        searched for the first operation whose result is not finite.

    What to do:
        Mend the operation that is named; if the loss had been growing for some steps, the
        learning rate is the cause and is reported as such. Until then look at the last finite
        steps, not at later ones.

    When it is wrong:
        A learning-rate range test ends there on purpose and is not reported. A single infinite
        loss that the script skips by itself (a ``GradScaler`` does with
        gradients) is reported as a warning when later losses are finite.
    """

    since = "0.1"
    severity = "error"
    needs = ("loss",)
    remedies = ("mend-operation", "check-data", "lower-lr")
    explains = (
        "loss-not-decreasing", "dead-relu", "vanishing-gradients", "weights-not-updating",
        "unsafe-operation", "collapsed-outputs",
    )  # fmt: skip
    max_recovered = threshold(
        default=0.02,
        unit="share of steps",
        why="A script that skips bad batches meets them rarely; none of the healthy trainings "
        "had a single one. Above this share the training is not protected but broken.",
    )
    examples = (
        sick(loss=[1.0, 0.8, float("nan"), float("nan")]),
        sick(loss=[float("inf")] * 3),
        healthy(loss=[1.0, 0.8, 0.7, 0.6]),
    )

    def check(self, run: Training) -> Conclusions:
        """The first loss that is not finite, and where it came from."""
        series = run.series("loss")
        bad = ~np.isfinite(series.values)
        if not bad.any() or is_rate_test(run):
            return
        recovered = not bad[-1] and bad.mean() <= self.max_recovered
        first = int(series.steps[bad][0])
        before = series.values[~bad & (series.steps < first)]
        origin = run.facts.get("non_finite_origin") or {}
        value = number(series.values[bad][0])
        last = f"; the last finite loss was {number(before[-1])}" if len(before) else ""
        yield Finding(
            severity="warning" if recovered else self.severity,
            confidence=0.8 if recovered else 1.0,
            message=f"the loss is {value} from step {first}{last}{described(origin)}",
            where=self._where(run, origin),
            first_step=first,
            evidence=(Evidence(signal="loss", value=value, limit="finite", steps=(first,)),),
            remedies=tuple(self._remedies(origin, len(before))),
        )

    def _where(self, run: Training, origin: dict[str, object]) -> Place | None:
        if not origin:
            return run.source("backward")
        if not origin.get("line") and origin.get("layer"):
            return run.layer_place(str(origin["layer"]), op=str(origin.get("op")))
        known = {key: origin.get(key) for key in ("layer", "op", "file", "line", "code")}
        return Place(**known)  # type: ignore[arg-type]  # read from JSON

    def _remedies(self, origin: dict[str, object], num_before: int) -> list[Remedy]:
        op = str(origin.get("op", ""))
        if op in UNSAFE:
            return [
                Remedy(name="mend-operation", text=UNSAFE[op][0].upper() + UNSAFE[op][1:] + ".")
            ]
        if op == "data":
            text = "Look for NaN or Inf in the data before it reaches the model: torch.isfinite(x)."
            return [Remedy(name="check-data", text=text)]
        if num_before == 0:
            text = "No step had been taken: look at the data, the targets and the loss's formula."
            return [Remedy(name="check-data", text=text)]
        return [
            Remedy(
                name="lower-lr",
                text="Divide the learning rate by 3 until no NaN appears in the first 100 steps.",
            )
        ]


def described(origin: dict[str, object]) -> str:
    """Which operation made it, in words."""
    if not origin:
        return ""
    if origin.get("op") == "parameter":
        return f"; the weights of `{origin.get('layer')}` were not finite any more"
    if origin.get("op") == "data":
        return f"; the data that enters `{origin.get('layer')}` already holds NaN or Inf"
    name = NAMES.get(str(origin["op"]), str(origin["op"]).lower())
    layer = f" after `{origin['layer']}`" if origin.get("layer") else ""
    operand = origin.get("operand")
    received = f", which received {number(float(str(operand)))}" if operand is not None else ""
    return f"; the first operation with such a result is {name}{layer}{received}"

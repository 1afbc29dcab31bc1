from __future__ import annotations

import numpy as np

from babysit import autopsy
from babysit.autopsy import Autopsy
from babysit.domains import DOMAINS
from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.measures import is_rate_test
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number

FORWARD = ("forward", "evaluation", "")
LOG = {
    "op": "log", "phase": "evaluation", "step": 4, "kind": "-inf", "count": 1, "size": 8,
    "index": [3], "rows": [3], "dtype": "float32", "operands": [{"value": 0.0}], "key": 0,
    "file": "train.py", "line": 40, "code": "score = torch.log(p).mean()",
}  # fmt: skip


class NonFiniteLoss(Rule):
    """The loss is NaN or infinite.

    Why it matters:
        From the first such step on, every weight that the optimizer touches becomes NaN, and
        nothing learnt before survives.

    How it decides:
        The value that backward was called on was not finite; or one that an evaluation gave, that
        the script read, or that made it stop. A copy of the process from before goes through the
        same steps again with every operation watched, and names the first that turned finite
        values into others. Where no copy can be kept (a GPU, compiled code), the graph of that
        step is searched.

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
    needs = ()
    remedies = (
        "mend-operation", "check-data", "lower-lr", "clip-gradients", "compute-in-float32",
    )  # fmt: skip
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
        sick(loss=[1.0] * 5, facts={"autopsy": {"event": "evaluation", "step": 4, "birth": LOG}}),
        healthy(loss=[1.0, 0.8, 0.7, 0.6]),
    )

    def check(self, run: Training) -> Conclusions:
        """The first loss that is not finite, and where it came from."""
        if is_rate_test(run):
            return
        series, found = run.series("loss"), autopsy.of(run)
        bad = ~np.isfinite(series.values)
        if bad.any():
            yield self._in_training(run, found)
        elif found is not None and found.birth and found.event in ("evaluation", "look", "crash"):
            if found.phase in FORWARD and not found.arrived:
                yield self._elsewhere(run, found)

    def _in_training(self, run: Training, found: Autopsy | None) -> Finding:
        series = run.series("loss")
        bad = ~np.isfinite(series.values)
        recovered = not bad[-1] and bad.mean() <= self.max_recovered
        first = int(series.steps[bad][0])
        before = series.values[~bad & (series.steps < first)]
        value = number(series.values[bad][0])
        last = f"; the last finite loss was {number(before[-1])}" if len(before) else ""
        origin = run.facts.get("non_finite_origin") or {}
        is_born_here = found is not None and found.birth and found.phase in FORWARD
        if found is not None and found.birth:
            where, why = found.place, f": {found.sentence}"
        else:
            where, why = self._where(run, origin), described(origin)
        remedies = found.remedies(run) if found is not None and found.birth else ()
        return Finding(
            severity="warning" if recovered else self.severity,
            confidence=0.8 if recovered else 1.0 if is_born_here else 0.96,
            message=f"the loss is {value} from step {first}{last}{why}",
            where=where,
            first_step=first,
            evidence=self._evidence(value, first, found),
            remedies=remedies or tuple(self._remedies(origin, len(before))),
        )

    def _elsewhere(self, run: Training, found: Autopsy) -> Finding:
        """In an evaluation, in a loss that the script skips, in a check that ends the script."""
        what = {
            "evaluation": "an evaluation's loss is not finite",
            "crash": "the script stopped at a value that is not finite",
            "look": "a value that the script reads is NaN",
        }[found.event]
        if found.event == "look" and found.phase == "evaluation":
            what = "a value that the evaluation reads is NaN"
        return Finding(
            severity=self.severity,
            confidence=0.96,
            message=f"{what}: {found.sentence}",
            where=found.place,
            first_step=found.step,
            evidence=self._evidence(autopsy.kind(found.birth), found.step, found),
            remedies=found.remedies(run),
        )

    def _evidence(self, value: str, step: int, found: Autopsy | None) -> tuple[Evidence, ...]:
        loss = Evidence(signal="loss", value=value, limit="finite", steps=(step,))
        if found is None or not found.method:
            return (loss,)
        return (loss, Evidence(signal="autopsy", value=found.method))

    def _where(self, run: Training, origin: dict[str, object]) -> Place | None:
        if not origin:
            return run.source("backward")
        if not origin.get("line") and origin.get("layer"):
            return run.layer_place(str(origin["layer"]), op=str(origin.get("op")))
        known = {key: origin.get(key) for key in ("layer", "op", "file", "line", "code")}
        return Place(**known)  # type: ignore[arg-type]  # read from JSON

    def _remedies(self, origin: dict[str, object], num_before: int) -> list[Remedy]:
        domain = DOMAINS.get(str(origin.get("op", "")))
        if domain is not None:
            return [Remedy(name="mend-operation", text=domain.cure)]
        if origin.get("op") == "data":
            text = "Look for NaN or Inf in the data before it reaches the model: torch.isfinite(x)."
            return [Remedy(name="check-data", text=text)]
        if num_before == 0:
            text = "No step had been taken: look at the data, the targets and the loss's formula."
            return [Remedy(name="check-data", text=text)]
        text = "Divide the learning rate by 3 until no NaN appears in the first 100 steps."
        return [Remedy(name="lower-lr", text=text)]


def described(origin: dict[str, object]) -> str:
    """Which operation the graph shows to have made it, in words."""
    if not origin:
        return ""
    if origin.get("op") == "parameter":
        return f"; the weights of `{origin.get('layer')}` were not finite any more"
    if origin.get("op") == "data":
        return f"; the data that enters `{origin.get('layer')}` already holds NaN or Inf"
    domain = DOMAINS.get(str(origin["op"]))
    name = domain.word if domain is not None else str(origin["op"]).lower()
    layer = f" after `{origin['layer']}`" if origin.get("layer") else ""
    operand = origin.get("operand")
    received = f", which received {number(float(str(operand)))}" if operand is not None else ""
    return f"; the first operation with such a result is {name}{layer}{received}"

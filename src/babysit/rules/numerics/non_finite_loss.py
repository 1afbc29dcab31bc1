from __future__ import annotations

import numpy as np

from babysit import autopsy
from babysit.autopsy import Autopsy
from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.growth import growth
from babysit.measures import is_rate_test
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number

FORWARD = ("forward", "evaluation")
ELSEWHERE = {
    "loss": "the loss is not finite, and no step followed",
    "evaluation": "an evaluation's loss is not finite",
    "crash": "the script stopped at a value that is not finite",
    "look": "a value that the script reads is not finite",
}
LOG = {
    "op": "log", "phase": "evaluation", "step": 4, "kind": "-inf", "count": 1, "size": 8,
    "index": [3], "rows": [3], "dtype": "float32", "operands": [{"value": 0.0}], "key": 0,
    "file": "train.py", "line": 40, "code": "score = torch.log(p).mean()",
}  # fmt: skip


class NonFiniteLoss(Rule):
    """The loss is NaN or infinite.

    Why it matters:
        A step on such a loss makes every weight that the optimizer touches NaN, and nothing
        learnt before survives. In an evaluation it says nothing of the model.

    How it decides:
        The value that backward was called on was not finite; or one that an evaluation gave, that
        the script read, or that made it stop. A copy of the process from before goes through the
        same steps again with every operation watched, and names the first that turned finite
        values into others. Where no copy can be kept (several processes, a GPU after two
        minutes), the graph of that step is searched.

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
        healthy(
            loss=[1.0] * 5,
            facts={
                "autopsy": {"event": "gradient", "step": 4, "birth": LOG | {"phase": "forward"}}
            },
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """The first loss that is not finite, and where it came from."""
        if is_rate_test(run):
            return
        series, found = run.series("loss"), autopsy.of(run)
        bad = ~np.isfinite(series.values)
        if bad.any():
            yield self._in_training(run, found)
        elif (
            found is not None
            and found.event in ELSEWHERE
            and (found.phase in FORWARD or found.event == "loss")
        ):
            yield self._elsewhere(run, found)

    def _in_training(self, run: Training, found: Autopsy | None) -> Finding:
        series = run.series("loss")
        bad = ~np.isfinite(series.values)
        recovered = not bad[-1] and bad.mean() <= self.max_recovered
        first = int(series.steps[bad][0])
        before = series.values[~bad & (series.steps < first)]
        value = number(series.values[bad][0])
        last = f"; the last finite loss was {number(before[-1])}" if len(before) else ""
        is_known = found is not None and bool(found.birth)
        remedies = found.remedies(run) if found is not None and is_known else ()
        return Finding(
            severity="warning" if recovered else self.severity,
            confidence=0.8 if recovered else 1.0,
            message=f"the loss is {value} from step {first}{last}"
            + (f": {found.sentence}{growth(run, first)}" if found and is_known else ""),
            where=self._where(run, found),
            first_step=first,
            evidence=self._evidence(value, first, found),
            remedies=remedies or self._remedies(not len(before)),
        )

    def _elsewhere(self, run: Training, found: Autopsy) -> Finding:
        """In an evaluation, in a loss that no step followed, in a check that ends the script."""
        what = ELSEWHERE[found.event]
        if found.event == "look" and found.phase == "evaluation":
            what = "a value that the evaluation reads is not finite"
        return autopsy.finding(found, run, what)

    def _where(self, run: Training, found: Autopsy | None) -> Place | None:
        if found is None or found.place is None:
            return run.source("backward")
        if found.place.line is None and found.place.layer is not None:
            return run.layer_place(found.place.layer, op=found.op)
        return found.place

    def _evidence(self, value: str, step: int, found: Autopsy | None) -> tuple[Evidence, ...]:
        loss = Evidence(signal="loss", value=value, limit="finite", steps=(step,))
        return (loss, *autopsy.evidence(found))

    def _remedies(self, is_first: bool) -> tuple[Remedy, ...]:
        if is_first:
            text = "No step had been taken: look at the data, the targets and the loss's formula."
            return (Remedy(name="check-data", text=text),)
        text = "Divide the learning rate by 3 until no NaN appears in the first 100 steps."
        return (Remedy(name="lower-lr", text=text),)

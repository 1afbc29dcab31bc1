from __future__ import annotations

import numpy as np

from babysit import autopsy
from babysit.domains import DOMAINS, domain_of
from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import is_rate_test
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number

GRADCHECK = Remedy(
    name="mend-operation",
    text="Look in its backward for a division by zero; check it with `babysit.gradcheck`.",
)
ANOMALY = "Wrap the step in torch.autograd.detect_anomaly(): it names the operation."
SEARCH = Remedy(name="detect-anomaly", text=ANOMALY)


class NonFiniteGradient(Rule):
    """The loss is finite, and its gradient is NaN or infinite.

    Why it matters:
        The optimizer writes it into the weights; from the next step on everything is NaN. The
        loss of that step looks innocent: its slope is what broke.

    How it decides:
        A copy of the process goes through the step again with every operation watched, and names
        the first that made such a value. Where no copy can be kept: the gradients' norm was not
        finite at a step whose loss was; or the weights were not at the first bad loss, without
        any explosion before. The operation is then one whose slope is infinite at an operand that
        a sampled graph shows.

    What to do:
        Keep the operand away from the point: ``(x + 1e-8).sqrt()``. A ``torch.where`` around the
        operation does not help: zero times infinity is NaN.

    When it is wrong:
        Steps that a ``GradScaler`` skips are not counted. A training whose loss or gradients had
        been exploding is not reported here, nor a learning-rate range test.
    """

    since = "0.1"
    severity = "error"
    needs = ("loss",)
    reads_autopsies = True
    remedies = ("mend-operation", "detect-anomaly")
    explains = (
        "non-finite-loss", "non-finite-parameter", "unsafe-operation", "loss-not-decreasing",
        "learning-rate-too-high", "exploding-gradients", "gradient-spikes", "dead-relu",
        "weights-not-updating", "collapsed-outputs",
    )  # fmt: skip
    max_growth = threshold(
        default=1e3,
        unit="times the usual loss or gradient norm",
        why="trainings that a high rate ends leap by 1e6 and more; the sick clinic's had not moved",
    )
    max_recovered = threshold(
        default=0.02,
        unit="share of steps",
        why="a script that rejects bad gradients inside its own optimizer meets them rarely; "
        "none of the healthy trainings had a single one",
    )
    examples = (
        sick(loss=[1.0, float("nan")], gradient_norm=[float("nan"), float("nan")]),
        sick(loss=[1.0, 0.9, float("nan")], gradient_norm=[1.0],
             facts={"non_finite_origin": {"op": "parameter"}}),
        healthy(loss=[1.0, 1e9, 1e30, float("inf")], gradient_norm=[1.0, 1e20, float("inf")]),
        healthy(loss=[1.0, 0.9, 0.8], gradient_norm=[1.0, 0.9, 1.1]),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The first finite loss with a gradient that is not."""
        found = autopsy.exact(run)
        if found is None:
            yield from self._in_graphs(run)
        elif found.is_of_gradient and not found.arrived and not self._is_else(run, found.step):
            loss = run.series("loss").at(found.step)
            text = f" of {number(loss)}" if loss is not None and np.isfinite(loss) else ""
            what = f"the gradient became {autopsy.kind(found.birth)}"
            yield autopsy.finding(found, run, f"{what}, while the loss{text} was finite")

    def _in_graphs(self, run: Training) -> Conclusions:
        """As norms and graphs of sampled steps show it."""
        first = self._first(run)
        if first is None or self._is_else(run, first):
            return
        norms, loss = run.series("gradient-norm"), run.series("loss")
        value = norms.at(first) if first in norms.steps else float("nan")
        op, node = self._culprit(run, first)
        known = loss.at(first)
        text = f", of {number(known)}," if known is not None and np.isfinite(known) else ""
        is_own = node is not None and "custom" in node.facts
        place = f"; the slope of {op} is infinite there" if op and not is_own else ""
        place = f"; the backward of `{op}`, a function of your own, is suspect" if is_own else place
        domain = DOMAINS.get(node.op) if node is not None else None
        cure = Remedy(name="mend-operation", text=domain.cure) if domain is not None else SEARCH
        yield Finding(
            confidence=0.97 if op and not is_own else 0.9,
            message=f"the gradient became {number(value or float('nan'))} at step {first}, while "
            f"the loss{text} was finite{place}",
            where=node.place if node is not None else run.source("backward"),
            first_step=first,
            evidence=(
                Evidence(signal="gradient-norm", value=number(value or float("nan")),
                         limit="finite", steps=(first,)),
            ),
            remedies=(GRADCHECK if is_own else cure,),
        )  # fmt: skip

    def _first(self, run: Training) -> int | None:
        """The step whose gradient broke first."""
        norms, loss = run.series("gradient-norm"), run.series("loss")
        finite = set(loss.steps[np.isfinite(loss.values)].tolist())
        bad = norms.steps[~np.isfinite(norms.values)].tolist()
        if bad and bad[0] in finite:
            later = loss.since(bad[0] + 1)
            recovered = len(later) and np.isfinite(later[-1]) and len(bad) <= max(
                1, self.max_recovered * run.steps
            )  # fmt: skip
            return None if recovered else int(bad[0])
        broken = loss.steps[~np.isfinite(loss.values)]
        origin = run.facts.get("non_finite_origin") or {}
        if len(broken) and broken[0] > 0 and origin.get("op") == "parameter":
            last = int(broken[0]) - 1
            return None if last in norms.steps else last  # it was seen, and it was finite
        return None

    def _is_else(self, run: Training, first: int) -> bool:
        return is_rate_test(run) or self._was_exploding(run, first)

    def _was_exploding(self, run: Training, first: int) -> bool:
        """Whether losses or gradient norms had leapt far beyond their usual size before."""
        for signal in ("loss", "gradient-norm"):
            series = run.series(signal)
            before = np.abs(series.values[(series.steps <= first) & np.isfinite(series.values)])
            usual = min(before[0], np.median(before)) if len(before) else 0.0
            if len(before) and before[-8:].max() > self.max_growth * max(usual, 1e-3):
                return True
            if len(before) and before.max() > 1e15:
                return True
        return False

    def _culprit(self, run: Training, first: int):  # type: ignore[no-untyped-def]  # a word and a node
        """An operation at a point of infinite slope, in the sampled steps up to then.

        Else the one ``autograd.Function`` of the program's own.
        """
        for label, series in run.places("closest-operand").items():
            domain, seen = domain_of(label), series.values[series.steps <= first]
            if domain is not None and len(seen) and domain.is_singular(float(seen[-1])):
                node = run.labelled(label)
                if node is not None:
                    received = number(float(seen[-1])) if seen[-1] >= 0 else "values below 0"
                    return f"{domain.word}, which received {received},", node
        own = [
            node for wiring in run.wirings[:1] for node in wiring.nodes if "custom" in node.facts
        ]
        return (own[0].op, own[0]) if len({node.op for node in own}) == 1 else ("", None)

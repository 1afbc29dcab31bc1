from __future__ import annotations

import numpy as np

from babysit import autopsy
from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Training
from babysit.text import listing, percent
from babysit.wiring import PARAMETER

STATISTICS = ("running_mean", "running_var")


class NonFiniteParameter(Rule):
    """A parameter or a running statistic is NaN or Inf before any loss or gradient was.

    Why it matters:
        Broken before the training, it is mended by no learning rate: the checkpoint is damaged,
        or the initialisation divides by zero. Broken by the optimizer's update, the update
        divides by zero, or its rate is not finite. Running statistics that are NaN leave the
        training alone and spoil every evaluation.

    How it decides:
        All parameters are looked through when the first graph that uses them is read, before any
        update. Later ones count when all losses and gradients up to then were finite. Of the
        buffers, only means and variances of normalisations. And where a second look at the steps
        before a NaN shows that an update turned finite gradients into it.

    What to do:
        Look at the line that initialises or loads it: a division by a norm that may be zero, a
        wrong fan-in, ``torch.empty`` without filling, a checkpoint of a broken run.

    When it is wrong:
        Parameters of minus infinity alone can be meant: forbidden transitions, masks. They are
        reported only when the loss breaks as well.
    """

    since = "0.1"
    severity = "error"
    needs = ("wiring",)
    reads_autopsies = True
    remedies = ("mend-initialisation",)
    explains = (
        "non-finite-loss", "non-finite-gradient", "loss-not-decreasing", "dead-relu",
        "weights-not-updating", "collapsed-outputs", "learning-rate-too-high",
        "symmetric-initialisation", "initialisation-too-large", "unsafe-operation",
    )  # fmt: skip
    examples = (
        sick(non_finite_weights={"embed.weight": {0: 0.1}}, loss=[float("nan")] * 3),
        sick(non_finite_weights={"norm.running_var": {5: 1.0}}, loss=[1.0] * 9),
        healthy(non_finite_weights={"fc.weight": {2: 1.0}}, loss=[1.0, 1.0, float("nan")],
                gradient_norm=[1.0, float("nan")]),
        healthy(loss=[1.0, 0.9]),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Parameters that were broken before the training could have done it."""
        watched = autopsy.exact(run)
        if watched is not None and watched.phase == "optimizer":
            what = f"the optimizer's update wrote {autopsy.kind(watched.birth)} into the weights"
            yield autopsy.finding(watched, run, f"{what}, of a finite gradient")
        else:
            yield from self._before_training(run)

    def _before_training(self, run: Training) -> Conclusions:
        """As the graphs of sampled steps show them."""
        found = {
            name: (int(series.steps[0]), series.first)
            for name, series in run.places("non-finite-weights").items()
            if self._was_before(run, name, int(series.steps[0]))
        }
        if not found:
            return
        first = min(step for step, _ in found.values())
        names = [name for name, (step, _) in found.items() if step == first]
        layer = run.parameters[names[0]].layer if names[0] in run.parameters else ""
        layer = layer or names[0].rpartition(".")[0]
        share = found[names[0]][1]
        kind = "running statistic" if names[0].endswith(STATISTICS) else "parameter"
        kind += "s" if len(names) > 1 else ""
        verb = "holds" if len(names) == 1 else "hold"
        watched = autopsy.exact(run)
        made = f": {watched.sentence}" if watched is not None and watched.phase == "data" else ""
        when = "before the first update" if first == 0 else f"at step {first}, with a finite loss"
        yield Finding(
            severity=self.severity,
            confidence=0.98 if first == 0 else 0.9,
            message=f"{kind} {listing(f'`{name}`' for name in names)} {verb} NaN or Inf {when}: "
            f"{percent(share)} of the values" + (" of the first" if len(names) > 1 else "") + made,
            where=run.layer_place(layer, op=PARAMETER),
            first_step=first,
            evidence=(
                Evidence(signal="non-finite-weights", value=share, limit=0, steps=(first,)),
            ),
            remedies=(
                Remedy(name="mend-initialisation", text="Look at what fills it: a division by a "
                       "norm that may be zero, torch.empty, or the checkpoint it is loaded from."),
            ),
        )  # fmt: skip

    def _was_before(self, run: Training, name: str, step: int) -> bool:
        """Whether nothing in the training up to that step can have broken it."""
        if step == 0 and not name.endswith(STATISTICS):
            return True
        losses, norms = run.series("loss"), run.series("gradient-norm")
        data = any(series.values.any() for series in run.places("non-finite-share").values())
        bad = [s for s in (losses, norms) if not np.isfinite(s.values[s.steps < step]).all()]
        loss = losses.at(step)
        is_finite = loss is not None and np.isfinite(loss)
        return not bad and not data and bool(is_finite)

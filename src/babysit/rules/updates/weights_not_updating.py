from __future__ import annotations

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.measures import layers_of, values_changed
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Parameter, Training
from babysit.series import start_of_end
from babysit.text import count
from babysit.wiring import PARAMETER, Node, chain


class WeightsNotUpdating(Rule):
    """The training runs, and no weight ever changes.

    Why it matters:
        Everything is computed and nothing is learnt: the loss only shows the noise of the data.

    How it decides:
        One of four facts: backward ran and no optimizer stepped nor did a value change; the
        optimizer holds parameters that the loss does not reach (of an earlier model); it steps
        when no gradient is there (before backward, or after clearing; or none of the loss's
        backwards reaches what it holds), from the start or from some step to the end; every
        learning rate is zero throughout.

    What to do:
        ``optimizer.zero_grad()``, ``loss.backward()``, ``optimizer.step()``, in this order, with
        an optimizer of the very model that is trained, whose output goes into the loss as it is.

    When it is wrong:
        A rate that ends at zero by schedule, a few skipped steps (``GradScaler``) and frozen
        parts are not reported. Gradients taken for other ends than training (saliency,
        attacks) reach an input and are left alone.
    """

    since = "0.1"
    severity = "error"
    needs = ("loss",)
    remedies = ("call-step", "rebuild-optimizer", "reorder-step", "keep-the-graph", "raise-lr")
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-low",
        "collapsed-outputs",
        "unexpected-initial-loss",
        "class-imbalance",
        "unnormalised-targets",
    )
    min_steps = threshold(
        default=8, unit="steps", why="accumulation over more than 8 backwards has stepped once"
    )
    min_share = threshold(
        default=0.9, unit="share of steps", why="healthy trainings have gradients at every step"
    )
    min_late_share = threshold(
        default=0.2, unit="share of the run", why="a fifth of it without an update is no accident"
    )
    examples = (
        sick(loss=[1.0] * 20, facts={"backwards_without_step": 20}, steps=0),
        sick(loss=[1.0] * 20, without_gradient=[1.0] * 20),
        sick(loss=[1.0] * 20, learning_rate=[0.0]),
        sick(
            loss=[1.0] * 20, without_gradient=[1.0] * 20,
            parameters=[Parameter(name="G"), Parameter(name="D", is_own=False)],
            wiring=chain(Node(op=PARAMETER, parameter="D"), Node(op="Addmm")),
        ),
        healthy(loss=[1.0] * 20, learning_rate=[0.1, *[0.1] * 18, 0.0]),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The ways, the most telling first."""
        for way in (self._never_stepped, self._stale, self._no_gradient, self._zero_rate):
            if finding := way(run):
                yield finding
                return

    def _never_stepped(self, run: Training) -> Finding | None:
        backwards = run.facts.get("backwards_without_step", 0)
        if backwards < self.min_steps or any(not p.is_parameter for p in run.parameters.values()):
            return None
        return self._finding(
            f"backward ran {count(backwards, 'time')}, but no optimizer stepped and no parameter "
            "changed",
            Evidence(signal="backwards", value=backwards, limit="a step"),
            Remedy(name="call-step", text="Call optimizer.step() after backward()."),
            run.source("backward"),
        )

    def _stale(self, run: Training) -> Finding | None:
        trained = [parameter for parameter in run.reached if parameter.trainable]
        if not run.optimizers or not trained or any(p.optimized for p in trained):
            return None
        is_unused = any(p.optimized and p.in_model for p in run.parameters.values())
        if is_unused or run.steps < self.min_steps or run.facts.get("is_adversarial"):
            return None  # unused parameters of its own: parameters-without-gradient
        if any(values_changed(run, parameter.name) for parameter in trained):
            return None
        return self._finding(
            "the optimizer holds other parameters than the model that is trained: the loss "
            f"reaches {layers_of(trained)}, and none of it is in the optimizer",
            Evidence(signal="wiring", value=f"{len(trained)} parameters", limit="in the optimizer"),
            Remedy(name="rebuild-optimizer", text="Make the optimizer after the model, from the "
                   "parameters of this very model."),
            run.optimizers[0].place,
        )  # fmt: skip

    def _no_gradient(self, run: Training) -> Finding | None:
        missing = run.series("without-gradient")
        is_used = not run.reached or any(parameter.optimized for parameter in run.reached)
        start = start_of_end(missing, run.series("loss"), self.min_share)
        num_late = run.steps - start if start is not None and is_used else 0
        if start is None or num_late < max(self.min_steps, self.min_late_share * run.steps):
            return None
        if run.reached and not any(parameter.is_own for parameter in run.reached):
            return self._elsewhere(run, len(missing))
        since = f"since step {start:,} " if start >= self.min_steps else ""
        return self._finding(
            f"{since}the optimizer stepped {count(num_late, 'time')} without any gradient: "
            "it steps before backward, or after zero_grad",
            Evidence(signal="without-gradient", value=len(missing), limit=0),
            Remedy(name="reorder-step", text="Use the order optimizer.zero_grad(), "
                   "loss.backward(), optimizer.step()."),
            run.source("backward"),
            first_step=start,
        )  # fmt: skip

    def _elsewhere(self, run: Training, num_missing: int) -> Finding:
        """Backward ran as it should, through other parameters than this optimizer's."""
        held = layers_of(p for p in run.parameters.values() if p.is_own and p.optimized)
        return self._finding(
            f"backward ran {count(num_missing, 'time')}, but the loss does not depend on what its "
            f"optimizer holds ({held}): it only reaches {layers_of(run.reached)}",
            Evidence(signal="without-gradient", value=num_missing, limit=0),
            Remedy(name="keep-the-graph", text=f"Build this loss from what {held} give in this "
                   "very step: no .detach(), .data or torch.no_grad() in between, no stored copy. "
                   "Or give the optimizer the parameters that this loss is meant to train."),
            run.loss_place or run.source("backward"),
        )  # fmt: skip

    def _zero_rate(self, run: Training) -> Finding | None:
        rates = [series.values for series in run.places("learning-rate").values()]
        if not rates or run.steps < self.min_steps or any((r != 0).any() for r in rates):
            return None
        return self._finding(
            f"the learning rate was 0 in all {run.steps:,} steps",
            Evidence(signal="learning-rate", value=0.0, limit="above 0"),
            Remedy(name="raise-lr", text="Give the optimizer a learning rate above 0."),
            run.source_of_rate(),
        )

    def _finding(
        self,
        message: str,
        evidence: Evidence,
        remedy: Remedy,
        where: Place | None,
        first_step: int = 0,
    ) -> Finding:
        return Finding(
            severity=self.severity, confidence=0.98, message=message, where=where,
            first_step=first_step, evidence=(evidence,), remedies=(remedy,),
        )  # fmt: skip

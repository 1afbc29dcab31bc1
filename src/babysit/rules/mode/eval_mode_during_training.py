from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, percent
from babysit.wiring import DROPOUT, strongest_dropout


class EvalModeDuringTraining(Rule):
    """The model is in eval mode while it trains: dropout and batch norm are off.

    Why it matters:
        Dropout no longer regularises, and batch norm uses and no longer updates its running
        statistics. Usually ``model.eval()`` was called for an evaluation and never taken back.

    How it decides:
        At backward the outermost model and all its dropout and batch norm layers are in eval
        mode, in most steps or in all steps since an evaluation. Or dropout was on in every sampled
        step until an evaluation and in none after it.

    What to do:
        Call ``model.train()`` at the start of every epoch, or after each evaluation.

    When it is wrong:
        Batch norm that is kept in eval mode while the model trains (fine-tuning, detection) is
        intended and not reported, nor is eval mode of a model without such layers.
    """

    since = "0.1"
    severity = "error"
    needs = ("loss", "wiring")
    remedies = ("call-train",)
    explains = (
        "overfitting", "loss-not-decreasing", "batch-norm-stale-statistics",
        "learning-rate-too-low", "collapsed-outputs", "underfitting", "vanishing-gradients",
    )  # fmt: skip
    min_steps = threshold(
        default=5, unit="steps in a row", why="a probe of a few steps in eval mode may be meant"
    )
    min_samples = threshold(
        default=3, unit="sampled steps with dropout, and without", why="a choice: no chance change"
    )
    examples = (
        sick(loss=[1.0] * 40, model_in_eval_mode=dict.fromkeys(range(10, 40), 1.0),
             in_eval_mode=dict.fromkeys(range(10, 40), 1.0), wiring=None),
        healthy(loss=[1.0] * 40, in_eval_mode=dict.fromkeys(range(40), 0.5)),
        sick(loss=[1.0] * 40, active_dropouts=[2] * 5 + [0] * 5, facts={"runs_evaluations": True}),
        healthy(loss=[1.0] * 40, active_dropouts=[2] * 10, facts={"runs_evaluations": True}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Steps in which everything was in eval mode, to the end; else dropout that stopped."""
        matrices = [p.name for p in run.parameters.values() if len(p.shape) > 1]
        updates = [run.series("update-rms", name).values for name in matrices]
        if matrices and not any((values > 0).any() for values in updates):
            return  # what is trained stands beside the model, such as a temperature
        model = set(run.series("model-in-eval-mode").steps.tolist())
        layers = run.series("in-eval-mode")
        off = sorted(model & set(layers.steps[layers.values >= 1].tolist()))
        stopped = self._dropout_stopped(run)
        if len(off) >= self.min_steps and off[-1] >= run.steps - 1 - self.min_steps:
            share = len(off) / run.steps
            if share >= 0.5 or len(off) / (run.steps - off[0]) >= 0.9:
                yield self._in_eval(run, off)
        elif stopped is not None and not model:
            yield self._stopped(run, stopped)

    def _in_eval(self, run: Training, off: list[int]) -> Finding:
        share = len(off) / run.steps
        since = "from the first step" if off[0] == 0 else f"since step {off[0]:,}"
        return Finding(
            severity=self.severity,
            confidence=0.97,
            message=f"the model trains in eval mode {since} ({count(len(off), 'step')}, "
            f"{percent(share)}): dropout and batch norm are off",
            where=run.source("eval") or run.source("backward"),
            first_step=off[0],
            last_step=off[-1],
            evidence=(
                Evidence(signal="in-eval-mode", value=round(share, 3), limit=0.0,
                         steps=(off[0], off[-1])),
            ),
            remedies=(
                Remedy(name="call-train", text="Call model.train() at the start of every epoch, or "
                       "right after each evaluation that called model.eval().",
                       change={"name": "set-mode", "mode": "train"}),
            ),
        )  # fmt: skip

    def _dropout_stopped(self, run: Training) -> int | None:
        """The first sampled step without dropout, where all before had it and none after."""
        active = run.series("active-dropouts")
        is_on = active.values > 0
        num_on = int(is_on.sum())
        is_cut = is_on[:num_on].all() and not is_on[num_on:].any()
        is_evaluated = run.facts.get("runs_evaluations") or run.has("eval-loss")
        if not is_cut or not is_evaluated or min(num_on, len(active) - num_on) < self.min_samples:
            return None
        return int(active.steps[num_on])

    def _stopped(self, run: Training, step: int) -> Finding:
        active = run.series("active-dropouts")
        return Finding(
            severity="warning",
            confidence=0.85,
            message=f"dropout is off since step {step:,} at the latest ("
            f"{count(int(active.first), 'dropout')} at first): an evaluation has switched it off "
            "for good, although the model is in train mode again",
            where=next((strongest_dropout(w) for w in run.wirings if any(w.find({DROPOUT}))), None),
            first_step=step,
            evidence=(
                Evidence(signal="active-dropouts", value=0.0, limit=active.first,
                         steps=(step, int(active.steps[-1]))),
            ),
            remedies=(
                Remedy(name="call-train", text="Let the rate depend on `self.training` anew in "
                       "each call, and never overwrite it."),
            ),
        )  # fmt: skip

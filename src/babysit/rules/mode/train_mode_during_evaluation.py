from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.measures import is_bounded_below
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count


class TrainModeDuringEvaluation(Rule):
    """The model is evaluated with dropout and batch norm in train mode.

    Why it matters:
        Dropout throws away units of the very predictions that are judged, and batch norm takes
        its statistics from the evaluated batch and mixes them into those that it has learnt. The
        measured quality is too low, changes from call to call, and steers decisions wrongly.

    How it decides:
        Where the trained model is called without gradients, or on a loader's data that no backward
        uses, the modes of its dropout (p above 0) and batch norm layers are read. Layers in train
        mode are reported when the calls look like an evaluation: the answer is used, and no input
        is given again and again.

    What to do:
        Call ``model.eval()`` before evaluating and ``model.train()`` when training goes on.

    When it is wrong:
        Monte Carlo dropout (the same input several times), batch norm re-estimated by passes whose
        answer is thrown away, opponents (GAN), pseudo-labels made without gradients in every
        step, and copies of the model (teachers, averages) are left alone.
    """

    since = "0.1"
    severity = "error"
    needs = ("evaluation-in-train-mode",)
    remedies = ("call-eval",)
    explains = ("overfitting", "underfitting", "early-stopping-missed", "train-validation-mismatch",
                "batch-norm-stale-statistics", "dropout-too-strong")  # fmt: skip
    max_repeats = threshold(
        default=2, unit="passes of one input per evaluation",
        why="Monte Carlo programs give an input 10 to 50 times; a loss and an accuracy take two",
    )  # fmt: skip
    examples = (
        sick(loss=[1.0, 0.9] * 20, eval_loss={"t.py:30": {20: 0.9, 40: 0.8}},
             evaluation_in_train_mode={"t.py:29": {20: 1.0, 40: 1.0}}),
        healthy(loss=[1.0, 0.9] * 20, evaluation_in_train_mode={"t.py:29": {20: 0.0, 40: 0.0}}),
        healthy(loss=[1.0, 0.9] * 20, evaluation_in_train_mode={"t.py:29": {40: 1.0}},
                facts={"evaluation_sites": {"t.py:29": {"repeats": 8}}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Lines that evaluate the model in train mode, the most frequent first."""
        sites = run.facts.get("evaluation_sites", {})
        if run.facts.get("is_adversarial"):
            return
        found = {
            name: series.steps[series.values > 0]
            for name, series in run.places("evaluation-in-train-mode").items()
            if (series.values > 0).any() and not self._is_meant(sites.get(name, {}))
        }
        found = {name: at for name, at in found.items() if not self._is_part_of_step(run, at)}
        if not found:
            return
        name = max(found, key=lambda site: len(found[site]))
        has_metric = bool(run.places("eval-loss") or run.places("eval-accuracy"))
        if not has_metric and not is_bounded_below(run):
            return  # samples of a policy or a density, not an evaluation
        yield self._finding(name, sites.get(name, {}), found[name], has_metric=has_metric)

    def _is_meant(self, site: Mapping[str, Any]) -> bool:
        """Monte Carlo passes, or passes for their side effect."""
        return bool(site.get("repeats", 1) > self.max_repeats or site.get("is_discarded"))

    @staticmethod
    def _is_part_of_step(run: Training, steps: Any) -> bool:
        """Calls at every step whose answer is no metric: targets for the training itself."""
        distinct = np.unique(steps)
        metrics = [*run.places("eval-loss").values(), *run.places("eval-accuracy").values()]
        if any(np.isin(distinct, series.steps).mean() >= 0.5 for series in metrics):
            return False
        return int((np.diff(distinct) == 1).sum()) >= 3

    def _finding(
        self, name: str, site: Mapping[str, Any], steps: Any, *, has_metric: bool
    ) -> Finding:
        layer, kind = site.get("layer"), site.get("kind", "dropout or batch norm")
        which = f"`{layer}` ({kind})" if layer else kind
        whole = site.get("whole_model", True)
        what = "the model is" if whole else "part of the model is"
        return Finding(
            severity=self.severity if has_metric else "warning",
            confidence=0.96 if has_metric else 0.8,
            message=f"{what} in train mode while it is evaluated at {name}"
            f" ({count(len(np.unique(steps)), 'evaluation')} seen): {which} acts as in training",
            where=Place(layer=layer, file=site.get("file"), line=site.get("line"),
                        code=site.get("code")),
            first_step=int(steps[0]),
            last_step=int(steps[-1]),
            evidence=(
                Evidence(signal="evaluation-in-train-mode", value="train", limit="eval",
                         steps=(int(steps[0]), int(steps[-1]))),
            ),
            remedies=(
                Remedy(name="call-eval", text="Call model.eval() before evaluating, and "
                       "model.train() before training goes on."
                       + ("" if whole else " Some layer was put back into train mode.")),
            ),
        )  # fmt: skip

from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course, is_bounded_below, update_ratios, weights
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Parameter, Training
from babysit.text import number, percent

LAYERS = tuple(
    Parameter(name=f"{layer}.weight", shape=(8, 8), layer=layer) for layer in ("fc1", "fc2")
)


class UpdateRatioImbalanced(Rule):
    """Layers of one net learn at speeds that differ by orders of magnitude.

    Why it matters:
        A layer whose weights change by a millionth of their size in a step is a random
        projection that stays one, while the layers behind it race.

    How it decides:
        The update relative to the weight, typical over the training, differs between two weight
        matrices by a factor of thousands; the slower one moved by less than a hundredth of its
        size in the whole training, although it gets a gradient; and the loss is not yet low.

    What to do:
        Give all layers comparable rates; check the parameter groups, and the initial scale of
        the slow layer.

    When it is wrong:
        Loaded weights may be tuned with a tiny rate on purpose and are not reported, nor are
        layers that begin at zero, frozen ones and embeddings.
    """

    since = "0.1"
    severity = "advice"
    needs = ("loss", "update-rms", "gradient-rms")
    remedies = ("balance-rates",)
    explains = ("underfitting", "training-too-short")
    min_imbalance = threshold(
        default=1000,
        unit="times",
        why="layers of 61 healthy programs differ by 7 times mostly, by 475 at most (branches "
        "that begin at zero); 25,000 in the sick clinic",
    )
    max_travel = threshold(
        default=0.01,
        unit="share of the weights' size",
        why="the layer of 61 healthy programs that moved least moved by 0.09 of its size, fine- "
        "tuned",
    )
    min_loss = threshold(
        default=0.1, unit="share of the first loss", why="below this the net has learnt anyway"
    )
    min_steps = threshold(default=100, unit="steps", why="a short trial moves nothing far")
    examples = (
        sick(
            parameters=LAYERS,
            loss=[2.3 * 0.998**step for step in range(300)],
            update_rms={"fc1.weight": [1e-8] * 9, "fc2.weight": [1e-3] * 9},
            weight_rms={"fc1.weight": [0.1] * 9, "fc2.weight": [0.1] * 9},
            gradient_rms={"fc1.weight": [1e-3] * 9, "fc2.weight": [1e-2] * 9},
        ),
        healthy(
            parameters=LAYERS,
            loss=[2.3 * 0.998**step for step in range(300)],
            update_rms={"fc1.weight": [2e-5] * 9, "fc2.weight": [1e-3] * 9},
            weight_rms={"fc1.weight": [0.1] * 9, "fc2.weight": [0.1] * 9},
            gradient_rms={"fc1.weight": [1e-3] * 9, "fc2.weight": [1e-2] * 9},
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """The slowest against the fastest."""
        loss = course(run.series("loss").values)
        if loss is None or run.steps < self.min_steps or not is_bounded_below(run):
            return
        if run.facts.get("has_loaded_weights") or loss.end < self.min_loss * loss.start:
            return
        ratios = {
            name: values
            for name, values in update_ratios(run).items()
            if self._counts(run, name) and len(values) >= 4
        }
        if len(ratios) < 2:
            return
        typical = {name: float(np.median(values)) for name, values in ratios.items()}
        slow, fast = min(typical, key=typical.__getitem__), max(typical, key=typical.__getitem__)
        imbalance = typical[fast] / max(typical[slow], 1e-15)
        travel = float(np.mean(ratios[slow])) * run.steps
        if imbalance < self.min_imbalance or travel > self.max_travel or typical[fast] < 1e-4:
            return
        known = weights(run)
        names = [known[name].layer or name for name in (slow, fast)]
        yield Finding(
            severity=self.severity,
            confidence=0.8,
            message=f"layer `{names[0]}` changes by {number(typical[slow])} of its size in a step, "
            f"`{names[1]}` by {number(typical[fast])}, {number(imbalance)} times as much: in "
            f"{run.steps:,} steps `{names[0]}` moved by {percent(travel)} in all",
            where=run.layer_place(names[0]),
            evidence=(
                Evidence(signal="update-ratio", value=typical[slow], limit=typical[fast]),
                Evidence(signal="imbalance", value=imbalance, limit=self.min_imbalance),
            ),
            remedies=(
                Remedy(name="balance-rates", text="Give the layers comparable learning rates "
                       "(check the parameter groups), or bring the weights to a usual scale."),
            ),
        )  # fmt: skip

    def _counts(self, run: Training, name: str) -> bool:
        """Weights that began at a size, get a gradient and are the optimizer's."""
        sizes, gradients = run.series("weight-rms", name), run.series("gradient-rms", name)
        grew = len(sizes) > 0 and sizes.values.max() > 10 * max(sizes.first, 1e-12)
        return (
            run.parameters[name].optimized
            and not grew
            and len(gradients) > 0
            and bool((gradients.values > 0).all())
        )

from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import course, median, update_ratios, weights
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Parameter, Training
from babysit.text import number

DEEP = tuple(Parameter(name=f"layers.{i}.weight", shape=(8, 8)) for i in range(8))


class VanishingGradients(Rule):
    """Gradients shrink with depth until the early layers do not learn.

    Why it matters:
        Each saturating layer multiplies the gradient by less than one (a sigmoid by a quarter
        at best). After a few of them nothing arrives: the early layers keep their random
        weights, and the later ones learn from noise.

    How it decides:
        The gradient of the first weight matrices is smaller than that of the last by orders of
        magnitude at most sampled steps, *and* the early weights hardly move, or the loss does
        not fall.

    What to do:
        ReLU (or GELU) instead of sigmoid or tanh, He initialisation, batch or layer
        normalisation, residual connections.

    When it is wrong:
        Adaptive optimizers rescale small gradients and may learn all the same; then the weights
        do move and the loss falls, which is not reported. Embeddings, frozen weights and
        layers that begin at zero on purpose are left out.
    """

    since = "0.1"
    severity = "warning"
    needs = ("gradient-rms",)
    remedies = ("replace-activation", "reinitialise", "add-normalisation")
    explains = (
        "loss-not-decreasing",
        "learning-rate-too-low",
        "collapsed-outputs",
        "update-ratio-imbalanced",
        "activations-not-zero-centred",
        "underfitting",
    )
    min_layers = threshold(default=3, unit="weight matrices", why="with fewer nothing can decay")
    max_ratio = threshold(
        default=1e-3,
        unit="first / last gradient",
        why="51 healthy programs stay above 0.04; ten sigmoid layers give 1e-5",
    )
    max_update = threshold(
        default=1e-5,
        unit="update / weight",
        why="a hundredth of the usual 1e-3: a thousand steps would move the weight by one per cent",
    )
    examples = (
        sick(
            parameters=DEEP,
            gradient_rms={f"layers.{i}.weight": [10.0 ** (i - 8)] * 9 for i in range(8)},
            weight_rms={f"layers.{i}.weight": [0.3] * 9 for i in range(8)},
            update_rms={f"layers.{i}.weight": [10.0 ** (i - 10)] * 9 for i in range(8)},
        ),
        healthy(
            parameters=DEEP,
            gradient_rms={f"layers.{i}.weight": [0.01 + 0.01 * i] * 9 for i in range(8)},
        ),
    )

    def check(self, run: Training) -> Conclusions:
        """Compare the first weights' gradients with the last ones'."""
        names = [n for n in weights(run) if len(run.series("gradient-rms", n)) >= 3]
        if len(names) < self.min_layers:
            return
        sizes = {name: median(run.series("gradient-rms", name)) for name in names}
        third = max(1, len(names) // 3)
        early = min(names[:third], key=lambda name: sizes[name])
        late = max(sizes[name] for name in names[-third:])
        if late <= 0 or not 0 < sizes[early] / late < self.max_ratio:
            return
        ratio = sizes[early] / late
        updates = update_ratios(run).get(early, np.array([]))
        update = float(np.median(updates)) if len(updates) else 0.0
        loss = course(run.series("loss").values)
        is_stuck = loss is not None and not loss.falls
        if update > self.max_update and not is_stuck:
            return
        yield Finding(
            confidence=0.9 if update <= self.max_update else 0.75,
            message=f"gradients vanish on the way to `{run.parameters[early].layer or early}`: "
            f"they are {number(1 / ratio)} times smaller there than in the last layers, and one "
            f"step changes its weights by {number(update)} of their size",
            where=run.layer_place(run.parameters[early].layer or early),
            evidence=(
                Evidence(signal="gradient-ratio", value=ratio, limit=self.max_ratio),
                Evidence(signal="update-ratio", value=update, limit=self.max_update),
            ),
            remedies=(
                Remedy(name="replace-activation", text="Use ReLU or GELU between the layers, "
                       "with He initialisation, instead of sigmoid or tanh."),
                Remedy(name="add-normalisation", text="Or add batch or layer normalisation, or "
                       "residual connections, so that the gradient has a way past the layers."),
            ),
        )  # fmt: skip

from __future__ import annotations

import numpy as np

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import listing, percent


class BatchNormStaleStatistics(Rule):
    """The running statistics of batch norm do not match the data.

    Why it matters:
        In eval mode batch norm uses its running mean and variance. Where these are still those of
        initialisation, the evaluated network is another one than the trained, and looks bad.

    How it decides:
        Late in the training the statistics of the batches are compared with the running ones
        (Kullback-Leibler divergence, mean over channels). They are reported where they differ much
        *and* a good part of the initial statistics is still in them: momentum 0 or tiny, or
        layers kept in eval mode that never saw data.

    What to do:
        ``momentum=0.1``, PyTorch's default (other frameworks write 0.9 for the same), and train
        mode while training.

    When it is wrong:
        Pretrained statistics kept on purpose, and statistics that lag behind by the usual
        momentum, are not reported. Nor are short runs.
    """

    since = "0.1"
    severity = "warning"
    needs = ("batch-norm-mismatch",)
    remedies = ("raise-norm-momentum",)
    explains = ("overfitting", "underfitting", "early-stopping-missed",
                "train-validation-mismatch")  # fmt: skip
    max_mismatch = threshold(
        default=0.15, unit="nats, beside the noise of 2 over the number of values",
        why="healthy programs end at 0.0005 to 0.022, the sick clinic lies at 0.22 to 0.38",
    )  # fmt: skip
    max_start_left = threshold(
        default=0.1, unit="share of the first statistics",
        why="at the usual momentum of 0.1 less is left after 22 updates",
    )  # fmt: skip
    min_steps = threshold(default=40, unit="steps", why="0.015 is left at the usual momentum")
    examples = (
        sick(loss=[1.0] * 200, batch_norm_mismatch={"norm": {5: 3.0, 100: 3.0, 190: 2.5}},
             batch_norm_start_left={"norm": {5: 0.99, 100: 0.9, 190: 0.82}}),
        healthy(loss=[1.0] * 200, batch_norm_mismatch={"norm": {5: 3.0, 100: 0.1, 190: 0.1}},
                batch_norm_start_left={"norm": {5: 0.6, 100: 0.0, 190: 0.0}}),
        healthy(loss=[1.0] * 200, batch_norm_mismatch={"norm": {5: 3.0, 100: 3.0, 190: 3.0}},
                batch_norm_start_left={"norm": {5: 0.0, 100: 0.0, 190: 0.0}}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Layers whose last samples show both: old statistics, and others in the data."""
        if run.steps < self.min_steps or run.facts.get("is_adversarial"):
            return
        found = {}
        for layer, series in run.places("batch-norm-mismatch").items():
            late = series.since(run.steps // 2)
            left = run.series("batch-norm-start-left", layer)
            is_old = len(left) > 0 and left.last > self.max_start_left
            sizes = run.series("batch-norm-values", layer)
            limit = self.max_mismatch + (2 / sizes.last if len(sizes) else 0.0)
            if is_old and len(late) and float(np.median(late)) > limit:
                found[layer] = float(np.median(late))
        if not found:
            return
        layer = max(found, key=lambda name: found[name])
        left = run.series("batch-norm-start-left", layer)
        others = f" ({listing(f'`{name}`' for name in found)} alike)" if len(found) > 1 else ""
        yield Finding(
            severity=self.severity,
            confidence=0.92,
            message=f"the running statistics of batch norm `{layer}` do not match the data: "
            f"{percent(left.last)} of them is still the initial mean 0 and variance 1 after "
            f"{run.steps:,} steps{others}",
            where=run.layer_place(layer, op="NativeBatchNorm"),
            evidence=(
                Evidence(signal="batch-norm-mismatch", value=round(found[layer], 3),
                         limit=self.max_mismatch, steps=(int(left.steps[-1]),)),
                Evidence(signal="batch-norm-start-left", value=round(left.last, 4),
                         limit=self.max_start_left, steps=(int(left.steps[-1]),)),
            ),
            remedies=(
                Remedy(name="raise-norm-momentum", text="Use momentum=0.1 (PyTorch's default: the "
                       "share of the new batch), and keep the layer in train mode."),
            ),
        )  # fmt: skip

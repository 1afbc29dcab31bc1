from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count, listing


class BatchNormTinyBatch(Rule):
    """Batch norm takes its statistics from a handful of values.

    Why it matters:
        Mean and variance of two to four values are mostly chance: every example is shifted and
        scaled at random, the training is noisy, and evaluations, which use the running
        statistics, see another network than the one that was trained.

    How it decides:
        Values per channel (examples × pixels) of each batch norm in train mode, the median over
        the sampled steps: one small last batch does not count.

    What to do:
        Larger batches, or a norm that does not look at the batch (GroupNorm, LayerNorm), or
        pretrained batch norms kept in eval mode. Accumulating gradients does not help: each part
        is normalised by itself.

    When it is wrong:
        Deep layers of a detector see few pixels of few images by design; they suffer all the same,
        if less where most layers see many.
    """

    since = "0.1"
    severity = "warning"
    needs = ("batch-norm-values",)
    remedies = ("raise-batch-size", "replace-norm")
    explains = ("loss-oscillating", "batch-size-too-small", "gradient-spikes",
                "batch-norm-stale-statistics", "underfitting", "overfitting")  # fmt: skip
    max_values = threshold(
        default=4, unit="values per channel",
        why="programs of the ward average 32 to 5,000 values; the sick clinic 2",
    )  # fmt: skip
    min_samples = threshold(
        default=4, unit="samples", why="a check with one small batch at the start is no training"
    )
    examples = (
        sick(batch_norm_values={"norm": [2.0] * 8}),
        healthy(batch_norm_values={"norm": [32.0] * 8}),
        healthy(batch_norm_values={"norm": [32.0, 2.0, 32.0, 32.0, 32.0]}),
    )

    def check(self, run: Training) -> Conclusions:
        """Layers that average a handful of values in most samples."""
        tiny = {
            layer: series
            for layer, series in run.places("batch-norm-values").items()
            if len(series) >= self.min_samples and median(series) <= self.max_values
        }
        if not tiny:
            return
        layer, series = next(iter(tiny.items()))
        size = int(median(series))
        others = f" ({listing(f'`{name}`' for name in tiny)} alike)" if len(tiny) > 1 else ""
        yield Finding(
            severity=self.severity,
            confidence=0.9,
            message=f"batch norm `{layer}` takes mean and variance from "
            f"{count(size, 'value')} per channel{others}",
            where=run.layer_place(layer, op="NativeBatchNorm"),
            evidence=(
                Evidence(signal="batch-norm-values", value=size, limit=self.max_values,
                         steps=(int(series.steps[0]), int(series.steps[-1]))),
            ),
            remedies=(
                Remedy(name="raise-batch-size", text="Use a batch size of 16 or more."),
                Remedy(name="replace-norm", text="Or use nn.GroupNorm or nn.LayerNorm, which do "
                       "not look at the batch."),
            ),
        )  # fmt: skip

from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import count


class RankDataDuplicated(Rule):
    """Every rank trains on the same examples.

    Why it matters:
        All ranks compute the same gradient, and their average is that gradient again: many
        processors do the work of one, and an epoch takes as long as before.

    How it decides:
        Each rank leaves a print of the batch that its model was given in the store of the process
        group at steps 0, 1, 2, 4, 8 …. Reported when all ranks had the same at every compared
        step, while batches change from step to step.

    What to do:
        Give the DataLoader a ``DistributedSampler`` (and call its ``set_epoch``), or choose
        indices by rank: ``data[rank::world_size]``.

    When it is wrong:
        Ranks that split one model (tensor or pipeline parallel) share batches by design; only
        weights replicated over all ranks are examined. A whole graph or table given at every step
        does not change and is left alone.
    """

    since = "0.1"
    severity = "error"
    needs = ("rank-batches-equal",)
    remedies = ("distribute-data",)
    explains = ("repeated-batches", "overfitting")
    min_steps = threshold(
        default=3,
        unit="compared steps",
        why="two ranks with different batches of floats never agree; three times is no accident "
        "even with small vocabularies",
    )
    examples = (
        sick(rank_batches_equal={1: 1, 2: 1, 3: 1, 5: 1}),
        healthy(rank_batches_equal={1: 0, 2: 0, 3: 0, 5: 0}),
        healthy(rank_batches_equal={1: 1, 2: 0, 3: 0, 5: 0}),
    )

    def check(self, run: Training) -> Conclusions:
        """All comparisons say the same."""
        series = run.series("rank-batches-equal")
        if len(series) < self.min_steps or not series.values.all():
            return
        steps = series.steps.tolist()
        yield Finding(
            severity=self.severity,
            confidence=0.95,
            message="all ranks trained on the same batch in "
            f"{count(len(steps), 'compared step')} of {len(steps)}",
            where=run.source("backward"),
            first_step=steps[0],
            evidence=(
                Evidence(signal="rank-batches-equal", value=1.0, limit="differ",
                         steps=tuple(steps[:4])),
            ),
            remedies=(
                Remedy(name="distribute-data", text="Give the DataLoader sampler="
                       "DistributedSampler(dataset) instead of shuffle=True, and call "
                       "sampler.set_epoch(epoch); or take data[rank::world_size]."),
            ),
        )  # fmt: skip

from __future__ import annotations

from babysit.criteria import AFTERMATH
from babysit.findings import Evidence, Finding, Remedy
from babysit.measures import median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import percent


class BatchMixing(Rule):
    """The output for one example depends on the other examples of the batch.

    Why it matters:
        A ``view`` where a ``permute`` was meant, a recurrent layer that takes the batch for time,
        a softmax or mean over dimension 0: shapes fit, the loss falls a little, and the model
        reads the wrong examples. In use, with other neighbours, it answers differently.

    How it decides:
        By an experiment: the gradient of some examples' outputs, along random directions, by the
        inputs of all examples of the batch, in evaluation mode. By the others it is exactly zero
        where they are kept apart. The most influenced example counts: one that a recurrence reads
        first is influenced by none.

    What to do:
        Follow the shapes through the model by name; ``batch_first=True`` for recurrent layers,
        ``permute`` instead of ``view``, ``dim=-1`` for softmax.

    When it is wrong:
        Batch norm in training mode mixes examples by design; the experiment runs in evaluation
        mode. Models that compare the examples of a batch on purpose (graphs, set models) are told
        by the same neighbours at every step, or by arguments of another length, and not judged.
    """

    since = "0.1"
    severity = "error"
    needs = ("cross-example-influence",)
    remedies = ("keep-examples-apart",)
    explains = (*AFTERMATH, "train-validation-mismatch", "input-ignored")
    max_influence = threshold(
        default=0.01, unit="share of an example's own influence",
        why="exactly 0 on all of 307 healthy programs; 0.07 to 2.3 on four sick ones",
    )  # fmt: skip
    examples = (
        sick(cross_example_influence=[0.4]),
        healthy(cross_example_influence=[2e-7]),
    )

    def check(self, run: Training) -> Conclusions:
        """Compare the measured influence with rounding."""
        influence = median(run.series("cross-example-influence"))
        if not influence > self.max_influence:
            return
        yield Finding(
            severity=self.severity,
            confidence=0.95,
            message="an example's output hangs on the other examples of its batch, by "
            f"{percent(influence)} of what it does on its own input",
            where=run.source("backward"),
            evidence=(
                Evidence(signal="cross-example-influence", value=influence,
                         limit=self.max_influence),
            ),
            remedies=(
                Remedy(
                    name="keep-examples-apart",
                    text="Look for `view` in place of `permute`, a recurrent layer without "
                    "`batch_first=True`, softmax or mean over dimension 0.",
                ),
            ),
        )  # fmt: skip

from __future__ import annotations

from babysit.evaluations import evaluations
from babysit.findings import Evidence, Finding, Remedy, Unexamined
from babysit.measures import course, num_examples, num_weights
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Parameter, Training
from babysit.text import count, number

WIDE = Parameter(name="w", shape=(100, 300))
FEW = {
    "fed": {"Net": {"is_held": True, "again": 0.0, "known": 60, "batch": 60, "is_telling": True}}
}


class TooFewExamples(Rule):
    """The net has far more parameters than examples, and what it learns does not carry over.

    Why it matters:
        With so little evidence the net can fit every example without finding what they share.
        No other setting repairs that as well as more data.

    How it decides:
        Parameters per example, and a wide gap at the end: the validation loss is many times the
        training loss, which is near nothing, and the validation still errs.

    What to do:
        Gather or augment data; take a pretrained or smaller net; regularise.

    When it is wrong:
        Many parameters alone say nothing: large nets that generalise are not reported.
    """

    since = "0.1"
    severity = "advice"
    needs = ("loss",)
    remedies = ("more-data", "smaller-net")
    explains = ("overfitting", "early-stopping-missed")
    min_ratio = threshold(
        default=30,
        unit="parameters per example",
        why="9 healthy programs whose examples could be counted have 16 at most; 60 digits "
        "for 19,210 weights give 320",
    )
    max_examples = threshold(
        default=1000, unit="examples", why="beyond it few small programs are short of examples"
    )
    min_gap = threshold(
        default=10,
        unit="validation loss over training loss",
        why="no separate proof: one healthy program reaches 26 near zero loss, so the ratio "
        "and the next limit must hold too; 60 digits give 287",
    )
    min_loss = threshold(
        default=0.15,
        unit="share of the first loss",
        why="healthy digits end at 0.05 of the first loss at most; 60 digits at 0.21",
    )
    examples = (
        sick(loss=[2.3 * 0.95**i for i in range(200)], eval_loss={"a": [1.0, 0.6, 0.5]},
             parameters=[WIDE], facts=FEW),
        healthy(loss=[2.3 * 0.95**i for i in range(200)], eval_loss={"a": [1.0, 0.2, 0.05]},
                parameters=[WIDE], facts=FEW),
        healthy(loss=[2.3 * 0.99**i for i in range(200)], eval_loss={"a": [1.0, 0.6, 0.5]},
                parameters=[WIDE], facts=FEW),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Ratio first, then the gap of the best evaluation."""
        examples, weights = num_examples(run), num_weights(run)
        streams = {n: s for n, s in evaluations(run).items() if n in run.places("eval-loss")}
        if not examples or not streams:
            yield Unexamined(reason="the number of examples or a validation loss is not known")
            return
        loss = course(run.series("loss").values)
        ratio = weights / examples
        if loss is None or loss.end < 0 or ratio < self.min_ratio or examples > self.max_examples:
            return
        best = min(float(series.values[-3:].min()) for series in streams.values())
        if best < self.min_gap * loss.end or best < self.min_loss * loss.first:
            return
        yield Finding(
            severity="advice",
            confidence=0.8,
            message=f"{count(weights, 'parameter')} learn from {count(examples, 'example')}: the "
            f"training loss is down to {number(loss.end)}, the validation loss stays at "
            f"{number(best)}",
            where=run.source("backward"),
            evidence=(
                Evidence(signal="parameters-per-example", value=ratio, limit=self.min_ratio),
                Evidence(signal="eval-loss", value=best, limit=self.min_gap * loss.end),
            ),
            remedies=(
                Remedy(name="more-data", text="Gather more examples, or make them by augmentation "
                       "(noise, shifts, flips, crops that keep the label)."),
                Remedy(name="smaller-net", text="Take a smaller or a pretrained net, weight decay "
                       "and dropout."),
            ),
        )  # fmt: skip

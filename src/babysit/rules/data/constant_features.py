from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number


class ConstantFeatures(Rule):
    """Columns or channels of the input never change.

    Why it matters:
        A constant column says nothing. Often it tells of a fault on the way to the net: a failed
        join, a wrong index, a parser that gave zeros, a channel lost in conversion.

    How it decides:
        Over all sampled batches (200 examples at least) a column, or a channel at all
        positions, had one value. In a table one such column counts; in wide inputs such as
        pixels a fifth of them must be constant.

    What to do:
        Look at these columns in the raw data; mend their source, or drop them.

    When it is wrong:
        Border pixels, rare one-hot categories, rare words, dead units of a frozen net before
        this layer and a column of ones as an intercept are left out: where most columns rest at
        zero nothing is reported. A value constant in this data set may vary in later ones.
    """

    since = "0.1"
    severity = "advice"
    needs = ("constant-columns", "input-columns")
    remedies = ("drop-columns",)
    explains = ()
    wide = threshold(
        default=64, unit="columns", why="digits of 8 by 8 pixels have 64, three of them constant"
    )
    max_share = threshold(
        default=0.2,
        unit="share of the columns of a wide input",
        why="healthy images of digits have 5 to 10 % constant border pixels",
    )
    max_at_zero = threshold(
        default=0.5,
        unit="share of the other columns whose lowest value is zero",
        why="one-hot rows, counts, words and pixels rest at zero; standardised tables do not",
    )
    examples = (
        sick(input_columns={"0": [30.0] * 9}, constant_columns={"0": [5.0] * 9},
             columns_at_zero={"0": [0.0] * 9}),
        healthy(input_columns={"0": [64.0] * 9}, constant_columns={"0": [3.0] * 9},
                columns_at_zero={"0": [0.0] * 9}),
        healthy(input_columns={"0": [20.0] * 9}, constant_columns={"0": [2.0] * 9},
                columns_at_zero={"0": [1.0] * 9}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """First layers that read constant columns."""
        for layer, series in run.places("constant-columns").items():
            constant, total = series.last, run.series("input-columns", layer).last
            at_zero = run.series("columns-at-zero", layer)
            if (
                not constant
                or constant >= total
                or (len(at_zero) and at_zero.last > self.max_at_zero)
            ):
                continue
            if total >= self.wide and constant < self.max_share * total:
                continue
            first = run.series("first-constant-column", layer)
            example = f" (number {number(first.last)} for one)" if len(first) else ""
            yield Finding(
                severity=self.severity,
                confidence=0.8,
                message=f"{number(constant)} of the {number(total)} input columns or channels of "
                f"`{layer}` never change{example}",
                where=run.data_place(layer),
                evidence=(
                    Evidence(signal="constant-columns", value=constant, limit=0,
                             steps=(int(series.steps[0]), int(series.steps[-1]))),
                ),
                remedies=(
                    Remedy(name="drop-columns", text="Look at these columns in the raw data: mend "
                           "where they come from, or drop them."),
                ),
            )  # fmt: skip

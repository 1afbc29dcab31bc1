from __future__ import annotations

from collections.abc import Iterator

from babysit.criteria import AFTERMATH, BINARY, UNREAD, criteria
from babysit.findings import Evidence, Finding, Place, Remedy, Unexamined
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number
from babysit.wiring import Node, Wiring, chain

Case = tuple[str, Place, str, str, str]


class LabelsOutOfRange(Rule):
    """Labels lie outside the classes that the loss knows.

    Why it matters:
        Binary cross-entropy accepts any number as a target: with labels 1 and 2, or -1 and 1, it
        has no minimum, and the scores grow without end. Cross-entropy stops with an error on
        labels that are not 0 to classes - 1.

    How it decides:
        The targets of a binary cross-entropy lie below 0 or above 1; or ``cross_entropy`` or
        ``nll_loss`` raised on a label below 0 or beyond the last output.

    What to do:
        Number the classes from 0: ``labels - labels.min()``, or a mapping from names to numbers.

    When it is wrong:
        Targets between 0 and 1 are soft labels and are not reported, nor is the ``ignore_index``
        of padding. Discriminators whose smoothed labels pass 1 a little are left alone.
    """

    since = "0.1"
    severity = "error"
    needs = ()  # a call that raised leaves no graph
    remedies = ("renumber-labels",)
    explains = (*AFTERMATH, "class-imbalance", "imbalanced-output-bias", "unnormalised-targets")
    slack = threshold(
        default=0.01, unit="beyond 0 or 1",
        why="healthy binary losses, two of the ward and three more, run from 0 to 1 "
        "exactly; labels counted from 1 leave it by 1",
    )  # fmt: skip
    adversarial_slack = threshold(
        default=0.3, unit="beyond 0 or 1",
        why="not measured: a common recipe of one-sided label smoothing draws labels up "
        "to 1.2",
    )  # fmt: skip
    examples = (
        sick(wiring=chain(Node(op="Addmm"), Node(op="BinaryCrossEntropyWithLogits")),
             target_min={"BinaryCrossEntropyWithLogits": [1.0] * 5},
             target_max={"BinaryCrossEntropyWithLogits": [2.0] * 5}),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="BinaryCrossEntropyWithLogits")),
                target_min={"BinaryCrossEntropyWithLogits": [0.05] * 5},
                target_max={"BinaryCrossEntropyWithLogits": [0.95] * 5}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """A call that raised, or targets of a binary loss that are no probabilities."""
        if not run.wirings:
            yield Unexamined(reason=UNREAD)
        for wiring in run.wirings:
            for message, where, seen, limit, cure in (*refused(wiring), *self._beyond(run, wiring)):
                yield Finding(
                    severity=self.severity, confidence=0.97, message=message, where=where,
                    first_step=wiring.step,
                    evidence=(Evidence(signal="labels", value=seen, limit=limit),),
                    remedies=(Remedy(name="renumber-labels", text=cure),),
                )  # fmt: skip
                return

    def _beyond(self, run: Training, wiring: Wiring) -> Iterator[Case]:
        slack = self.adversarial_slack if run.facts.get("is_adversarial") else self.slack
        for criterion in criteria(wiring):
            lows = run.series("target-min", criterion.place).values
            highs = run.series("target-max", criterion.place).values
            if criterion.kind not in BINARY or not len(lows):
                continue
            low, high = float(lows.min()), float(highs.max())
            if low < -slack or high > 1 + slack:
                ends = f"{number(low)} to {number(high)}"
                yield (
                    f"the labels of the binary loss run from {ends}, it expects 0 to 1: the loss "
                    "has no minimum", wiring.nodes[criterion.index].place, ends, "0 to 1",
                    "Make the labels 0 and 1, for example `(labels == positive).float()`.",
                )  # fmt: skip


def refused(wiring: Wiring) -> Iterator[Case]:
    """Classification calls that raised on a label."""
    for call in wiring.calls:
        is_classes = call.function in ("cross_entropy", "nll_loss") and call.facts.get("crashed")
        if not is_classes or len(call.prediction_shape) < 2 or call.facts.get("target-is-float"):
            continue
        classes = call.prediction_shape[1]
        low, high = call.facts.get("target-min", 0.0), call.facts.get("target-max", 0.0)
        if high >= classes or low < 0:
            ends = f"{low:.0f} to {high:.0f}"
            yield (
                f"the labels run from {ends}, but the {classes} outputs stand for the classes 0 "
                f"to {classes - 1}",
                call.place,
                ends, f"0 to {classes - 1}",
                "Number the classes from 0 (`labels - labels.min()`), and give the last layer one "
                "unit for each.",
            )  # fmt: skip

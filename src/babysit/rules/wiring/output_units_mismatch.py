from __future__ import annotations

from babysit.criteria import AFTERMATH, NLLS, UNREAD, Criterion, criteria, layer_behind
from babysit.findings import Evidence, Finding, Place, Remedy, Severity, Unexamined
from babysit.loss_calls import one_target_column, too_few_outputs
from babysit.measures import median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.wiring import RESHAPES, Node, Wiring, chain


class OutputUnitsMismatch(Rule):
    """The model has more or fewer outputs than there are classes or targets.

    Why it matters:
        Outputs that no label ever names are learnt to be silent first, and count wherever
        probabilities are read; a missing output stops the training with an error. A regression
        of several outputs against one target trains all of them to the same value.

    How it decides:
        The labels of all sampled batches together use clearly fewer classes than the loss has
        outputs, after many labels; a label was beyond the last output; or an element-wise loss
        broadcast one target column against several outputs.

    What to do:
        Give the last layer one unit for each class or target.

    When it is wrong:
        Vocabularies and large class sets, where rare ones are missing by chance, are not judged;
        nor are batches that hold few different labels (sorted data).
    """

    since = "0.1"
    severity = "warning"
    needs = ()  # a call that raised leaves no graph
    remedies = ("match-units",)
    # Units too many make no NaN: where there is one as well, it is a fault of its own.
    explains = (
        *(name for name in AFTERMATH if not name.startswith("non-finite")),
        "labels-out-of-range", "loss-target-broadcast",
    )  # fmt: skip
    max_classes = threshold(
        default=50, unit="outputs",
        why="a choice: larger class sets are often vocabularies, whose rare symbols are "
        "missed by chance",
    )  # fmt: skip
    min_labels = threshold(
        default=30, unit="labels per output",
        why="computed: a class of a third of its fair share is missed once in 20,000 "
        "times",
    )  # fmt: skip
    max_used = threshold(
        default=0.7, unit="share of outputs",
        why="healthy classifications use all outputs (1.0), a vocabulary of 46 in the "
        "ward 0.96; the sick clinic uses 0.3",
    )  # fmt: skip
    max_perhaps = threshold(
        default=0.9, unit="share of outputs",
        why="between the two it may be meant (a class kept free) and is an advice",
    )  # fmt: skip
    examples = (
        sick(wiring=chain(Node(op="LogSoftmax", shape=(32, 10)), Node(op="NllLoss")),
             classes_seen={"NllLoss": [3.0] * 20}, target_distinct={"NllLoss": [3.0] * 20},
             labels_seen={"NllLoss": [32.0 * i for i in range(1, 21)]}),
        healthy(wiring=chain(Node(op="LogSoftmax", shape=(32, 10)), Node(op="NllLoss")),
                classes_seen={"NllLoss": [10.0] * 20}, target_distinct={"NllLoss": [9.0] * 20},
                labels_seen={"NllLoss": [32.0 * i for i in range(1, 21)]}),
        healthy(wiring=chain(Node(op="LogSoftmax", shape=(32, 10)), Node(op="NllLoss")),
                classes_seen={"NllLoss": [3.0] * 2}, target_distinct={"NllLoss": [3.0] * 2},
                labels_seen={"NllLoss": [32.0, 64.0]}),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Calls that raised or broadcast first; then the classes that labels name."""
        if not run.wirings:
            yield Unexamined(reason=UNREAD)
        for wiring in run.wirings:
            found = next(iter((*too_few_outputs(wiring), *one_target_column(wiring))), None)
            unused = [c for c in criteria(wiring) if self._has_unused(run, wiring, c)]
            if found is not None:
                call, message = found
                severity: Severity = "error" if call.facts.get("crashed") else self.severity
                yield self._finding(message, call.place, "a unit for each", wiring.step, severity)
            elif unused:
                node = wiring.nodes[unused[0].prediction]
                last = layer_behind(wiring, unused[0].prediction, through=RESHAPES | {"LogSoftmax"})
                layer = wiring.nodes[last].layer if last is not None else node.layer
                seen = int(run.series("classes-seen", unused[0].place).last)
                labels = int(run.series("labels-seen", unused[0].place).last)
                is_sure = seen <= self.max_used * node.shape[1]
                yield self._finding(
                    f"`{layer or 'the model'}` ends in {node.shape[1]} outputs, but "
                    f"{labels:,} labels named only {seen} classes",
                    run.layer_place(layer) if layer else node.place,
                    f"{seen} outputs", wiring.step, self.severity if is_sure else "advice",
                )  # fmt: skip
            else:
                continue
            return

    def _has_unused(self, run: Training, wiring: Wiring, criterion: Criterion) -> bool:
        classes = wiring.nodes[criterion.prediction].shape[1:2]
        seen = run.series("classes-seen", criterion.place)
        labels = run.series("labels-seen", criterion.place)
        if criterion.kind not in NLLS or not classes or not len(seen) or not len(labels):
            return False
        read = [wiring.source(wiring.nodes[i].inputs[0]) for i in wiring.find({"Embedding"})]
        is_vocabulary = any(wiring.nodes[i].shape[:1] == classes for i in read if i is not None)
        is_small = 2 < classes[0] <= self.max_classes and not is_vocabulary
        is_enough = labels.last >= self.min_labels * classes[0]
        is_mixed = median(run.series("target-distinct", criterion.place)) > 0.5 * seen.last
        has_unused = 1 < seen.last <= self.max_perhaps * classes[0]
        return is_small and is_enough and is_mixed and has_unused

    def _finding(
        self, message: str, place: Place, limit: str, step: int, severity: Severity
    ) -> Finding:
        return Finding(
            severity=severity,
            confidence=0.9,
            message="the last layer: " + message if message.startswith("`") else message,
            where=place,
            first_step=step,
            evidence=(
                Evidence(signal="classes-seen", value=message.rpartition(", ")[2], limit=limit),
            ),
            remedies=(
                Remedy(
                    name="match-units",
                    text="Give the last layer as many units as there are classes or targets.",
                ),
            ),
        )

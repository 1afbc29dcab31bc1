from __future__ import annotations

from collections.abc import Iterator

from babysit import loss_calls
from babysit.criteria import AFTERMATH, NLLS, SOFT, UNREAD, Criterion, criteria, terms
from babysit.findings import Evidence, Finding, Place, Remedy, Severity, Unexamined
from babysit.measures import always
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Parameter, Training
from babysit.signs import fall_of_negated, negated, negation
from babysit.text import number
from babysit.wiring import PARAMETER, RESHAPES, Node, Wiring, chain

PICKING = frozenset({"Gather", "Index", "Select", "IndexSelect", "TakeAlongDim"})
CROSS_ENTROPY = "Use `nn.CrossEntropyLoss()` on the raw scores, with the classes as integers."
BINARY_LOSS = "Use `nn.BCEWithLogitsLoss()` on the raw score of the one output."
SHARED = (
    "target rows have several ones, and cross-entropy over the classes shares one certainty among "
    "them: they can never all be predicted"
)
BY_ITSELF = "Use `nn.BCEWithLogitsLoss()`, which judges each label by itself."
REMOVE_MINUS = (
    "Remove the minus (or add the missing one), so that better predictions lower the loss."
)
QUANTITIES = "Use `nn.MSELoss()` (or `nn.GaussianNLLLoss()`) for quantities."
WEIGHT = Node(op=PARAMETER, shape=(10, 8), parameter="fc.weight")
OUTPUT = Node(op="Mm", shape=(8, 10), inputs=(None, 0))
LOGS = Node(op="LogSoftmax", shape=(8, 10))
NEGATED = chain(WEIGHT, OUTPUT, LOGS, Node(op="NllLoss"), Node(op="Neg"))
ROWS = chain(Node(op="Addmm", shape=(8, 10)), Node(op="MseLoss"))
TRAINED = (Parameter(name="fc.weight", in_model=True),)
Case = tuple[str, Place, Severity, float, str, str]


class LossUnsuitedToTask(Rule):
    """The loss measures something else than the task asks for.

    Why it matters:
        A net learns what its loss asks for and nothing else. Squared error on classes pulls with a
        gradient that fades where the prediction is most wrong, so learning is slow and many
        classes are never told apart. Cross-entropy over one output is always 0. Cross-entropy on
        rows with several right answers asks for the impossible.

    How it decides:
        By the targets of the loss in all sampled batches: one-hot rows, or nothing but 0 and 1
        for a single output, under a squared or absolute error; rows with several ones under
        cross-entropy; negative numbers under a Poisson likelihood; by its shape, cross-entropy
        over a single output; and by its sign, a cross-entropy or squared error that was negated,
        or log-probabilities that were not: a loss that can only be negative and runs away.

    What to do:
        Exclusive classes: cross-entropy on the raw scores. Two classes or several labels at once:
        ``BCEWithLogitsLoss``. Quantities: squared error. A negated loss: remove the minus.

    When it is wrong:
        Least-squares GANs, values of chosen actions, autoencoders (the target is the input),
        smoothed, mixed or distilled targets are not reported, nor are one-hot rows under binary
        cross-entropy, which serve as well. Brier scores are meant. Inputs that are changed to
        raise a loss (attacks) and nets made to forget are not reported; one that unlearns from
        the very start would be.
    """

    since = "0.1"
    severity = "warning"
    needs = ()  # a call that raised leaves no graph
    remedies = ("change-loss",)
    explains = (*AFTERMATH, "class-imbalance", "unnormalised-targets", "labels-out-of-range",
                "output-units-mismatch", "output-activation-unsuited")  # fmt: skip
    min_batches = threshold(
        default=3, unit="sampled batches",
        why="a choice: counts and rewards may be 0 or 1 by chance in one batch; in 7 "
        "healthy regressions of the ward no sampled batch was",
    )  # fmt: skip
    min_flight = threshold(
        default=3, unit="times the first level, below 0",
        why="of 349 healthy trainings not one has a loss that can only be negative; two negated "
        "ones fell to 92 times their first level, where maximize=True would raise it to 0",
    )  # fmt: skip
    examples = (
        sick(wiring=NEGATED, parameters=TRAINED, loss=[-2.3 * 1.02**i for i in range(200)]),
        sick(wiring=ROWS, target_one_hot={"MseLoss": [1.0] * 5}),
        sick(wiring=chain(Node(op="Addmm", shape=(8, 1)), Node(op="LogSoftmax", shape=(8, 1)),
                          Node(op="NllLoss"))),
        healthy(wiring=ROWS, target_one_hot={"MseLoss": [1.0] * 5},
                target_is_input={"MseLoss": [1.0] * 5}),
        healthy(wiring=ROWS, target_one_hot={"MseLoss": [0.0] * 5}),
        healthy(wiring=NEGATED, parameters=TRAINED, loss=[-2.3 * 0.98**i for i in range(200)]),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The first loss that is unsuited."""
        if not run.wirings:
            yield Unexamined(reason=UNREAD)
        for wiring in run.wirings:
            for case in (*told(wiring), *self._negated(run, wiring), *self._cases(run, wiring)):
                message, where, severity, confidence, seen, cure = case
                yield Finding(
                    severity=severity, confidence=confidence, message=message, where=where,
                    first_step=wiring.step,
                    evidence=(Evidence(signal="loss" if cure == REMOVE_MINUS else "targets",
                                       value=seen),),
                    remedies=(Remedy(name="change-loss", text=cure),),
                )  # fmt: skip
                return

    def _negated(self, run: Training, wiring: Wiring) -> Iterator[Case]:
        where, levels = negation(wiring), fall_of_negated(run, wiring)
        if where and levels and levels[1] < self.min_flight * levels[0]:
            yield negated(*levels), where, "error", 0.97, number(levels[1]), REMOVE_MINUS

    def _cases(self, run: Training, wiring: Wiring) -> Iterator[Case]:
        found = criteria(wiring)
        is_alone = len(found) == 1 and not terms(wiring)
        for criterion in found:
            node, prediction = wiring.nodes[criterion.index], wiring.nodes[criterion.prediction]
            columns = prediction.shape[-1] if len(prediction.shape) > 1 else 1
            dim = int(prediction.facts.get("dim", -1))
            is_over_one = prediction.op == "LogSoftmax" and prediction.shape[dim] == 1
            if criterion.kind in (*NLLS, SOFT) and is_over_one:
                text = loss_calls.always_certain(prediction.shape)
                yield text, node.place, "error", 0.97, "one output", BINARY_LOSS
            if self._moves(run, criterion):
                continue
            power = "squared" if criterion.kind in ("MseLoss", "Pow", "Mul") else "distance"
            quantities = f"a {power} error: a loss for quantities, not for classes"
            if criterion.is_regression and columns >= 2 and self._is(run, "one-hot", criterion):
                text = f"targets are one-hot rows of {columns} classes, and the loss is "
                yield (text + quantities, node.place, "warning", 0.85, "one-hot rows",
                       CROSS_ENTROPY)  # fmt: skip
            if self._is_binary(run, wiring, criterion, columns) and is_alone:
                text = "all targets are 0 or 1, two classes, and the loss is " + quantities
                yield text, node.place, "warning", 0.75, "0 and 1 only", BINARY_LOSS
            calls = [call for call in wiring.calls if call.function == "cross_entropy"]
            if criterion.kind == SOFT and calls and self._is(run, "many-hot", criterion):
                yield SHARED, node.place, "warning", 0.85, "rows with several ones", BY_ITSELF

    def _is(self, run: Training, kind: str, criterion: Criterion) -> bool:
        return always(run.series(f"target-{kind}", criterion.place), at_least=int(self.min_batches))

    def _is_binary(self, run: Training, wiring: Wiring, criterion: Criterion, columns: int) -> bool:
        spread = run.series("target-std", criterion.place).values
        source = wiring.source(criterion.prediction, through=RESHAPES - PICKING)
        is_picked = source is not None and wiring.nodes[source].op in PICKING
        is_single = criterion.is_regression and columns == 1 and not is_picked
        return is_single and self._is(run, "binary", criterion) and bool((spread > 0).all())

    def _moves(self, run: Training, criterion: Criterion) -> bool:
        """Targets that another network makes, or the input itself."""
        moves = run.facts.get("is_adversarial") or run.facts.get("has_teacher")
        return bool(moves) or len(run.series("target-is-input", criterion.place)) > 0


def told(wiring: Wiring) -> Iterator[Case]:  # by the calls alone
    for call, message in loss_calls.over_one_output(wiring):
        yield message, call.place, "error", 0.97, "one output", BINARY_LOSS
    for call, message in loss_calls.quantities_as_labels(wiring):
        yield message, call.place, "error", 0.95, "beyond 0 to 1", QUANTITIES
    for call, message in loss_calls.negative_counts(wiring):
        yield message, call.place, "warning", 0.9, "below 0", QUANTITIES

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from babysit import criteria
from babysit.criteria import BEFORE_LOG, NLLS, is_output, layer_behind
from babysit.findings import Evidence, Finding, Place, Remedy, Unexamined
from babysit.loss_calls import outside_probabilities, positive_logarithms
from babysit.measures import median
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number
from babysit.wiring import LossCall, Node, Wiring, chain

Found = tuple[str, Place, Evidence, Remedy]

LOG_SOFTMAX = Remedy(
    name="use-logits-loss",
    text="Use `nn.CrossEntropyLoss()` on the raw scores, or apply `log_softmax(scores, dim=1)` "
    "before `nll_loss`.",
)
WITH_LOGITS = Remedy(
    name="use-logits-loss",
    text="Use `nn.BCEWithLogitsLoss()` on the raw scores, or apply `sigmoid` before `BCELoss`.",
)
BY_HAND = Remedy(
    name="use-logits-loss",
    text="Use `binary_cross_entropy_with_logits` or `cross_entropy`, which take raw scores and are "
    "stable; or apply `sigmoid` or `softmax` before the logarithm.",
)
WEIGHT = Node(op="Parameter", parameter="fc.weight", shape=(1, 8))
CLAMP = Node(op="Clamp", facts={"min": 1e-7, "max": 1 - 1e-7})
LOG_FIRST = Remedy(
    name="use-logits-loss",
    text="Give `kl_div` log-probabilities: `log_softmax(scores, dim=1)` in place of what is there.",
)

CLAMPED = (WEIGHT, Node(op="Addmm", inputs=(None, 0)), replace(CLAMP, inputs=(1,)),
           Node(op="Log", inputs=(2,)))  # fmt: skip


class LogitsIntoProbabilityLoss(Rule):
    """Raw scores go into a loss that expects probabilities or their logarithms.

    Why it matters:
        ``NLLLoss`` only picks out the score of the right class. Without log-softmax nothing
        holds the other scores down: the loss falls without end and means nothing. ``BCELoss``
        refuses values outside 0…1, or is clamped until no gradient is left.

    How it decides:
        ``nll_loss`` reads values that no logarithm produced and whose exponentials do not sum to
        1; ``binary_cross_entropy`` was called with values outside 0…1; it or a logarithm reads a
        plain score that was clamped to 0…1; ``kl_div`` reads positive numbers, where logarithms of
        probabilities have none; or the loss was not finite where a logarithm is taken of a linear
        layer's plain output.

    What to do:
        Use the loss that takes raw scores (``CrossEntropyLoss``, ``BCEWithLogitsLoss``), or put
        log-softmax or sigmoid in front.

    When it is wrong:
        Log-likelihoods of other models (mixtures, hierarchies, sequences) come out of a
        logarithm and are not reported, whatever their rows sum to.
    """

    since = "0.1"
    severity = "error"
    needs = ()  # a call that raised leaves no graph
    remedies = ("use-logits-loss",)
    explains = (*criteria.AFTERMATH, "unnormalised-inputs")
    min_error = threshold(
        default=0.05, unit="distance of a row's sum of exponentials from 1",
        why="log-softmax is off by 1e-7 in float32 (5 healthy programs) and 0.002 in "
        "bfloat16; raw scores of a ten-class net before training by 8.2 to 9.3 (5 "
        "seeds)",
    )  # fmt: skip
    examples = (
        sick(wiring=chain(Node(op="Addmm", shape=(8, 10)), Node(op="NllLoss")),
             probability_error={"NllLoss": [9.1, 9.5, 14.0]}),
        healthy(wiring=chain(Node(op="Addmm", shape=(8, 10)), Node(op="LogSoftmax"),
                             Node(op="NllLoss")),
                probability_error={"NllLoss": [1e-7, 1e-7, 1e-7]}),
        sick(wiring=Wiring(nodes=CLAMPED)),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="Sigmoid"), CLAMP,
                             Node(op="BinaryCrossEntropy"))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """The first of: a refused call, scores in nll_loss, in BCELoss, in kl_div."""
        if not run.wirings:
            yield Unexamined(reason=criteria.UNREAD)
        for wiring in run.wirings:
            found = next(iter((*told(wiring), *self._graph(run, wiring))), None)
            if found is not None:
                message, where, evidence, remedy = found
                yield Finding(
                    severity=self.severity, confidence=0.97, message=message, where=where,
                    first_step=wiring.step, evidence=(evidence,), remedies=(remedy,),
                )  # fmt: skip
                return

    def _graph(self, run: Training, wiring: Wiring) -> Iterator[Found]:
        if not np.isfinite(run.series("loss").values).all():
            for index in wiring.find({"Log"}):
                scores = layer_behind(wiring, wiring.nodes[index].inputs[0], through=BEFORE_LOG)
                if scores is not None and is_output(wiring, index):
                    yield (
                        "the loss takes the logarithm of a probability, but the output of "
                        f"`{name_of(wiring, scores)}` is a raw score, below 0 as often as above",
                        wiring.nodes[index].place,
                        Evidence(signal="wiring", value="raw score → log", limit="sigmoid → log"),
                        BY_HAND,
                    )  # fmt: skip
        for criterion in criteria.criteria(wiring):
            node = wiring.nodes[criterion.index]
            source = wiring.source(criterion.prediction)
            layer = name_of(wiring, criterion.prediction)
            if criterion.kind in NLLS and not criteria.has_logarithm(wiring, criterion.prediction):
                error = median(run.series("probability-error", criterion.place))
                if error > self.min_error:
                    is_softmax = wiring.softmax(source) is not None
                    what = "probabilities without the logarithm" if is_softmax else "raw scores"
                    yield (
                        f"the loss `nll_loss` expects log-probabilities, but `{layer}` gives "
                        f"{what}: exp(output) should sum to 1 per row and is off by {error:.2g}",
                        node.place, Evidence(signal="probability-error", value=error,
                                             limit=self.min_error), LOG_SOFTMAX,
                    )  # fmt: skip
        for index, activation in criteria.clamped_scores(wiring):
            if activation is None:
                yield (
                    f"the loss expects probabilities, but the output of `{name_of(wiring, index)}` "
                    "is a raw score cut off at 0 and 1: beyond them no gradient flows",
                    wiring.nodes[index].place,
                    Evidence(signal="wiring", value="raw score → clamp → log"), BY_HAND,
                )  # fmt: skip


def name_of(wiring: Wiring, index: int) -> str:
    return wiring.nodes[index].layer or "the model"


def told(wiring: Wiring) -> Iterator[Found]:
    """What the calls tell by themselves."""
    for call, message in outside_probabilities(wiring):
        yield message, call.place, evidence_of(call, "0 … 1"), WITH_LOGITS
    for call, message in positive_logarithms(wiring):
        yield message, call.place, evidence_of(call, "0 and below"), LOG_FIRST


def evidence_of(call: LossCall, limit: str) -> Evidence:
    low, high = call.facts.get("min", 0.0), call.facts.get("max", 0.0)
    return Evidence(signal="prediction", value=f"{number(low)} … {number(high)}", limit=limit)

from __future__ import annotations

from collections.abc import Iterator

from babysit.criteria import AFTERMATH, criteria
from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick, threshold
from babysit.run import Training
from babysit.text import number
from babysit.wiring import DROPOUT, LINEARS, RESHAPES, Node, Wiring, chain

NORMS = frozenset({"NativeBatchNorm", "CudnnBatchNorm"})
OUTPUT = RESHAPES | frozenset("LogSoftmax Softmax Sigmoid Tanh Log Clamp".split())
CELLS = RESHAPES | frozenset("Tanh Relu Sigmoid".split())
SAID = {
    "output": ("dropout on the output: predictions are set to 0 at random and then compared with "
               "their targets", "Move the dropout before the last layer."),
    "norm": ("dropout directly before a batch norm: its running statistics are taken with units "
             "missing and do not fit evaluation", "Move the dropout after the batch norm."),
    "recurrence": ("dropout with a new mask at every time step on the way from one state to the "
                   "next: what the state should remember is erased step by step",
                   "Drop inputs and outputs of the recurrence instead, or keep one mask for all "
                   "time steps."),
}  # fmt: skip


class DropoutMisplaced(Rule):
    """Dropout stands where it does harm: on the output, before batch norm, between time steps.

    Why it matters:
        On the output it replaces predictions by zeros that no weight can mend. Before a batch norm
        it changes the variance between training and evaluation. Within a recurrence it erases
        memory, more with every step.

    How it decides:
        In the graph: the loss reads a dropout's result with nothing but an activation in between;
        a batch norm reads one directly; or the recurrent weight, used at several time steps, reads
        one that was drawn anew each time.

    What to do:
        Put dropout between hidden layers, after normalisation; in a recurrence on what enters and
        leaves it.

    When it is wrong:
        Dropout on the inputs and outputs of a recurrence, between its layers, with one mask for
        all steps, inside residual branches, or before a linear layer or concatenation is not
        reported. In evaluation mode there is none.
    """

    since = "0.1"
    severity = "warning"
    needs = ("wiring",)
    remedies = ("move-dropout",)
    explains = (*AFTERMATH, "dropout-too-strong", "batch-norm-stale-statistics",
                "train-validation-mismatch")  # fmt: skip
    min_time_steps = threshold(
        default=4, unit="uses of one weight",
        why="a choice, not measured: layers shared twice or three times are a design",
    )  # fmt: skip
    examples = (
        sick(wiring=chain(Node(op="Addmm"), Node(op="Dropout", layer="drop", facts={"p": 0.5}),
                          Node(op="Squeeze"), Node(op="MseLoss"))),
        sick(wiring=chain(Node(op="Convolution"), Node(op="Dropout", facts={"p": 0.2}),
                          Node(op="NativeBatchNorm", facts={"training": 1.0}), Node(op="Mean"))),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="Dropout", facts={"p": 0.5}),
                             Node(op="Addmm"), Node(op="MseLoss"))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """One finding for each kind of misplacement."""
        reported = set()
        for wiring in run.wirings:
            for kind, index in (*outputs(wiring), *norms(wiring), *self._recurrences(wiring)):
                if kind not in reported:
                    reported.add(kind)
                    yield self._finding(wiring, kind, wiring.nodes[index])

    def _finding(self, wiring: Wiring, kind: str, node: Node) -> Finding:
        text, cure = SAID[kind]
        return Finding(
            severity=self.severity,
            confidence=0.95 if kind == "output" else 0.8,
            message=f"{text} (p = {number(node.facts.get('p', 0.5))})",
            where=node.place,
            first_step=wiring.step,
            evidence=(Evidence(signal="wiring", value=f"Dropout → {kind}", steps=(wiring.step,)),),
            remedies=(Remedy(name="move-dropout", text=cure),),
        )

    def _recurrences(self, wiring: Wiring) -> Iterator[tuple[str, int]]:
        """Weights that read a fresh dropout of what they made themselves, step after step."""
        uses: dict[str, list[int]] = {}
        for index in wiring.find(LINEARS):
            for source in wiring.nodes[index].inputs:
                weight = wiring.weight(source)
                if weight is not None and weight.rpartition(".")[2].startswith("weight"):
                    uses.setdefault(weight, []).append(index)
        for products in uses.values():
            dropped = [wiring.source(wiring.operand(index)) for index in products[1:]]
            found = [i for i in dropped if i is not None and wiring.nodes[i].op == DROPOUT]
            is_recurrent = len(products) >= self.min_time_steps and len(set(found)) > 2
            is_always = is_recurrent and len(found) >= len(products) - 2
            if is_always and self._feeds_back(wiring, found[-1], set(products)):
                yield "recurrence", found[-1]

    def _feeds_back(self, wiring: Wiring, index: int, products: set[int]) -> bool:
        """Whether a dropout's input was made by the same weight, with another product added."""
        waiting, seen = [index], set[int]()
        while waiting and len(seen) < 64:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            if at in products:
                return any(wiring.nodes[i].op == "Add" for i in seen)
            waiting += [source for source in wiring.nodes[at].inputs if source is not None]
        return False


def outputs(wiring: Wiring) -> Iterator[tuple[str, int]]:
    for criterion in criteria(wiring):
        source = wiring.source(criterion.prediction, through=OUTPUT)
        if source is not None and wiring.nodes[source].op == DROPOUT:
            yield "output", source


def norms(wiring: Wiring) -> Iterator[tuple[str, int]]:
    for index in wiring.find(NORMS):
        source = wiring.source(wiring.nodes[index].inputs[0])
        is_dropout = source is not None and wiring.nodes[source].op == DROPOUT
        if is_dropout and source is not None and wiring.nodes[index].facts.get("training"):
            yield "norm", source

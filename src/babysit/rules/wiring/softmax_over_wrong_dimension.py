from __future__ import annotations

from collections.abc import Iterator

from babysit.criteria import AFTERMATH, is_output, layer_behind
from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Training
from babysit.text import shape
from babysit.wiring import SOFTMAXES, Node, Wiring, chain

# Reshaping that keeps the rows where they are.
KEEPING = frozenset(
    "View UnsafeView Clone ToCopy Contiguous Alias Reshape ReshapeAlias Dropout".split()
)


class SoftmaxOverWrongDimension(Rule):
    """The output's softmax runs over the batch instead of the classes.

    Why it matters:
        The probabilities of one class sum to 1 over the examples of the batch: examples compete
        with one another, a prediction depends on what else is in the batch, and none of them is
        a distribution over classes.

    How it decides:
        In the graph, a softmax or log-softmax over dimension 0 reads a layer's scores of several
        rows and several units, and its result goes to the loss without another layer.

    What to do:
        Name the class dimension: ``softmax(scores, dim=1)``, or ``dim=-1``.

    When it is wrong:
        Attention over the instances of a bag, contrastive losses over a matrix of similarities,
        and nets that keep examples in columns take a softmax over dimension 0 rightly. The first
        is multiplied afterwards, the others do not come from a layer that holds rows.
    """

    since = "0.1"
    severity = "error"
    needs = ("wiring",)
    remedies = ("softmax-over-classes",)
    explains = (*AFTERMATH, "batch-mixing", "train-mode-during-evaluation",
                "train-validation-mismatch", "gradients-not-averaged")  # fmt: skip
    examples = (
        sick(wiring=chain(Node(op="Parameter", parameter="fc.weight"),
                          Node(op="Addmm", shape=(30, 3), inputs=(None, None, 0)),
                          Node(op="Softmax", shape=(30, 3), facts={"dim": 0.0}),
                          Node(op="Log"), Node(op="NllLoss"))),
        healthy(wiring=chain(Node(op="Parameter", parameter="fc.weight"),
                             Node(op="Addmm", shape=(30, 3), inputs=(None, None, 0)),
                             Node(op="Softmax", shape=(30, 3), facts={"dim": 1.0}),
                             Node(op="Log"), Node(op="NllLoss"))),
        healthy(wiring=chain(Node(op="Mm", shape=(30, 30)),
                             Node(op="LogSoftmax", shape=(30, 30), facts={"dim": 0.0}),
                             Node(op="NllLoss"))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Look in every wiring that was seen."""
        for wiring in run.wirings:
            for index in wrong(wiring):
                yield self._finding(wiring, wiring.nodes[index])
                return

    def _finding(self, wiring: Wiring, node: Node) -> Finding:
        rows = node.shape[0]
        return Finding(
            severity=self.severity,
            confidence=0.95,
            message=f"the softmax of `{node.layer or 'the output'}` runs over dimension 0 of shape "
            f"{shape(node.shape)}, the {rows} examples, instead of the {node.shape[-1]} classes",
            where=node.place,
            first_step=wiring.step,
            evidence=(
                Evidence(signal="dim", value=0, limit=len(node.shape) - 1, steps=(wiring.step,)),
            ),
            remedies=(
                Remedy(
                    name="softmax-over-classes",
                    text="Give the class dimension: `dim=1` for scores of shape (batch, classes), "
                    "`dim=-1` where classes come last.",
                ),
            ),
        )


def wrong(wiring: Wiring) -> Iterator[int]:
    """Softmaxes over the rows of a layer's scores, on the way to the loss."""
    for index in wiring.find(SOFTMAXES | {"LogSoftmax", "Div"}):
        node = wiring.nodes[index]
        scores = scores_of(wiring, index)
        if scores is None or len(node.shape) < 2 or node.shape[0] < 2 or node.shape[-1] < 2:
            continue
        layer = layer_behind(wiring, scores, through=KEEPING)
        if layer is None or wiring.nodes[layer].shape[-1] != node.shape[-1]:
            continue
        first = wiring.nodes[layer].inputs[0]
        holds_columns = wiring.nodes[layer].op == "Mm" and wiring.weight(first) is not None
        if not holds_columns and is_output(wiring, index):
            yield index


def scores_of(wiring: Wiring, index: int) -> int | None:
    """What a softmax over dimension 0 (or over everything, by hand) reads."""
    node = wiring.nodes[index]
    if node.op != "Div":
        return node.inputs[0] if node.facts.get("dim") == 0 else None
    if len(node.inputs) != 2 or wiring.softmax(index) != index:
        return None
    top, bottom = wiring.source(node.inputs[0]), wiring.source(node.inputs[1])
    if top is None or bottom is None:
        return None
    rows, columns = node.shape if len(node.shape) == 2 else (0, 0)
    is_wrong = rows > 1 and wiring.nodes[bottom].shape in ((), (1, columns), (1, 1))
    return wiring.nodes[top].inputs[0] if is_wrong else None

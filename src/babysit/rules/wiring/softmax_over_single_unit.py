from __future__ import annotations

from babysit.criteria import AFTERMATH, layer_behind
from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Training
from babysit.text import shape
from babysit.wiring import RESHAPES, SOFTMAXES, Node, Wiring, chain


class SoftmaxOverSingleUnit(Rule):
    """A softmax runs over a dimension of size 1, so its result is always 1.

    Why it matters:
        Whatever the layer computes, the output is exactly 1 and its gradient exactly 0: as an
        output it predicts the same for everything, as an attention weight it attends to nothing.

    How it decides:
        In the graph, a softmax over a dimension of size 1 reads a layer with a single unit, in
        every step that was seen.

    What to do:
        Use ``sigmoid`` for one output; for attention scores of shape ``(batch, time, 1)`` take
        the softmax over the time, ``dim=1``.

    When it is wrong:
        Attention over a sequence that happens to have length 1 is not reported: its scores do
        not come from a single unit, or have another length in another step.
    """

    since = "0.1"
    severity = "error"
    needs = ("wiring",)
    remedies = ("use-sigmoid",)
    explains = (*AFTERMATH, "parameters-without-gradient", "input-ignored",
                "loss-unsuited-to-task")  # fmt: skip
    examples = (
        sick(wiring=chain(Node(op=("Parameter"), parameter="head.weight"),
                          Node(op="Addmm", shape=(8, 1), layer="head", inputs=(0,)),
                          Node(op="Softmax", shape=(8, 1), facts={"dim": 1.0}),
                          Node(op="BinaryCrossEntropy"))),
        healthy(wiring=chain(Node(op=("Parameter"), parameter="score.weight"),
                             Node(op="Addmm", shape=(8, 5, 1), inputs=(0,)),
                             Node(op="Softmax", shape=(8, 5, 1), facts={"dim": 1.0}),
                             Node(op="Mean"))),
        healthy(wiring=chain(Node(op="Bmm", shape=(8, 1, 1)),
                             Node(op="Softmax", shape=(8, 1, 1), facts={"dim": 2.0}),
                             Node(op="Bmm"), Node(op="Mean"))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Look for them in every wiring; one that has more than one unit elsewhere is left out."""
        wide = {
            node.layer
            for wiring in run.wirings
            for index in wiring.find(SOFTMAXES)
            if size(node := wiring.nodes[index]) > 1
        }
        for wiring in run.wirings:
            for index in wiring.find(SOFTMAXES):
                node = wiring.nodes[index]
                feeding = layer_behind(wiring, node.inputs[0], through=RESHAPES)
                if size(node) != 1 or feeding is None or node.layer in wide:
                    continue
                if has_single_unit(wiring.nodes[feeding]):
                    yield self._finding(wiring, node, wiring.nodes[feeding])
                    return

    def _finding(self, wiring: Wiring, node: Node, feeding: Node) -> Finding:
        dim = int(node.facts["dim"])
        return Finding(
            severity=self.severity,
            confidence=0.98,
            message=f"softmax over the single unit of `{feeding.layer or 'the output'}`: shape "
            f"{shape(node.shape)} over dimension {dim} of size 1 always gives 1",
            where=node.place,
            first_step=wiring.step,
            evidence=(
                Evidence(signal="shape", value=shape(node.shape), limit=f"size > 1 in dim {dim}",
                         steps=(wiring.step,)),
            ),
            remedies=(
                Remedy(
                    name="use-sigmoid",
                    text="Use `sigmoid` here (for attention over time: `softmax(dim=1)`), or give "
                    "the layer one unit per class.",
                ),
            ),
        )  # fmt: skip


def size(node: Node) -> int:
    """Along the dimension that a softmax runs over; 0 when that is not known."""
    dim = int(node.facts.get("dim", -1))
    return node.shape[dim] if 0 <= dim < len(node.shape) else 0


def has_single_unit(node: Node) -> bool:
    axis = 1 if "Convolution" in node.op else len(node.shape) - 1
    return len(node.shape) > axis > 0 and node.shape[axis] == 1

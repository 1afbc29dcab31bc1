from __future__ import annotations

from collections.abc import Iterator

from babysit.criteria import AFTERMATH, is_output
from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Training
from babysit.wiring import DROPOUT, RESHAPES, SOFTMAXES, Node, Wiring, chain

NAMES = {"Relu": "ReLU", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softmax": "softmax",
         "SafeSoftmax": "softmax", "LogSoftmax": "the softmax of the loss",
         "BinaryCrossEntropyWithLogits": "the sigmoid of the loss"}  # fmt: skip
SQUASHING = frozenset({"Sigmoid", "Tanh"})
INSIDE_A_LOSS = frozenset({"LogSoftmax", "BinaryCrossEntropyWithLogits"})
# Which activations an outer one must not find inside. Left out: pairs in which the outer one
# changes nothing (ReLU of sigmoid), and those that have a rule of their own.
INNER = {
    "Sigmoid": frozenset({"Relu", "Sigmoid", "Tanh", *SOFTMAXES}),
    "Tanh": frozenset({"Relu", "Sigmoid", "Tanh", *SOFTMAXES}),
    "Softmax": frozenset({"Relu", "Sigmoid", "Tanh", *SOFTMAXES}),
    "LogSoftmax": frozenset({"Relu", "Tanh"}),
    "BinaryCrossEntropyWithLogits": frozenset({"Relu", "Tanh"}),
}
LEFT = {
    "Relu": "scores below 0 are lost, and units that fall silent stay so",
    "Sigmoid": "the inner one confines its input to 0…1",
    "Tanh": "the inner one confines its input to -1…1",
    "Softmax": "the inner one confines its input to 0…1",
    "SafeSoftmax": "the inner one confines its input to 0…1",
}


class DoubleActivation(Rule):
    """An activation is applied directly to the result of another.

    Why it matters:
        The outer one only ever sees what the inner one lets through: a sigmoid of a ReLU never
        falls below 0.5, a sigmoid of a sigmoid stays between 0.5 and 0.73, a softmax of a ReLU
        cannot tell apart what the ReLU has cut off. Gradients shrink twice.

    How it decides:
        In the graph, sigmoid, tanh or softmax (also those inside a loss) read the result of a
        ReLU, sigmoid, tanh or softmax, with at most reshaping or dropout in between. A softmax
        counts where it is the output.

    What to do:
        Remove the inner activation: a layer's raw scores belong under sigmoid or softmax.

    When it is wrong:
        Logits that are bounded on purpose (``10 * tanh(scores)``) carry a factor and are not
        reported. Nor are attention scores, ReLU followed by pooling, and the pairs inside LSTM,
        GRU, SiLU or GLU, which pass through products and sums.
    """

    since = "0.1"
    severity = "warning"
    needs = ("wiring",)
    remedies = ("remove-activation",)
    explains = (*AFTERMATH, "activations-not-zero-centred", "output-activation-unsuited")
    examples = (
        sick(wiring=chain(Node(op="Addmm"), Node(op="Relu"), Node(op="Sigmoid"),
                          Node(op="BinaryCrossEntropy"))),
        sick(wiring=chain(Node(op="Addmm"), Node(op="Relu"), Node(op="LogSoftmax"),
                          Node(op="NllLoss"))),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="Tanh"), Node(op="Mul"),
                             Node(op="LogSoftmax"), Node(op="NllLoss"))),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="Tanh"), Node(op="Softmax"),
                             Node(op="Bmm"), Node(op="Mean"))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """One finding for every pair of layers."""
        reported = set()
        for wiring in run.wirings:
            for first, second in pairs(wiring):
                inner, outer = wiring.nodes[first], wiring.nodes[second]
                key = (inner.op, outer.op, inner.layer or inner.line)
                if key not in reported:
                    reported.add(key)
                    yield self._finding(wiring, inner, outer)

    def _finding(self, wiring: Wiring, inner: Node, outer: Node) -> Finding:
        where = f" of `{inner.layer}`" if inner.layer else ""
        first, second = NAMES[inner.op], NAMES[outer.op]
        return Finding(
            severity=self.severity,
            confidence=0.85 if inner.op == "Tanh" and outer.op in INSIDE_A_LOSS else 0.95,
            message=f"{second} is applied directly to the {first}{where}: {LEFT[inner.op]}",
            where=inner.place,
            first_step=wiring.step,
            evidence=(
                Evidence(signal="wiring", value=f"{inner.op} → {outer.op}", steps=(wiring.step,)),
            ),
            remedies=(
                Remedy(
                    name="remove-activation",
                    text=f"Remove this {first}: {second} wants the layer's raw scores.",
                ),
            ),
        )


def pairs(wiring: Wiring) -> Iterator[tuple[int, int]]:
    """Activations that read another one's result, as (inner, outer)."""
    for outer in wiring.find(INNER):
        node = wiring.nodes[outer]
        inner = wiring.source(node.inputs[0] if node.inputs else None, through=RESHAPES | {DROPOUT})
        if inner is None or wiring.nodes[inner].op not in INNER[node.op]:
            continue
        if node.op in SQUASHING or node.op == "BinaryCrossEntropyWithLogits":
            yield inner, outer
        elif is_output(wiring, outer):
            dims = (wiring.nodes[inner].facts.get("dim"), node.facts.get("dim"))
            if wiring.nodes[inner].op not in SOFTMAXES or dims[0] == dims[1]:
                yield inner, outer

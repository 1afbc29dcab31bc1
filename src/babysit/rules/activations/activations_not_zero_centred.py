from __future__ import annotations

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Training
from babysit.text import listing
from babysit.wiring import Node, chain

WEIGHT = Node(op="Parameter", parameter="fc2.weight", shape=(10, 20))


class ActivationsNotZeroCentred(Rule):
    """Hidden layers use sigmoids, whose outputs are all positive.

    Why it matters:
        When all inputs of a layer are positive, the gradients on a unit's weights share one
        sign and the updates zig-zag; and a sigmoid passes a quarter of the gradient at best.
        tanh or ReLU in the same net learn faster and usually end better.

    How it decides:
        In the graph behind the loss, the result of a sigmoid goes on into nothing but layers
        with weights of their own.

    What to do:
        ReLU or GELU between layers; tanh where values must stay bounded.

    When it is wrong:
        Gates, attention weights, swish, and sigmoids at the output or before a normalisation
        are right and are not reported.
    """

    since = "0.1"
    severity = "advice"
    needs = ("wiring",)
    remedies = ("replace-activation",)
    explains = ()
    examples = (
        sick(wiring=chain(Node(op="Addmm"), Node(op="Sigmoid", layer="act"), WEIGHT,
                          Node(op="Addmm", inputs=(1, 2)), Node(op="MseLoss"))),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="Tanh"), WEIGHT,
                             Node(op="Addmm", inputs=(1, 2)), Node(op="MseLoss"))),
        healthy(wiring=chain(Node(op="Addmm"), Node(op="Sigmoid"), Node(op="MseLoss"))),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Look for hidden sigmoids in the first wiring."""
        for wiring in run.wirings[:1]:
            found = [i for i in wiring.hidden_squashes() if wiring.nodes[i].op == "Sigmoid"]
            if not found:
                return
            nodes = [wiring.nodes[index] for index in found]
            names = dict.fromkeys(f"`{node.layer}`" for node in nodes if node.layer)
            where = f" ({listing(names)})" if names else ""
            yield Finding(
                severity=self.severity,
                confidence=0.8,
                message=f"sigmoids stand between the layers{where}: all they give is positive, and "
                "they pass a quarter of the gradient at best",
                where=nodes[0].place,
                first_step=wiring.step,
                evidence=(
                    Evidence(signal="wiring", value="Sigmoid → layer", steps=(wiring.step,)),
                ),
                remedies=(
                    Remedy(name="replace-activation", text="Use ReLU or GELU between layers, or "
                           "tanh where values must stay bounded; keep the sigmoid for outputs."),
                ),
            )  # fmt: skip

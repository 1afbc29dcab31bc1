from __future__ import annotations

from collections.abc import Iterator

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Parameter, Training
from babysit.text import count, listing
from babysit.wiring import LINEARS, Node, Wiring, chain

NORMS = frozenset({"NativeBatchNorm", "CudnnBatchNorm", "MiopenBatchNorm"})
KEEPING = frozenset("View UnsafeView Clone ToCopy Contiguous Squeeze Unsqueeze Transpose".split())


class BiasBeforeNorm(Rule):
    """A layer adds a bias that the batch norm after it subtracts again.

    Why it matters:
        Batch norm takes away the mean of every channel, and with it whatever the bias added: its
        gradient is zero, it costs memory and time, and weight decay moves it for nothing.

    How it decides:
        In the graph, the result of a layer with a trainable bias goes straight into a batch norm
        that uses the batch's own statistics.

    What to do:
        Build the layer with ``bias=False``; the norm has a bias of its own.

    When it is wrong:
        It does no harm, so this is an advice only. Layer and group norm take the mean over
        several channels and keep differences between biases: they are not reported. Nor are
        layers whose batch norm is in eval mode or frozen.
    """

    since = "0.1"
    severity = "advice"
    needs = ("wiring",)
    remedies = ("drop-bias",)
    examples = (
        sick(
            wiring=chain(
                Node(op="Parameter", parameter="conv.weight", shape=(8, 1, 3, 3)),
                Node(op="Parameter", parameter="conv.bias", shape=(8,)),
                Node(op="Convolution", layer="conv", inputs=(None, 0, 1)),
                Node(op="NativeBatchNorm", inputs=(2,), facts={"training": 1.0}),
            ),
            parameters=(Parameter(name="conv.weight", shape=(8, 1, 3, 3), layer="conv"),
                        Parameter(name="conv.bias", shape=(8,), layer="conv")),
        ),
        healthy(
            wiring=chain(
                Node(op="Parameter", parameter="conv.weight", shape=(8, 1, 3, 3)),
                Node(op="Convolution", layer="conv", inputs=(None, 0, None)),
                Node(op="NativeBatchNorm", inputs=(1,), facts={"training": 1.0}),
            ),
            parameters=(Parameter(name="conv.weight", shape=(8, 1, 3, 3), layer="conv"),),
        ),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """One finding that names all such layers."""
        for wiring in run.wirings[:1]:
            found = dict(biased(run, wiring))
            if found:
                yield self._finding(run, wiring, found)

    def _finding(self, run: Training, wiring: Wiring, found: dict[str, Node]) -> Finding:
        names = listing([f"`{layer}`" for layer in found])
        first = next(iter(found.values()))
        return Finding(
            severity=self.severity,
            confidence=0.95,
            message=f"the bias of {names} is removed by the batch norm that follows: "
            f"{count(len(found), 'bias') if len(found) == 1 else f'{len(found)} biases'} "
            "without effect",
            where=run.layer_place(next(iter(found)), op=first.op),
            first_step=wiring.step,
            evidence=(
                Evidence(signal="wiring", value=f"{first.op} → batch norm", steps=(wiring.step,)),
            ),
            remedies=(
                Remedy(name="drop-bias", text=f"Build {names} with `bias=False`."),
            ),
        )  # fmt: skip


def biased(run: Training, wiring: Wiring) -> Iterator[tuple[str, Node]]:
    """Layers with a trainable bias that feed a batch norm and nothing else."""
    for index in wiring.find(NORMS):
        if not wiring.nodes[index].facts.get("training"):
            continue
        source = wiring.source(wiring.nodes[index].inputs[0], through=KEEPING)
        if source is None or wiring.nodes[source].op not in LINEARS:
            continue
        node = wiring.nodes[source]
        names = [wiring.weight(i) for i in node.inputs]
        biases = [run.parameters[n] for n in names if n in run.parameters]
        has_bias = any(len(p.shape) == 1 and p.trainable and p.optimized for p in biases)
        if has_bias and node.layer and len(wiring.consumers[source]) == 1:
            yield node.layer, node

from __future__ import annotations

from math import prod

from babysit.findings import Evidence, Finding, Remedy
from babysit.rule import Conclusions, Rule, healthy, sick
from babysit.run import Parameter, Training
from babysit.text import listing
from babysit.wiring import DROPOUT, RESHAPES, Node, Wiring, chain

LAYERS = frozenset({"Addmm", "Mm", "Linear", "Convolution"})
# What a linear map may pass through and stay linear: reshaping, batch norm, averaging, adding
# a bias. Dropout is a product with a constant.
LINEAR_PASSAGE = RESHAPES | {"NativeBatchNorm", "CudnnBatchNorm", "NativeDropout", DROPOUT,
                             "AvgPool2D", "AdaptiveAvgPool2D", "Mean"}  # fmt: skip


class MissingNonlinearity(Rule):
    """Linear layers follow one another with nothing in between that bends.

    Why it matters:
        Two linear layers in a row compute what one could: the depth is paid for and buys
        nothing, and the net can only draw straight borders.

    How it decides:
        In the graph, one layer's product reaches the next through reshaping, dropout or batch
        norm only, and the layers between are wide enough that a single layer could replace them
        all.

    What to do:
        Put an activation between them, ``nn.ReLU()`` for a start.

    When it is wrong:
        A narrow layer in between is a bottleneck on purpose (low rank, LoRA, autoencoder
        codes, the latent of a VAE) and is not reported, nor are upsampling convolutions, parts of
        a separable convolution, an input projection whose result is used twice, nor the border
        between two modules (encoder and decoder, projector and predictor).
    """

    since = "0.1"
    severity = "warning"
    needs = ("wiring",)
    remedies = ("add-activation",)
    explains = ("loss-not-decreasing",)
    examples = (
        sick(
            wiring=chain(
                Node(op="Parameter", parameter="a.weight", layer="a"),
                Node(op="Addmm", inputs=(None, 0), layer="a", shape=(8, 32)),
                Node(op="Parameter", parameter="b.weight", layer="b"),
                Node(op="Addmm", inputs=(1, 2), layer="b", shape=(8, 10)),
            ),
            parameters=(Parameter(name="a.weight", shape=(32, 64), layer="a"),
                        Parameter(name="b.weight", shape=(10, 32), layer="b")),
        ),
        healthy(
            wiring=chain(
                Node(op="Parameter", parameter="a.weight", layer="a"),
                Node(op="Addmm", inputs=(None, 0), layer="a", shape=(8, 4)),
                Node(op="Parameter", parameter="b.weight", layer="b"),
                Node(op="Addmm", inputs=(1, 2), layer="b", shape=(8, 64)),
            ),
            parameters=(Parameter(name="a.weight", shape=(4, 64), layer="a"),
                        Parameter(name="b.weight", shape=(64, 4), layer="b")),
        ),
    )  # fmt: skip

    def check(self, run: Training) -> Conclusions:
        """Find the layers that one layer could replace."""
        for wiring in run.wirings:
            pairs = [
                (earlier, index)
                for index in wiring.find(LAYERS)
                if (earlier := previous_layer(wiring, index)) is not None
                and is_collapsible(run, wiring, earlier, index)
            ]
            if pairs:
                yield self._finding(wiring, pairs)
                return

    def _finding(self, wiring: Wiring, pairs: list[tuple[int, int]]) -> Finding:
        layers = dict.fromkeys(wiring.nodes[index].layer for pair in pairs for index in pair)
        names = listing([f"`{layer}`" for layer in layers], most=4)
        later = wiring.nodes[pairs[0][1]]
        return Finding(
            confidence=0.95,
            message=f"nothing nonlinear stands between the layers {names}: "
            "together they compute what one linear layer could",
            where=later.place,
            first_step=wiring.step,
            evidence=(
                Evidence(
                    signal="wiring",
                    value=f"{wiring.nodes[pairs[0][0]].op} → {later.op}",
                    steps=(wiring.step,),
                ),
            ),
            remedies=(
                Remedy(
                    name="add-activation",
                    text=f"Put an activation such as nn.ReLU() between {names}.",
                ),
            ),
        )


def previous_layer(wiring: Wiring, index: int) -> int | None:
    """The linear layer whose product this layer reads, if nothing bends in between."""
    at = wiring.operand(index)
    while at is not None and wiring.nodes[at].op not in LAYERS:
        node = wiring.nodes[at]
        data = [s for s in node.inputs if s is not None and wiring.weight(s) is None]
        adds_bias = node.op == "Add" and len(data) == 1 and None not in node.inputs
        is_dropout = node.op == "Mul" and len(data) == 1 and None in node.inputs
        if len(data) != 1 or len(wiring.consumers[at]) != 1:
            return None
        if not (node.op in LINEAR_PASSAGE or adds_bias or is_dropout):
            return None
        at = data[0]
    return at if at is not None and len(wiring.consumers[at]) == 1 else None


def is_collapsible(run: Training, wiring: Wiring, earlier: int, later: int) -> bool:
    """Whether one layer could replace two: the width between does not limit the rank."""
    parents = {(wiring.nodes[i].layer or "").rpartition(".")[0] for i in (earlier, later)}
    if len(parents) > 1 and wiring.nodes[later].op != "Convolution":
        return False
    first, second = weight_shape(run, wiring, earlier), weight_shape(run, wiring, later)
    if first is None or second is None or len(first) != len(second):
        return False
    if any(is_separable(wiring.nodes[i], s) for i, s in ((earlier, first), (later, second))):
        return False
    width, fan_in, fan_out = first[0], prod(first[1:]), second[0]
    return width > 1 and width >= min(fan_in, fan_out)


def is_separable(node: Node, shape: tuple[int, ...]) -> bool:
    """A depthwise, grouped, one-dimensional or transposed (upsampling) convolution."""
    is_special = node.facts.get("groups", 1) > 1 or node.facts.get("transposed", 0) > 0
    return is_special or len(set(shape[2:])) > 1


def weight_shape(run: Training, wiring: Wiring, index: int) -> tuple[int, ...] | None:
    """(out, in, …) of the weight of a layer's operation."""
    for source in wiring.nodes[index].inputs:
        parameter = run.parameters.get(wiring.weight(source) or "")
        if parameter is not None and len(parameter.shape) >= 2:
            out = wiring.nodes[index].shape[-1]
            is_transposed = len(parameter.shape) == 2 and parameter.shape[0] != out
            return parameter.shape[::-1] if is_transposed else parameter.shape
    return None

from __future__ import annotations

from math import prod
from typing import Any

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


def two_layers(fan_in: int, width: int, fan_out: int, *, is_own: bool = True) -> dict[str, Any]:
    """An example: one linear layer after another, held by the same optimizer or not."""
    return {
        "wiring": chain(
            Node(op="Parameter", parameter="a.weight", layer="a"),
            Node(op="Addmm", inputs=(None, 0), layer="a", shape=(8, width)),
            Node(op="Parameter", parameter="b.weight", layer="b"),
            Node(op="Addmm", inputs=(1, 2), layer="b", shape=(8, fan_out)),
        ),
        "parameters": (
            Parameter(name="a.weight", shape=(width, fan_in), layer="a"),
            Parameter(name="b.weight", shape=(fan_out, width), layer="b", is_own=is_own),
        ),
    }


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
        sick(**two_layers(64, 32, 10)),
        healthy(**two_layers(64, 4, 64)),
        healthy(**two_layers(64, 64, 64, is_own=False)),
    )

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
    weights = weight_of(run, wiring, earlier), weight_of(run, wiring, later)
    if weights[0] is None or weights[1] is None or weights[0].is_own != weights[1].is_own:
        return False  # the last layer of one model and the first of another, as in a GAN
    first = shape_of(weights[0], wiring.nodes[earlier])
    second = shape_of(weights[1], wiring.nodes[later])
    if len(first) != len(second):
        return False
    if any(is_separable(wiring.nodes[i], s) for i, s in ((earlier, first), (later, second))):
        return False
    width, fan_in, fan_out = first[0], prod(first[1:]), second[0]
    return width > 1 and width >= min(fan_in, fan_out)


def is_separable(node: Node, shape: tuple[int, ...]) -> bool:
    """A depthwise, grouped, one-dimensional or transposed (upsampling) convolution."""
    is_special = node.facts.get("groups", 1) > 1 or node.facts.get("transposed", 0) > 0
    return is_special or len(set(shape[2:])) > 1


def weight_of(run: Training, wiring: Wiring, index: int) -> Parameter | None:
    """The weight matrix that a layer's operation reads."""
    names = (wiring.weight(source) for source in wiring.nodes[index].inputs)
    known = (run.parameters[name] for name in names if name in run.parameters)
    return next((parameter for parameter in known if len(parameter.shape) >= 2), None)


def shape_of(parameter: Parameter, node: Node) -> tuple[int, ...]:
    """(out, in, …) of the weight of a layer's operation."""
    is_transposed = len(parameter.shape) == 2 and parameter.shape[0] != node.shape[-1]
    return parameter.shape[::-1] if is_transposed else parameter.shape

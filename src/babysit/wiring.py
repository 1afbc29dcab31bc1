"""Wiring: the autograd graph of one step as plain data, and questions to it.

A node is an operation that took part in the loss. Its inputs are the nodes whose results it
read; operands without a gradient (data, targets, constants) appear as ``None``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from babysit.findings import Place

PARAMETER: Final = "Parameter"
DROPOUT: Final = "Dropout"

# Operations that pass values on unchanged, only seen under another shape or type.
RESHAPES: Final = frozenset(
    "View UnsafeView ReshapeAlias Reshape Transpose Permute T Mt Squeeze Unsqueeze Slice Select "
    "Clone ToCopy Alias AsStrided Narrow Split SplitWithSizes Chunk Unbind Index IndexSelect "
    "Contiguous Expand Flatten Unflatten Movedim Detach Copy CopySlices ViewAs Swapaxes".split()
)
LINEARS: Final = frozenset(
    "Addmm Mm Linear Convolution MkldnnConvolution CudnnConvolution Addmv Mv Bmm Baddbmm "
    "MklLinear MkldnnLinear".split()
)
POOLINGS: Final = frozenset(
    "Dropout MaxPool2DWithIndices AvgPool2D MaxPool1D MkldnnMaxPool2D AdaptiveAvgPool2D "
    "AdaptiveMaxPool2D MaxPool3DWithIndices AvgPool3D Mean".split()
)
NORMS: Final = frozenset(
    "NativeBatchNorm CudnnBatchNorm NativeLayerNorm NativeGroupNorm FusedRmsNorm".split()
)
SOFTMAXES: Final = frozenset({"Softmax", "SafeSoftmax"})


@dataclass(frozen=True, kw_only=True)
class Node:
    """One operation: its name without the ``Backward0`` ending, and where it stands."""

    op: str
    inputs: tuple[int | None, ...] = ()
    shape: tuple[int, ...] = ()
    layer: str | None = None
    parameter: str | None = None
    file: str | None = None
    line: int | None = None
    code: str | None = None
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        return Place(layer=self.layer, op=self.op, file=self.file, line=self.line, code=self.code)

    def to_json(self) -> dict[str, Any]:
        """The fields that differ from their defaults, so that a wiring stays small on disk."""
        full = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: value for name, value in full.items() if value}


@dataclass(frozen=True, kw_only=True)
class LossCall:
    """A call of one of PyTorch's loss functions: shapes and value ranges of its operands.

    Args:
        output: the operation that made the prediction, where the call raised.
    """

    function: str
    prediction_shape: tuple[int, ...]
    target_shape: tuple[int, ...]
    file: str | None = None
    line: int | None = None
    code: str | None = None
    facts: Mapping[str, float] = field(default_factory=dict)
    output: Node | None = None

    def to_json(self) -> dict[str, Any]:
        output = self.output.to_json() if self.output is not None else None
        return {**vars(self), "output": output}

    @property
    def place(self) -> Place:
        return Place(op=self.function, file=self.file, line=self.line, code=self.code)


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """All nodes of one backward pass, inputs before their consumers; the last is the loss."""

    step: int = 0
    nodes: tuple[Node, ...] = ()
    calls: tuple[LossCall, ...] = ()

    @cached_property
    def consumers(self) -> tuple[tuple[int, ...], ...]:
        """For every node, the nodes that read its result."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            for source in node.inputs:
                if source is not None:
                    found[source].append(index)
        return tuple(tuple(users) for users in found)

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names of the parameters that the loss depends on."""
        return frozenset(node.parameter for node in self.nodes if node.parameter)

    @property
    def digest(self) -> str:
        """The same for two steps whose wiring is the same (batch size aside)."""
        text = repr([(n.op, n.inputs, n.shape[1:]) for n in self.nodes])
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def find(self, ops: Iterable[str]) -> Iterator[int]:
        """Indices of the nodes whose operation is one of ``ops``, inputs first."""
        wanted = frozenset(ops)
        return (index for index, node in enumerate(self.nodes) if node.op in wanted)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """A name for every node that is the same from step to step: ``Log 0``, ``Log 1`` …"""
        counts: dict[str, int] = {}
        found = []
        for node in self.nodes:
            found.append(f"{node.op} {counts.get(node.op, 0)}")
            counts[node.op] = counts.get(node.op, 0) + 1
        return tuple(found)

    def source(self, index: int | None, *, through: frozenset[str] = RESHAPES) -> int | None:
        """The node that produced a value, looking back through operations of one operand."""
        while index is not None and self.nodes[index].op in through:
            inputs = [source for source in self.nodes[index].inputs if source is not None]
            index = inputs[0] if len(inputs) == 1 else None
        return index

    def operand(self, index: int) -> int | None:
        """The data that a layer's operation reads: its one input that is not a parameter."""
        found = [
            source
            for source in self.nodes[index].inputs
            if source is not None and self.weight(source) is None
        ]
        return found[0] if len(found) == 1 else None

    def weight(self, index: int | None) -> str | None:
        """The parameter's name if this value is a parameter, maybe reshaped or cast."""
        index = self.source(index)
        return self.nodes[index].parameter if index is not None else None

    def sigmoid(self, index: int | None) -> int | None:
        """The sigmoid that produced this value: PyTorch's own, or 1 / (1 + exp(-x))."""
        index = self.source(index)
        if index is None or self.nodes[index].op == "Sigmoid":
            return index
        inverse = self.source(index, through=RESHAPES | {"Mul"})
        if inverse is None or self.nodes[inverse].op not in ("Reciprocal", "Div"):
            return None
        operands = [source for source in self.nodes[inverse].inputs if source is not None]
        total = self.source(operands[0]) if len(operands) == 1 else None
        if total is None or self.nodes[total].op != "Add":
            return None
        summands = [self.source(source) for source in self.nodes[total].inputs]
        is_one_plus_exp = any(i is not None and self.nodes[i].op == "Exp" for i in summands)
        return index if is_one_plus_exp else None

    def softmax(self, index: int | None) -> int | None:
        """The softmax that produced this value: PyTorch's own, or exp(x) / sum(exp(x))."""
        index = self.source(index)
        if index is None:
            return None
        node = self.nodes[index]
        if node.op in SOFTMAXES:
            return index
        if node.op == "Div" and len(node.inputs) == 2:
            top, bottom = self.source(node.inputs[0]), self.source(node.inputs[1])
            if top is not None and bottom is not None and self.nodes[bottom].op == "Sum":
                same = self.source(self.nodes[bottom].inputs[0]) == top
                return index if same and self.nodes[top].op == "Exp" else None
        return None

    def loss_terms(self) -> list[tuple[int, float]]:
        """What the last node adds up: operations and the numbers that they are multiplied with."""
        found: list[tuple[int, float]] = []
        open_ends = [(len(self.nodes) - 1, 1.0)] if self.nodes else []
        while open_ends and len(found) < 64:
            index, factor = open_ends.pop()
            node = self.nodes[index]
            sources = [source for source in node.inputs if source is not None]
            is_scaled = node.op in ("Mul", "Div") and "factor" in node.facts
            if sources and (is_scaled or node.op in RESHAPES or node.op in ("Add", "Sub", "Neg")):
                factor *= node.facts.get("factor", 1.0)
                open_ends += [(source, factor) for source in sources]
            else:
                found.append((index, factor))
        return found

    def loss_factor(self) -> float:
        """The largest number that any term of the loss is multiplied with."""
        return max((abs(factor) for _, factor in self.loss_terms()), default=1.0)

    def summed_loss(self) -> tuple[int | None, int]:
        """The term of the loss that adds up a batch without dividing, and the batch's size."""
        size = next(
            (node.shape[0] for node in self.nodes if node.op in LINEARS and len(node.shape) > 1), 0
        )
        for index, factor in self.loss_terms():
            node = self.nodes[index]
            added = [self.nodes[source].shape[:1] for source in node.inputs if source is not None]
            adds_batch = node.op == "Sum" and not node.shape and added == [(size,)]
            is_summed = adds_batch or node.facts.get("reduction") == 2
            if is_summed and size > 1 and abs(factor) * size > 2:
                return index, size
        return None, size

    def hidden_squashes(self) -> list[int]:
        """Sigmoids and tanhs between two layers: no gates, no attention, no outputs.

        A gate's result meets another value in a product; an output reaches no further layer.
        """
        return [index for index in self.find({"Sigmoid", "Tanh"}) if self.feeds_layer(index)]

    def loss_place(self, index: int) -> Place:
        """Where a loss stands: its line, and the layer that gave the scores."""
        node = self.nodes[index]
        source = self.source(node.inputs[0], through=RESHAPES | {"LogSoftmax", "Log", "Sub"})
        if source is None:
            source = self.source(node.inputs[0])
        layer = self.nodes[source].layer if source is not None else None
        return Place(layer=layer, op=node.op, file=node.file, line=node.line, code=node.code)

    def is_normalised(self, layer: str, *, within: int = 6) -> bool:
        """Whether a normalisation follows a layer within its next few operations."""
        waiting = {i for i, node in enumerate(self.nodes) if node.layer == layer and node.inputs}
        for _ in range(within):
            waiting = {user for index in waiting for user in self.consumers[index]}
            if any(self.nodes[index].op in NORMS for index in waiting):
                return True
        return False

    def feeds_layer(self, index: int, *, through: frozenset[str] = RESHAPES | POOLINGS) -> bool:
        """Whether a value goes on only into layers with weights of their own (at least one)."""
        waiting, num_layers = [index], 0
        while waiting:
            at = waiting.pop()
            for user in self.consumers[at]:
                node = self.nodes[user]
                if node.op in LINEARS and any(
                    self.weight(source) for source in node.inputs if source != at
                ):
                    num_layers += 1
                elif node.op in through:
                    waiting.append(user)
                else:
                    return False
        return num_layers > 0


def share_kept(wiring: Wiring) -> float:
    """The share of values that dropout leaves on the best way from the data to the loss.

    Dropouts one after another multiply; a way around them (a residual) counts as it is.
    """
    kept: list[float | None] = []
    for node in wiring.nodes:
        before = [kept[index] for index in node.inputs if index is not None]
        known = [share for share in before if share is not None]
        if known:
            kept.append(max(known) * (1 - node.facts.get("p", 0.0)))
        else:  # parameters alone carry no data; plain data and embeddings do
            kept.append(1.0 if None in node.inputs or node.op == "Embedding" else None)
    return (kept[-1] if kept else None) or 1.0


def strongest_dropout(wiring: Wiring) -> Place | None:
    """The place of the dropout with the highest rate."""
    found = [node for node in wiring.nodes if node.op == DROPOUT]
    strongest = max(found, key=lambda node: node.facts.get("p", 0.0), default=None)
    return strongest.place if strongest is not None else None


def chain(*nodes: Node, step: int = 0) -> Wiring:
    """A wiring in which every operation reads the node before it; for examples and tests."""
    linked = (
        replace(node, inputs=(index - 1,))
        if index and not node.inputs and node.op != PARAMETER
        else node
        for index, node in enumerate(nodes)
    )
    return Wiring(step=step, nodes=tuple(linked))

"""The X-ray: the autograd graph behind a loss, read into a :class:`~babysit.wiring.Wiring`.

It is read just before backward, while the graph and what the forward saved are alive. Nodes
name the real operations, also of functional and hand-written code. While a step is sampled
two light hooks note which module was running (by autograd sequence numbers), and anomaly mode
keeps the Python stack of each node, without its checks, for the source line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from torch import Tensor, nn
from torch.nn.modules.loss import _Loss

from babysit.instrument import sources
from babysit.instrument.names import Names
from babysit.instrument.scopes import Scopes
from babysit.wiring import DROPOUT, PARAMETER, LossCall, Node, Wiring

MAX_NODES: Final = 100_000
_ENDING: Final = re.compile(r"Backward\d*$")
_SAVED_DIM: Final = ("Softmax", "LogSoftmax", "SafeSoftmax", "Sum")


@dataclass
class Xray:
    """One look: the wiring, and what of the graph itself is still of use before backward.

    Attributes:
        graph: the autograd node behind each node of the wiring.
        roots: the outermost modules that ran.
        calls: the loss functions called since the last step.
        facts: what readings have to say about the training as a whole.
        names: of layers and parameters.
        scopes: which modules ran, and how they were entered.
    """

    wiring: Wiring
    graph: list[Any]
    leaves: list[Tensor]
    loss: Tensor
    names: Names
    scopes: Scopes
    roots: list[nn.Module] = field(default_factory=list)
    calls: Sequence[LossCall] = ()
    untouchable: set[int] = field(default_factory=set)
    facts: dict[str, Any] = field(default_factory=dict)

    def saved(self, index: int, name: str) -> Tensor | None:
        """A tensor that the forward saved; ``None`` when there is none or it may not be read."""
        if index in self.untouchable:
            return None
        try:
            value = getattr(self.graph[index], f"_saved_{name}", None)
        except RuntimeError:  # freed, or changed in place since
            return None
        return value.detach() if isinstance(value, Tensor) else None


def read(loss: Tensor, *, step: int, scopes: Scopes, names: Names) -> Xray | None:
    """The X-ray of a loss; ``None`` when it has no graph or one too large to read."""
    if loss.grad_fn is None:
        return None
    graph = postorder(loss.grad_fn)
    if graph is None:
        return None
    leaves = [node.variable for node in graph if is_leaf(node)]
    for root in scopes.roots:
        names.add_root(root, has_grown=not all(names.knows(leaf) for leaf in leaves))
    if any(not names.knows(leaf) for leaf in leaves):
        names.search_attributes(leaves)
        names.search_frames(leaves)
    index_of = {node: index for index, node in enumerate(graph)}
    owners = scopes.owners()
    nodes: list[Node] = []
    untouchable: set[int] = set()
    for index, node in enumerate(graph):
        inputs = tuple(index_of.get(source) for source, _ in node.next_functions)
        number = node._sequence_nr()
        described = describe(node, inputs, nodes, owners, names)
        if number in scopes.dropouts and described.op in ("Mul", "NativeDropout"):
            facts = {"p": scopes.dropouts[number]}
            described = replace(described, op=DROPOUT, facts=facts)
        nodes.append(described)
        if any(start <= number < end for start, end in scopes.hooked):
            untouchable.add(index)
    return Xray(
        wiring=Wiring(step=step, nodes=tuple(nodes)),
        graph=graph,
        leaves=leaves,
        loss=loss,
        names=names,
        scopes=scopes,
        roots=list(scopes.roots),
        untouchable=untouchable,
    )


def is_leaf(node: Any) -> bool:
    """Whether a graph node stands for a leaf tensor (a parameter) that collects its gradient."""
    return bool(node.name() == "torch::autograd::AccumulateGrad")


def leaves_of(loss: Tensor) -> list[Tensor]:
    """The leaf tensors that a loss depends on."""
    graph = postorder(loss.grad_fn) if loss.grad_fn is not None else None
    return [node.variable for node in graph or () if is_leaf(node)]


def postorder(root: Any) -> list[Any] | None:
    """All nodes of a graph, inputs before consumers; ``None`` above :data:`MAX_NODES`."""
    order: list[Any] = []
    seen = {root}
    stack: list[tuple[Any, Iterator[Any]]] = [(root, iter(root.next_functions))]
    while stack:
        node, sources_left = stack[-1]
        for source, _ in sources_left:
            if source is not None and source not in seen:
                seen.add(source)
                stack.append((source, iter(source.next_functions)))
                break
        else:
            stack.pop()
            order.append(node)
        if len(seen) > MAX_NODES:
            return None
    return order


def describe(
    node: Any,
    inputs: tuple[int | None, ...],
    before: list[Node],
    owners: dict[int, nn.Module],
    names: Names,
) -> Node:
    """One graph node as data."""
    if is_leaf(node):
        name, own_layer, _ = names.parameter(node.variable)
        shape = tuple(node.variable.shape)
        return Node(op=PARAMETER, shape=shape, layer=own_layer, parameter=name)
    metadata = node._input_metadata
    op = _ENDING.sub("", node.name().rpartition("::")[2])
    shape = tuple(metadata[0].shape) if metadata else ()
    owner = owners.get(node._sequence_nr())
    layer, ran_in_leaf = layer_of(owner, inputs, before, names)
    place = sources.from_traceback(node.metadata.get("traceback_", []))
    if owner is not None and ran_in_leaf:
        place = names.place_of(owner) or place
    return Node(
        op=op, inputs=inputs, shape=shape, layer=layer, facts=facts_of(node, op, shape),
        **(place or {}),
    )  # fmt: skip


def layer_of(
    owner: nn.Module | None, inputs: tuple[int | None, ...], before: list[Node], names: Names
) -> tuple[str | None, bool]:
    """The layer of an operation, and whether a leaf module ran it.

    A leaf module's own name; else the layer whose weight it reads; else the layer before it. A
    loss is none, called as a module or as a function.
    """
    if owner is not None and not owner._modules and not isinstance(owner, _Loss):
        name = names.layer(owner)
        if name:
            return name, True
    sources_known = [before[index] for index in inputs if index is not None]
    read = [parameter_behind(source, before) for source in sources_known]
    weights = [weight for weight in read if weight is not None and weight.layer]
    if weights:  # rather the matrix than the bias, should they be tensors of their own
        return max(weights, key=lambda weight: len(weight.shape)).layer, False
    return next((source.layer for source in sources_known if source.layer), None), False


def parameter_behind(node: Node, before: list[Node]) -> Node | None:
    """The parameter that a value is, maybe transposed or cast."""
    while node.op in ("T", "Transpose", "View", "ToCopy", "Expand") and node.inputs:
        first = node.inputs[0]
        if first is None:
            return None
        node = before[first]
    return node if node.parameter is not None else None


def facts_of(node: Any, op: str, shape: tuple[int, ...]) -> dict[str, float]:
    """Plain attributes of a node that rules ask for."""
    facts: dict[str, float] = {}
    if op in _SAVED_DIM:
        dim = getattr(node, "_saved_dim", None)
        if isinstance(dim, int):
            facts["dim"] = float(signed(dim) % len(shape) if shape else 0)
    elif op in ("Mul", "Div"):
        factor = constant(node)
        if factor is not None:
            facts["factor"] = factor if op == "Mul" else (1 / factor if factor else math.inf)
    elif op in ("Clamp", "ClampMax", "ClampMin", "Hardtanh"):
        facts = limits(node)
    elif op == "Convolution":
        facts = {"groups": float(node._saved_groups), "transposed": float(node._saved_transposed)}
    elif op == "NativeBatchNorm":
        facts = {"training": float(node._saved_training)}
    elif is_users_function(node):
        facts = {"custom": 1.0}
    reduction = getattr(node, "_saved_reduction", None)
    if isinstance(reduction, int):
        facts["reduction"] = float(reduction)
    if op == "NllLoss":
        facts["ignore_index"] = float(signed(node._saved_ignore_index))
        facts["has_weight"] = float(node._saved_weight is not None)
    elif op.startswith("BinaryCrossEntropy"):
        weights = (node._saved_weight, getattr(node, "_saved_pos_weight", None))
        facts["has_weight"] = float(any(weight is not None for weight in weights))
    return facts


def is_users_function(node: Any) -> bool:
    """Whether a node is an ``autograd.Function`` of the program's own."""
    made_by = getattr(node, "_forward_cls", None)
    return made_by is not None and not made_by.__module__.startswith("torch")


def signed(number: int) -> int:
    """An integer attribute of a node, which Python sees without its sign."""
    return number - (1 << 64) if number >= 1 << 63 else number


def limits(node: Any) -> dict[str, float]:
    """The numbers that a clamp clamps to, those that are there."""
    ending = "_val" if "Hardtanh" in node.name() else ""
    found = {name: getattr(node, f"_saved_{name}{ending}", None) for name in ("min", "max")}
    return {name: float(one) for name, one in found.items() if isinstance(one, (int, float))}


def constant(node: Any) -> float | None:
    """What a product or quotient multiplies with, if it is one number without a gradient."""
    try:
        other = getattr(node, "_saved_other", None)
    except RuntimeError:  # freed, or changed in place since
        return None
    if isinstance(other, Tensor):
        is_plain = other.dim() == 0 and not other.requires_grad and other.device.type == "cpu"
        return float(other) if is_plain else None
    return float(other) if isinstance(other, (int, float)) else None


def weight_of(xray: Xray, index: int) -> Tensor | None:
    """The first weight matrix that a layer's operation reads."""
    wiring = xray.wiring
    for source in wiring.nodes[index].inputs:
        leaf = wiring.source(source)
        if leaf is not None and wiring.nodes[leaf].op == PARAMETER:
            tensor: Tensor = xray.graph[leaf].variable
            if tensor.dim() >= 2:
                stored_by_rows = wiring.nodes[index].op not in ("Mm", "Addmm") or source != leaf
                return tensor if stored_by_rows else tensor.detach().t()
    return None


def leaf_of(xray: Xray, index: int) -> Tensor | None:
    """The weight matrix itself that a layer's operation reads, as stored: one identity for good.

    :func:`weight_of` may give a transposed view, made anew each time.
    """
    wiring = xray.wiring
    for source in wiring.nodes[index].inputs:
        leaf = wiring.source(source)
        if leaf is not None and wiring.nodes[leaf].op == PARAMETER:
            tensor: Tensor = xray.graph[leaf].variable
            if tensor.dim() >= 2:
                return tensor
    return None

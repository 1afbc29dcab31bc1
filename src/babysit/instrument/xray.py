"""The X-ray: the autograd graph behind a loss, read into a :class:`~babysit.wiring.Wiring`.

It is read just before backward, while the graph and what the forward saved are alive. Nodes
name the real operations, also of functional and hand-written code. While a step is sampled
two light hooks note which module was running (by autograd sequence numbers), and anomaly mode
keeps the Python stack of each node, without its checks, for the source line.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn

from babysit.instrument import sources
from babysit.instrument.names import Names
from babysit.wiring import PARAMETER, Node, Wiring

MAX_NODES: Final = 100_000
_ENDING: Final = re.compile(r"Backward\d*$")
_SAVED_DIM: Final = ("Softmax", "LogSoftmax", "SafeSoftmax", "Sum")


@dataclass
class Xray:
    """One reading: the wiring, and what of the graph itself is still of use before backward."""

    wiring: Wiring
    graph: list[Any]
    leaves: list[Tensor]
    untouchable: set[int] = field(default_factory=set)

    def saved(self, index: int, name: str) -> Tensor | None:
        """A tensor that the forward saved; ``None`` when there is none or it may not be read."""
        if index in self.untouchable:
            return None
        try:
            value = getattr(self.graph[index], f"_saved_{name}", None)
        except RuntimeError:  # freed, or changed in place since
            return None
        return value.detach() if isinstance(value, Tensor) else None


class Scopes:
    """Which module was running when: sequence numbers at entry and exit of each forward."""

    def __init__(self) -> None:
        self.spans: list[tuple[int, int, nn.Module]] = []
        self.roots: list[nn.Module] = []
        self.hooked: list[tuple[int, int]] = []
        self._open: list[tuple[int, nn.Module]] = []
        self._hooked_since: list[int] = []
        self._handles: list[Any] = []
        self._thread = 0

    def attach(self) -> None:
        if not self._handles:
            module = torch.nn.modules.module
            self._handles = [
                module.register_module_forward_pre_hook(self._enter),
                module.register_module_forward_hook(self._leave),
            ]
        self.clear()

    def detach(self) -> None:
        while self._handles:
            self._handles.pop().remove()
        self.clear()

    def clear(self) -> None:
        self._thread = threading.get_ident()
        self.spans, self.roots, self.hooked = [], [], []
        self._open, self._hooked_since = [], []

    def _enter(self, module: nn.Module, args: Any) -> None:
        if threading.get_ident() == self._thread:
            if not self._open and not any(root is module for root in self.roots):
                self.roots.append(module)
            self._open.append((sequence_number(), module))

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if threading.get_ident() != self._thread:
            return
        while self._open:  # a forward that raised has left its entry behind
            start, entered = self._open.pop()
            if entered is module:
                end = sequence_number()
                if end > start:
                    self.spans.append((start, end, module))
                    if len(self.spans) > MAX_NODES:  # a long evaluation with gradients on
                        del self.spans[: MAX_NODES // 2]
                return

    def saved_tensor_hooks(self, *, entered: bool) -> None:
        """Saved-tensor hooks (checkpointing, offloading) begin or end: hands off in between."""
        if entered:
            self._hooked_since.append(sequence_number())
        elif self._hooked_since:
            self.hooked.append((self._hooked_since.pop(), sequence_number()))

    def owners(self) -> dict[int, nn.Module]:
        """The innermost module of every sequence number; inner forwards end first."""
        found: dict[int, nn.Module] = {}
        for start, end, module in self.spans:
            for number in range(start, end):
                found.setdefault(number, module)
        return found


def read(loss: Tensor, *, step: int, scopes: Scopes, names: Names) -> Xray | None:
    """The X-ray of a loss; ``None`` when it has no graph or one too large to read."""
    if loss.grad_fn is None:
        return None
    graph = postorder(loss.grad_fn)
    if graph is None:
        return None
    for root in scopes.roots:
        names.add_root(root)
    leaves = [node.variable for node in graph if is_leaf(node)]
    if any(not names.knows(leaf) for leaf in leaves):
        names.search_frames(leaves)
    index_of = {node: index for index, node in enumerate(graph)}
    owners = scopes.owners()
    nodes: list[Node] = []
    untouchable: set[int] = set()
    for index, node in enumerate(graph):
        inputs = tuple(index_of.get(source) for source, _ in node.next_functions)
        nodes.append(describe(node, inputs, nodes, owners, names))
        number = node._sequence_nr()
        if any(start <= number < end for start, end in scopes.hooked):
            untouchable.add(index)
    wiring = Wiring(step=step, nodes=tuple(nodes))
    return Xray(wiring=wiring, graph=graph, leaves=leaves, untouchable=untouchable)


def is_leaf(node: Any) -> bool:
    """Whether a graph node stands for a leaf tensor (a parameter) that collects its gradient."""
    return bool(node.name() == "torch::autograd::AccumulateGrad")


def sequence_number() -> int:
    """The number that the next node of this thread's graph will get."""
    return int(torch._C._autograd._get_sequence_nr())


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

    A leaf module's own name; else the layer whose weight it reads; else the layer before it.
    """
    if owner is not None and not owner._modules:
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
    if op in _SAVED_DIM:
        dim = getattr(node, "_saved_dim", None)
        if isinstance(dim, int):
            dim = dim - (1 << 64) if dim >= 1 << 63 else dim
            return {"dim": float(dim % len(shape) if shape else 0)}
    if op == "Convolution":
        return {"groups": float(node._saved_groups), "transposed": float(node._saved_transposed)}
    if op == "NativeBatchNorm":
        return {"training": float(node._saved_training)}
    return {}

"""The ways of a layer's units: through what they pass, each alone, into which next layer."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from torch import fx, nn
from torch.nn.modules import activation, pooling
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

from babysit.change import CannotApplyError
from babysit.changes._models import traced

# Layers and functions through which each unit passes alone; their names.
UNITWISE_LAYERS: Final = set(activation.__all__) - {
    "MultiheadAttention", "Softmax", "Softmax2d", "Softmin", "LogSoftmax", "GLU", "PReLU",
}  # fmt: skip
UNITWISE_FUNCTIONS: Final = frozenset(
    "relu relu6 leaky_relu elu selu celu gelu silu mish tanh sigmoid softplus softsign hardtanh "
    "hardswish hardsigmoid logsigmoid dropout dropout1d dropout2d alpha_dropout contiguous".split()
)
SPATIAL_FUNCTIONS: Final = frozenset(
    f"{adaptive}{kind}_pool{num}d" for adaptive in ("", "adaptive_") for kind in ("max", "avg")
    for num in (1, 2)
)  # fmt: skip
SHAPE_QUERIES: Final = ("size", "dim", "getattr")
MAX_HOPS: Final = 30


@dataclass(frozen=True, kw_only=True)
class Link:
    """A layer, the norms that its units pass, and the one layer that takes them.

    Attributes:
        source, target: linear layers or convolutions.
    """

    source: Any
    norms: tuple[Any, ...]
    target: Any


def find_links(model: nn.Module) -> list[Link]:
    """All layers whose width is their own and that of one next layer.

    Raises:
        CannotApplyError: there are none, or the forward cannot be followed.
    """
    try:
        graph = traced(model)
    except Exception as error:  # whatever a forward does with what is no tensor
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CannotApplyError(f"its forward cannot be followed ({reason})") from None
    owners = Owners(model, graph)
    links = [Way(owners, node).link() for node in graph.nodes if owners.is_free(node)]
    found = [link for link in links if link is not None]
    if not found:
        raise CannotApplyError("no layer's units go into exactly one next linear or convolution")
    return found


class Owners:
    """The layers behind a graph's nodes, and which of them may be altered."""

    def __init__(self, model: nn.Module, graph: fx.Graph) -> None:
        self._modules = dict(model.named_modules(remove_duplicate=False))
        held = (one for layer in model.modules() for one in layer.parameters(recurse=False))
        self._times_held = Counter(id(one) for one in held)
        self._times_called = Counter(self._id_of(node) for node in graph.nodes)
        self._read = {str(node.target) for node in graph.nodes if node.op == "get_attr"}
        self._names = {id(one): name for name, one in model.named_parameters()}

    def of(self, node: fx.Node) -> nn.Module | None:
        return self._modules[str(node.target)] if node.op == "call_module" else None

    def _id_of(self, node: fx.Node) -> int:
        return id(self.of(node))

    def is_free(self, node: fx.Node) -> bool:
        """Whether a node is a linear or convolution that may have another shape."""
        layer = self.of(node)
        is_kind = isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)
        return is_kind and getattr(layer, "groups", 1) == 1 and self.is_own(layer)

    def is_own(self, layer: nn.Module | None) -> bool:
        """Whether a layer runs once, unwatched, with trained parameters of its own."""
        if layer is None or self._times_called[id(layer)] != 1:
            return False
        parameters = list(layer.parameters())
        has_hooks = bool(layer._forward_hooks or layer._forward_pre_hooks)
        are_own = all(self._times_held[id(one)] == 1 for one in parameters)
        are_read = any(self._names.get(id(one)) in self._read for one in parameters)
        are_trained = all(one.requires_grad for one in parameters)
        is_plain = all("." not in name for name, _ in layer.named_parameters())
        return is_plain and are_own and are_trained and not are_read and not has_hooks


class Way:
    """The way of a layer's units through what follows it."""

    def __init__(self, owners: Owners, node: fx.Node) -> None:
        self._owners, self._node = owners, node
        self._source: Any = owners.of(node)
        self._is_linear = isinstance(self._source, nn.Linear)
        self._is_flat = False
        self._norms: list[Any] = []

    def link(self) -> Link | None:
        """Where the way leads, if it leads into one next layer."""
        for _ in range(MAX_HOPS):
            nexts = [one for one in self._node.users if not is_shape_query(one)]
            if len(nexts) != 1 or argument(nexts[0], 0, "input", None) is not self._node:
                return None
            self._node = nexts[0]
            if self._owners.is_free(self._node):
                return self._link_to(self._owners.of(self._node))
            if not (self._passes_layer(self._owners.of(self._node)) or self._passes_function()):
                return None
        return None

    def _link_to(self, target: Any) -> Link | None:
        width = width_of(self._source)
        if self._is_flat:
            fits = isinstance(target, nn.Linear) and target.in_features % width == 0
        elif self._is_linear:
            fits = isinstance(target, nn.Linear) and target.in_features == width
        else:
            fits = type(target) is type(self._source) and target.in_channels == width
        link = Link(source=self._source, norms=tuple(self._norms), target=target)
        return link if fits else None

    def _passes_layer(self, layer: Any) -> bool:
        name = type(layer).__name__
        is_torch = type(layer).__module__.startswith("torch.nn.modules.")
        if isinstance(layer, nn.Flatten):
            return self._flatten((layer.start_dim, layer.end_dim))
        if isinstance(layer, _NormBase | nn.LayerNorm):
            is_layer_norm = isinstance(layer, nn.LayerNorm)
            size = layer.normalized_shape if is_layer_norm else (layer.num_features,)
            is_placed = self._is_linear if is_layer_norm else not self._is_flat
            self._norms.append(layer)
            return is_placed and size == (width_of(self._source),) and self._owners.is_own(layer)
        is_spatial = name in pooling.__all__ and not self._is_linear and not self._is_flat
        is_unitwise = name in UNITWISE_LAYERS or isinstance(layer, _DropoutNd) or is_spatial
        return (is_torch and is_unitwise) or isinstance(layer, nn.Identity)

    def _passes_function(self) -> bool:
        """Whether a function or method leaves the units apart."""
        node = self._node
        if node.op not in ("call_function", "call_method"):
            return False
        name = name_of(node)
        if name == "flatten":
            dims = argument(node, 1, "start_dim", 0), argument(node, 2, "end_dim", -1)
            return self._flatten(dims)
        if name in ("view", "reshape"):  # x.view(x.size(0), -1)
            is_kept = isinstance(argument(node, 1, "size", None), fx.Node)
            return is_kept and len(node.args) == 3 and self._flatten((1, node.args[2]))
        if name == "mean":
            dims = argument(node, 1, "dim", None)
            return not argument(node, 2, "keepdim", False) and self._average(dims)
        is_spatial = name in SPATIAL_FUNCTIONS and not self._is_linear and not self._is_flat
        return name.rstrip("_") in UNITWISE_FUNCTIONS or is_spatial

    def _flatten(self, dims: tuple[Any, Any]) -> bool:
        self._is_flat = True
        return dims == (1, -1)

    def _average(self, dims: Any) -> bool:
        """A mean over all places of an image or sequence."""
        num = 0 if self._is_linear or self._is_flat else self._source.weight.dim()
        given = dims if isinstance(dims, list | tuple) else [dims]
        asked = {dim % num if isinstance(dim, int) and num else None for dim in given}
        self._is_flat = True
        return asked == set(range(2, num)) and num > 2


def width_of(layer: Any) -> int:
    """How many units a layer gives."""
    return int(layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels)


def name_of(node: fx.Node) -> str:
    """The function or method that a node calls."""
    return str(getattr(node.target, "__name__", node.target))


def argument(node: fx.Node, position: int, name: str, default: Any) -> Any:
    """An argument of a node's call, wherever the call has it."""
    given = node.args[position : position + 1]
    return given[0] if given else node.kwargs.get(name, default)


def is_shape_query(node: fx.Node) -> bool:
    """Whether a node only asks for a shape: it follows by itself."""
    is_shape = name_of(node) != "getattr" or node.args[1] in ("shape", "ndim")
    return name_of(node) in SHAPE_QUERIES and is_shape

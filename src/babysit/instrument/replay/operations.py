"""Words, places and memory of the operations that PyTorch dispatches."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, Final

import torch
from torch import Tensor, nn

from babysit.instrument import sources

# Operations whose result is memory that nobody has written to yet.
UNWRITTEN: Final = re.compile(r"(?:new_)?empty|resize|_reshape_alias|empty_")
# Operations that put a number of the script's own into a tensor: infinity can be meant.
CONSTANTS: Final = re.compile(r"(new_)?full|(masked_)?fill|scalar_tensor|lift|constant_pad")
MAX_ROWS: Final = 16
# What no mask of infinities is given to.
LAYERS: Final = frozenset({"addmm", "mm", "bmm", "convolution", "linear", "embedding"})
PRODUCTS: Final = frozenset({"linear", "matmul", "conv"})  # sums over many values of an operand
OPERATORS: Final = {
    "truediv": "div", "rtruediv": "div", "itruediv": "div", "radd": "add", "iadd": "add",
    "rsub": "sub", "isub": "sub", "rmul": "mul", "imul": "mul", "rpow": "pow", "ipow": "pow",
    "rdiv": "div", "divide": "div", "multiply": "mul", "subtract": "sub", "arccos": "acos",
    "arcsin": "asin", "arctanh": "atanh", "inv": "inverse", "linalg_inv": "inverse",
    "getitem": "index", "vector_norm": "norm", "linalg_norm": "norm", "float": "to", "half": "to",
    "bfloat16": "to", "double": "to", "matrix_norm": "norm", "negative": "neg",
}  # fmt: skip
WORDS: Final = {
    "linalg_vector_norm": "norm", "softmax": "softmax", "log_softmax": "log_softmax",
    "addmm": "linear", "mm": "matmul", "bmm": "matmul", "baddbmm": "matmul", "addmv": "linear",
    "native_layer_norm": "layer_norm", "native_batch_norm": "batch_norm",
    "cudnn_batch_norm": "batch_norm", "native_group_norm": "group_norm",
    "convolution": "conv", "mkldnn_convolution": "conv", "thnn_conv2d": "conv",
    "linalg_eigh": "eigh", "linalg_svd": "svd", "linalg_inv_ex": "inverse",
    "linalg_slogdet": "slogdet", "linalg_cholesky_ex": "cholesky", "linalg_det": "det",
    "linalg_solve_ex": "solve", "true_divide": "div", "to_copy": "to", "linalg_logdet": "logdet",
    "cdist_forward": "cdist", "euclidean_dist": "cdist", "std_mean": "std", "var_mean": "var",
    "mkldnn_rnn_layer": "lstm", "embedding_dense": "embedding", "rnn_relu": "rnn",
    "rnn_tanh": "rnn",
}  # fmt: skip


# -- tensors -----------------------------------------------------------------------------


def memory(tensor: Tensor) -> int:
    """What tells the memory of a tensor and its views from others'."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # sparse and the like have none
        return id(tensor)


def storage_size(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().nbytes()
    except (NotImplementedError, RuntimeError):
        return 0


def floats(values: Any) -> Iterator[Tensor]:
    """All floating-point tensors within arguments or results."""
    if isinstance(values, Tensor):
        if values.is_floating_point() and values.numel() and values.layout == torch.strided:
            yield values
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from floats(value)
    elif isinstance(values, dict):
        yield from floats(list(values.values()))


def mutated(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors that an operation writes to."""
    found: list[Tensor] = []
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            is_given = position < len(args) and not argument.kwarg_only
            value = args[position] if is_given else kwargs.get(argument.name)
            found += floats(value)
    return found


def aligned(inputs: list[Tensor], position: int, size: int, func: Any) -> list[Tensor]:
    """The operands of one among many results, where an operation runs over lists of tensors."""
    if "_foreach_" not in func._schema.name and "_fused_" not in func._schema.name:
        return inputs
    whole = len(inputs) // size * size
    return [inputs[index] for index in range(position, whole, size)]


def source_of(tensor: Tensor) -> str:
    """What a tensor that no operation was seen to make must be."""
    if isinstance(tensor, nn.Parameter) or (tensor.is_leaf and tensor.requires_grad):
        return "parameter"
    owner = owner_of()
    buffers = owner.buffers(recurse=False) if owner is not None else ()
    return "buffer" if memory(tensor) in {memory(one) for one in buffers} else "data"


def is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor.detach()).all())


def limits(tensor: Tensor) -> tuple[float, float]:
    """The smallest and largest finite value."""
    values = tensor.detach()
    values = values[torch.isfinite(values)]
    if not values.numel():
        return math.nan, math.nan
    low, high = values.float().aminmax() if values.dtype != torch.float64 else values.aminmax()
    return low.item(), high.item()


def value_at(operand: Tensor, index: tuple[int, ...], result: Tensor) -> float | None:
    """The operand's value at a position of the result, where they correspond."""
    if operand.dim() == 0 or operand.numel() == 1:
        return operand.detach().reshape(-1)[0].item()
    try:
        same = operand.detach().expand(result.shape)
    except RuntimeError:
        return None
    return same[index].item()


def telling(name: str, call: tuple[Any, Any, Any], result: Tensor) -> list[Tensor]:
    """Operands that are no floating-point tensors, where they tell why a result is bad.

    A number that is not finite (a learning rate, say), and what is divided by.
    """
    found: list[Tensor] = []
    for value in (*call[1], *call[2].values()):
        if isinstance(value, float) and not math.isfinite(value):
            found.append(torch.tensor(value))
        elif name == "div" and isinstance(value, (int, float)) and not value:
            found.append(torch.tensor(0.0))
        elif name == "div" and isinstance(value, Tensor) and not value.is_floating_point():
            found.append(value.to(result.dtype))
    return found


def bad_rows(tensor: Tensor) -> tuple[int, ...]:
    """The first rows that hold a value that is not finite."""
    if not tensor.dim():
        return ()
    wrong = ~torch.isfinite(tensor.detach().reshape(tensor.shape[0], -1)).all(dim=1)
    return tuple(wrong.nonzero().flatten()[:MAX_ROWS].tolist())


def kind_of(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"


def is_constant(name: str, call: tuple[Any, Any, Any]) -> bool:
    """Whether a script put an infinity or a NaN there by its own hand."""
    if not CONSTANTS.match(name.lstrip("_")):
        return False
    plain = [value for value in (*call[1], *call[2].values()) if isinstance(value, float)]
    return not plain or any(not math.isfinite(value) for value in plain)


def copied(values: Any, before: dict[int, Tensor]) -> Any:
    """Arguments that stay as they are, whatever is changed in place later.

    Args:
        before: copies of those that the operation itself has changed.
    """
    if isinstance(values, Tensor):
        return before[id(values)] if id(values) in before else values.detach().clone()
    if isinstance(values, (list, tuple)):
        return tuple(copied(value, before) for value in values)
    if isinstance(values, dict):
        return {key: copied(value, before) for key, value in values.items()}
    return values


# -- words and places --------------------------------------------------------------------


def word(name: str) -> str:
    """What users call an operation of PyTorch's: ``_softmax`` is softmax, ``addmm`` is linear."""
    plain = name.removeprefix("_foreach").strip("_").removeprefix("special_")
    plain = OPERATORS.get(plain, plain)
    return WORDS.get(plain, plain)


def word_of(node: Any) -> str:
    """The operation whose derivative a node is."""
    return word_of_name(node.name(), is_own=getattr(node, "_forward_cls", None) is not None)


def word_of_name(name: str, *, is_own: bool) -> str:
    """The operation whose derivative a node of this name is; ``is_own``: the user's Function."""
    plain = re.sub(r"Backward\d*$", "", name.rpartition("::")[2])
    if is_own:
        return plain
    return word(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower())


def user_frame() -> FrameType | None:
    return sources.user_frame(sys._getframe(1))


def place_of(frame: FrameType | None, node: Any) -> dict[str, Any] | None:
    """The user's line: of the forward for a derivative of PyTorch's own."""
    if node is not None and getattr(node, "_forward_cls", None) is None:
        known = sources.from_traceback(node.metadata.get("traceback_", []))
        if known is not None:
            return known
    if frame is None:
        return None
    return sources.place(frame.f_code.co_filename, frame.f_lineno)


def site_of(name: str, place: dict[str, Any] | None) -> tuple[str, int, str]:
    return ((place or {}).get("file", ""), (place or {}).get("line", 0), name)


def is_transformed() -> bool:
    """Whether this runs within a transform such as ``torch.func.grad``."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and "_functorch" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None


def owner_of() -> nn.Module | None:
    """The innermost module whose method is on the stack."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        owner = frame.f_locals.get("self") if frame.f_code.co_name == "forward" else None
        if isinstance(owner, nn.Module):
            return owner
        frame = frame.f_back
    return None

"""Rows of data made comparable: what a batch holds, without keeping it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

MAX_CELLS: Final = 1 << 20
MAX_ROWS: Final = 8192
MAX_COLUMNS: Final = 64
MIN_ROW_VALUES: Final = 8
MIN_COLUMN_SHARE: Final = 0.8
_PRIMES: Final = (-7046029254386353131, -4417276706812531889)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What is remembered of a batch.

    Attributes:
        marks: one number per example, equal for equal examples; constant examples left out.
        share: share of the batch's examples that were looked at.
        is_telling: whether equal marks mean the same example: the data rarely repeat by nature.
        mean, std: of a part of the values; NaN for integers.
    """

    marks: tuple[int, ...]
    num_rows: int
    share: float
    is_telling: bool
    mean: float
    std: float


def is_plain(value: Any) -> bool:
    """Whether a value is an ordinary, dense tensor with at least one element."""
    return (
        type(value) in (Tensor, torch.nn.Parameter)
        and value.layout is torch.strided
        and value.dim() > 0
        and value.numel() > 0
        and value.device.type != "meta"
        and not value.is_quantized
        and not value.is_complex()
        and not torch._C._functorch.is_functorch_wrapped_tensor(value)
    )


def plain_tensor(value: Any) -> Tensor | None:
    """The first ordinary tensor among a module's arguments or a batch's parts."""
    if isinstance(value, Tensor):
        return value if is_plain(value) else None
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, (tuple, list)):
        parts = value
    return next((found for part in parts if (found := plain_tensor(part)) is not None), None)


def cells(batch: Tensor, limit: int = MAX_ROWS) -> Tensor:
    """Some columns of the first examples, on the CPU: at most :data:`MAX_CELLS` are touched."""
    width = max(1, batch[:1].numel())
    rows = batch.detach()[: min(limit, max(16, MAX_CELLS // width))]
    flat = rows.reshape(rows.shape[0], -1)
    flat = flat[:, :: -(-width // MAX_COLUMNS)]
    return flat.to("cpu", torch.float32 if flat.is_floating_point() else torch.int64)


def read(batch: Tensor, limit: int = MAX_ROWS) -> Rows:
    """Marks and scale of a batch, of its first ``limit`` examples."""
    some = cells(batch, limit)
    marks = mark(some)
    is_float = some.is_floating_point()
    few = some[:256]
    varied = (some != some[:, :1]).any(dim=1) if some.shape[1] > 1 else torch.ones(len(some)) > 0
    return Rows(
        marks=tuple(marks[varied].tolist()),
        num_rows=batch.shape[0],
        share=some.shape[0] / batch.shape[0],
        is_telling=is_float and is_telling(few),
        mean=few.mean().item() if is_float else float("nan"),
        std=few.std(correction=0).item() if is_float else float("nan"),
    )


def mark(some: Tensor) -> Tensor:
    """A number for each row, by exact integer arithmetic: equal for equal rows in any batch."""
    bits = (some + 0.0).view(torch.int32).to(torch.int64) if some.is_floating_point() else some
    position = torch.arange(1, some.shape[1] + 1, dtype=torch.int64) * _PRIMES[0] | 1
    mixed = (bits + position) * _PRIMES[1]
    mixed = (mixed ^ (mixed >> 29)) * position
    return (mixed ^ (mixed >> 32)).sum(dim=1)


def is_telling(some: Tensor) -> bool:
    """Whether two equal rows of such data are the same example rather than chance.

    True for three features and more, if a row holds many different values or a feature takes a
    new value in nearly every example.
    """
    num_rows, num_columns = some.shape
    if num_columns < 3:
        return False
    per_row = (some.sort(dim=1).values.diff(dim=1) != 0).sum(dim=1) + 1
    if per_row.median().item() >= MIN_ROW_VALUES:
        return True
    per_column = (some.sort(dim=0).values.diff(dim=0) != 0).sum(dim=0) + 1
    return num_rows >= 16 and per_column.max().item() >= MIN_COLUMN_SHARE * num_rows


def pool_rows(batch: Tensor) -> int:
    """How many examples the storage behind a batch holds: more than the batch for a view."""
    row_bytes = batch[:1].numel() * batch.element_size()
    return int(batch.untyped_storage().nbytes() // max(1, row_bytes))


def holds(pool: Tensor, batch: Tensor) -> bool:
    """Whether a larger tensor of the program contains this batch's first and last example."""
    width = batch[:1].numel()
    if pool.dim() == 0 or pool.shape[0] <= batch.shape[0] or pool[:1].numel() != width:
        return False
    if pool.dtype != batch.dtype or pool.device != batch.device or pool.numel() > 64 * MAX_CELLS:
        return False
    column = pool.detach().reshape(pool.shape[0], -1)
    for example in (batch.detach()[0], batch.detach()[-1]):
        near = (column[:, 0] == example.reshape(-1)[0]).nonzero()[:, 0]
        if not bool((column[near] == example.reshape(1, -1)).all(dim=1).any()):
            return False
    return True


def fingerprint(tensors: Sequence[Tensor]) -> tuple[Any, ...]:
    """A few values of each tensor, for every batch: microseconds."""
    found: list[Any] = []
    for tensor in tensors[:3]:
        flat = tensor.detach().reshape(-1)
        stride = max(1, flat.shape[0] // 24) | 1
        found += [tensor.shape, *flat[::stride][:24].tolist()]
    return tuple(found)


def tensors_of(batch: Any) -> list[Tensor]:
    """The ordinary tensors of a batch: of a tuple, list or dictionary."""
    parts = batch.values() if isinstance(batch, Mapping) else batch
    parts = parts if isinstance(parts, (tuple, list)) or isinstance(batch, Mapping) else [parts]
    return [part for part in parts if is_plain(part)]


def num_rows(batch: Any) -> int:
    """Examples in a loader's batch; 0 where no tensor tells."""
    tensors = tensors_of(batch)
    return tensors[0].shape[0] if tensors else 0

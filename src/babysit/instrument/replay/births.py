"""Where values that are not finite are born: a look at every operation, forward and backward.

This is far too slow for a training that goes well; it is used where a training that has failed
is lived through again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from babysit.instrument.replay.operations import (
    LAYERS,
    PRODUCTS,
    UNWRITTEN,
    aligned,
    bad_rows,
    copied,
    floats,
    is_constant,
    is_finite,
    is_transformed,
    kind_of,
    limits,
    memory,
    mutated,
    owner_of,
    place_of,
    site_of,
    source_of,
    storage_size,
    telling,
    user_frame,
    value_at,
    word,
    word_of,
)

MAX_RECORDS: Final = 50_000
MAX_KEPT: Final = 64
CHECKS: Final = ("isnan", "isinf", "isfinite")  # how a program asks about its loss


@dataclass(eq=False)
class Made:
    """An operation as it ran.

    Attributes:
        low, high: the range of the finite values that it made.
        given: the range of its first operand.
        inputs: what made its operands; ``None`` for parameters and data.
    """

    name: str
    place: dict[str, Any] | None
    owner: nn.Module | None
    low: float
    high: float
    given: tuple[float, float] | None = None
    is_of_model: bool = False  # computed by a module, of a parameter, or of what was
    data: float = 0.0  # the largest size among operands that are not of the model
    inputs: list[Made | None] = field(default_factory=list)


@dataclass(eq=False)
class Operand:
    """One operand of an operation that made a value that is not finite."""

    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    value: float | None
    is_tracked: bool = True
    source: Made | None = None

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "shape": list(self.shape), "dtype": self.dtype, "low": self.low, "high": self.high,
            "value": self.value, "is_tracked": self.is_tracked,
        }  # fmt: skip
        return {key: value for key, value in found.items() if value is not None}


@dataclass(eq=False)
class Birth:
    """The first operation that made finite values into others.

    Attributes:
        inner: the operation within it, where it consists of several.
        phase: ``forward``, ``backward``, ``optimizer``, ``data`` or ``evaluation``.
        is_meant: an infinity that the script put there itself, such as a mask.
        arrived: what held the bad value before anything was watched: ``data``, ``parameter`` or
            ``buffer``.
        length: how many rows those are counted among.
        forward: for a birth in the backward, the operation whose derivative it is.
    """

    name: str
    inner: str
    phase: str
    step: int
    kind: str
    count: int
    size: int
    index: tuple[int, ...]
    rows: tuple[int, ...]
    dtype: str
    place: dict[str, Any] | None
    owner: nn.Module | None
    operands: list[Operand] = field(default_factory=list)
    bad: Tensor | None = None
    length: int = 0
    is_meant: bool = False
    arrived: str | None = None
    forward: Made | None = None
    number: int = 0
    call: tuple[Any, Any, Any] | None = None


def is_loss(tensor: Tensor) -> bool:
    """Whether a tensor may be one: a single number that something can learn from."""
    return tensor.requires_grad and tensor.numel() == 1


class Called(TorchFunctionMode):
    """The function of PyTorch's, written in C, that the program calls right now.

    Some consist of several operations: ``logdet`` is a decomposition, a logarithm and a choice.

    Args:
        look: called with a loss that the program asks about.

    Attributes:
        name: empty outside of such calls.
        call: the function and its arguments.
    """

    def __init__(self, look: Callable[[Tensor], None]) -> None:
        super().__init__()
        self._look = look
        self.name = ""
        self.call: tuple[Any, Any, Any] | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name in CHECKS and args and isinstance(args[0], Tensor) and is_loss(args[0]):
            self._look(args[0])
        is_python = isinstance(func, FunctionType)
        outer = self.name, self.call
        self.name = "" if is_python or name == "__get__" else name
        self.call = (func, args, kwargs or {})
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.name, self.call = outer


class Births(TorchDispatchMode):
    """Remembers, for every bad tensor that lives, where its values turned bad.

    Args:
        phase: says where the program is: ``forward``, ``optimizer``, ``evaluation``, ``data``.
        step: the number of the step at hand.
        look: called when the program reads a number that is not finite.

    Attributes:
        all: every birth but those that are meant, in order.
        faults: failures of our own.
    """

    def __init__(
        self, *, phase: Callable[[], str], step: Callable[[], int], look: Callable[[Tensor], None]
    ) -> None:
        super().__init__()
        self._phase, self._step, self._look = phase, step, look
        self._births: dict[int, Birth] = {}
        self._made: dict[int, Made] = {}
        self._num_made = 0
        self._called = Called(look)
        self._is_tracked = False
        self._former: dict[int, int] = {}  # memory of what was copied, by the copy
        self._forwards: dict[tuple[str, int, str], Made] = {}
        self.all: list[Birth] = []
        self.faults: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to keep torch.compile away PyTorch would import it, for a second or more."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        before = self._guarded(self._before, func, args, kwargs) or []
        result = func(*args, **kwargs)
        self._guarded(self._after, func, args, kwargs, result, before)
        return result

    def birth_of(self, tensor: Tensor) -> Birth | None:
        """Where the bad values of a tensor come from."""
        return self._births.get(self._memory(tensor))

    def made(self, tensor: Tensor) -> Made | None:
        return self._made.get(self._memory(tensor))

    def _memory(self, tensor: Tensor) -> int:
        """Where its values lie; of a copy of ours, where those lie that it was copied from."""
        return self._former.get(id(tensor), memory(tensor))

    def watch(self) -> None:
        """From here on, to the end of the process."""
        self._called.__enter__()
        self.__enter__()

    def begin_step(self) -> None:
        """Forget what the last step made; bad tensors that live on stay known."""
        if self._num_made > MAX_RECORDS:
            self._made, self._num_made = {}, 0

    def _guarded(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except Exception as error:
            self.faults.append(f"{type(error).__name__}: {error}")
            return None

    # -- one operation -------------------------------------------------------------------

    def _before(self, func: Any, args: Any, kwargs: Any) -> list[tuple[Tensor, Tensor]]:
        """Copies of what an operation in place is about to overwrite."""
        if not func._schema.is_mutable:
            return []
        return [(tensor, tensor.detach().clone()) for tensor in mutated(func, args, kwargs)]

    def _after(
        self, func: Any, args: Any, kwargs: Any, result: Any, before: list[tuple[Tensor, Tensor]]
    ) -> None:
        name = func._schema.name.partition("::")[2]
        if UNWRITTEN.match(name.lstrip("_")):
            return
        if name == "_local_scalar_dense" and not is_finite(args[0]):
            self._look(args[0])
        changed = [tensor for tensor, _ in before] or list(floats(result))
        copies = {id(tensor): copy for tensor, copy in before}
        self._former = {id(copy): memory(tensor) for tensor, copy in before}
        inputs = [copies.get(id(tensor), tensor) for tensor in floats((args, kwargs))]
        owned = {memory(tensor) for tensor in inputs}
        if not before and all(memory(tensor) in owned for tensor in changed):
            return  # a view
        record: Made | None = None
        for position, tensor in enumerate(changed):
            key = memory(tensor)
            if is_finite(tensor):
                if not before or tensor.numel() * tensor.element_size() >= storage_size(tensor):
                    self._births.pop(key, None)
            else:
                operands = aligned(inputs, position, len(changed), func)
                call = (func, *copied((args, kwargs), copies))
                self._is_tracked = any(one.requires_grad for one in floats((args, kwargs)))
                self._births[key] = self._inherit(name, tensor, operands, call)
            if record is None:
                record = self._record(name, changed[0], inputs)
            self._made[key] = record

    def _record(self, name: str, result: Tensor, inputs: list[Tensor]) -> Made:
        self._num_made += 1
        low, high = limits(result)
        known = (self.made(tensor) for tensor in inputs)
        node = torch._C._current_autograd_node()
        made = Made(
            name=self._word(name, node), place=place_of(user_frame(), node),
            owner=owner_of(), low=low, high=high, inputs=list(known)[:4],
            given=limits(inputs[0]) if inputs else None,
        )  # fmt: skip
        data = [tensor for tensor in inputs if not self._is_of_model([tensor])]
        made.is_of_model = made.owner is not None or len(data) < len(inputs)
        made.data = max((abs(limit) for one in data for limit in limits(one)), default=0.0)
        if node is None:
            self._forwards[site_of(made.name, made.place)] = made
        return made

    def _inherit(
        self, name: str, result: Tensor, inputs: list[Tensor], call: tuple[Any, Any, Any]
    ) -> Birth:
        """The birth behind a bad result: of its operands, or this very operation."""
        bad = [tensor for tensor in inputs if not is_finite(tensor)]
        known = [birth for tensor in bad if (birth := self.birth_of(tensor)) is not None]
        strangers = [tensor for tensor in bad if self.birth_of(tensor) is None]
        real = [birth for birth in known if not birth.is_meant]
        if real:
            return min(real, key=lambda birth: birth.number)
        if strangers:
            first, source = strangers[0], source_of(strangers[0])
            is_mask = source == "data" and name not in LAYERS
            is_mask &= not bool((first.isnan() | first.isposinf()).any())
            birth = self._new(name, first, inputs, is_meant=is_mask, arrived=source)
            if result.dim() and result.shape[0] > 1:  # collated: the batch's rows
                birth.length, birth.rows = result.shape[0], bad_rows(result)
            self._births.update({memory(tensor): birth for tensor in strangers})
            known = [*known, birth]
            if not is_mask:
                return birth
        if known and known[0].arrived and name in LAYERS:
            return self._new(name, bad[0], inputs, arrived=known[0].arrived)
        if known and not result.isnan().any() and name.strip("_") not in {"sum", "mean"}:
            return known[0]  # an infinity that is meant, handed on
        is_meant = not bad and is_constant(name, call)
        composite = self._composite(name)
        if composite is not None and not is_meant:
            self._is_tracked |= any(one.requires_grad for one in floats(composite[1:]))
            call = copied(composite, {})
            inputs = list(floats(call[1:]))
            self._former |= {
                id(copy): memory(one)
                for copy, one in zip(inputs, floats(composite[1:]), strict=True)
            }
        birth = self._new(name, result, inputs, is_meant=is_meant, call=call)
        if not is_meant and len(self.all) <= MAX_KEPT:
            birth.call = call
        return birth

    def _composite(self, name: str) -> tuple[Any, Any, Any] | None:
        """The function of several operations that this one is a part of, outside of backward."""
        is_part = self._called.name and word(self._called.name) != word(name)
        is_free = torch._C._current_autograd_node() is None
        return self._called.call if is_part and is_free else None

    def _new(
        self, name: str, bad: Tensor, inputs: list[Tensor], *, is_meant: bool = False,
        arrived: str | None = None, call: tuple[Any, Any, Any] | None = None,
    ) -> Birth:  # fmt: skip
        node = torch._C._current_autograd_node()
        wrong = ~torch.isfinite(bad.detach())
        places = wrong.nonzero()
        index = tuple(places[0].tolist()) if len(places) else ()
        value = bad.detach()[index].item() if bad.dim() else bad.item()
        called, place = self._word(name, node), place_of(user_frame(), node)
        forward = self._forwards.get(site_of(called, place)) if node is not None else None
        birth = Birth(
            name=called, inner=word(name),
            phase="backward" if node is not None else self._phase_here(inputs),
            step=self._step(), kind=kind_of(value), count=int(wrong.sum()), size=bad.numel(),
            index=index, rows=bad_rows(bad), dtype=str(bad.dtype).removeprefix("torch."),
            place=place, owner=owner_of() or (forward.owner if forward is not None else None),
            forward=forward,
            bad=bad if arrived else None, length=len(bad) if bad.dim() else 0,
            is_meant=is_meant, arrived=arrived, number=len(self.all),
        )  # fmt: skip
        if not is_meant:
            others = telling(called, call, bad) if call is not None else ()
            at = (index, bad) if birth.inner not in PRODUCTS else None
            birth.operands = [
                *(self._operand(one, at, self.made(one)) for one in inputs[:6]),
                *(self._operand(one, at) for one in others),
            ]
            self.all.append(birth)
        return birth

    def _operand(
        self, one: Tensor, at: tuple[tuple[int, ...], Tensor] | None, source: Made | None = None
    ) -> Operand:
        """One operand, with its value at a position of the result where the two correspond."""
        low, high = limits(one)
        value = value_at(one, *at) if at is not None else None
        return Operand(
            shape=tuple(one.shape), dtype=str(one.dtype).removeprefix("torch."), low=low,
            high=high, value=value, is_tracked=self._is_tracked,
            source=source,
        )  # fmt: skip

    def _word(self, name: str, node: Any) -> str:
        """What the user called, or the operation whose derivative this is."""
        return word_of(node) if node is not None else word(self._called.name or name)

    def _phase_here(self, inputs: list[Tensor]) -> str:
        """What depends on no parameter and runs in no module prepares data."""
        phase = self._phase()
        is_ours = self._is_tracked or owner_of() is not None or self._is_of_model(inputs)
        is_ours |= is_transformed()
        return "data" if phase == "forward" and not is_ours else phase

    def _is_of_model(self, inputs: list[Tensor]) -> bool:
        known = [self.made(tensor) for tensor in inputs]
        return any(tensor.requires_grad for tensor in inputs) or any(
            one.is_of_model for one in known if one is not None
        )

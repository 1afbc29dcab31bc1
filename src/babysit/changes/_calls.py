"""Calls of a training's models, kept so that they can be made again, and what they say by example.

Which dimension holds the examples is not always told by shapes alone: recurrent nets take (time,
batch, …), language models return (batch · time, words). So there may be several :class:`Reading`
of one call, of which one is right.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten
from torch.utils.data import DataLoader

from babysit.change import CannotApplyError, Levers

# Arguments that accompany the data, by name; see also what Flow leaves alone.
COMPANIONS: Final = ("mask", "position", "length", "state", "hidden", "cache")
_aside: list[Any] = []  # calls that are being made again


class Call:
    """An outermost call of a module, with copies of what it was given.

    Attributes:
        module: without what wraps it for several devices or for compilation.
        leaves: its arguments, nested ones in a row.
        names: the keyword of each, if any.
        outputs: the tensors that it returned, in a row, without gradients.
        modes: of each module within, whether it was in training mode.
        batch_sizes: of the DataLoaders that were iterated so far.
    """

    def __init__(
        self, module: nn.Module, given: Any, output: Any, batch_sizes: frozenset[int]
    ) -> None:
        self.module, self.batch_sizes = unwrapped(module), batch_sizes
        leaves, self._form = tree_flatten(given)
        args, kwargs = given
        keywords = [key for key, one in kwargs.items() for _ in tree_leaves(one)]
        self.leaves = [
            one.detach().clone() if isinstance(one, Tensor) and not is_made(one) else one
            for one in leaves
        ]
        self.names = [""] * len(tree_leaves(args)) + keywords
        self.outputs = [one.detach() for one in tensors_of(output)]
        self.modes = [(one, one.training) for one in self.module.modules()]

    @property
    def data(self) -> Tensor | None:
        """The first tensor of data; ``None`` where inputs come out of another model."""
        tensors = [one for one in self.leaves if isinstance(one, Tensor) and one.dim()]
        if not tensors or any(map(is_made, tensors)):
            return None
        return tensors[0]

    def again(self, leaves: Sequence[Any]) -> list[Tensor]:
        """The tensors returned for other arguments of the same form."""
        args, kwargs = tree_unflatten(list(leaves), self._form)
        return tensors_of(self.module(*args, **kwargs))


def is_made(tensor: Tensor) -> bool:
    """Whether a tensor comes out of weights, or is some."""
    return tensor.grad_fn is not None or isinstance(tensor, nn.Parameter)


def unwrapped(module: nn.Module) -> nn.Module:
    """The module within those of torch.compile and of parallel training."""
    for name, wrappers in (
        ("_orig_mod", ("OptimizedModule",)),
        ("module", ("DistributedDataParallel", "DataParallel")),
    ):
        inner = getattr(module, name, None)
        if type(module).__name__ in wrappers and isinstance(inner, nn.Module):
            return unwrapped(inner)
    return module


def tensors_of(output: Any) -> list[Tensor]:
    """All tensors of numbers in what a model returned, however nested."""
    if isinstance(output, Tensor):
        return [output] if output.is_floating_point() else []
    if isinstance(output, Mapping):
        output = list(output.values())
    elif dataclasses.is_dataclass(output):
        output = [getattr(output, field.name) for field in dataclasses.fields(output)]
    return [t for one in output for t in tensors_of(one)] if type_is_row(output) else []


def type_is_row(value: Any) -> bool:
    return isinstance(value, tuple | list)


def on_calls(levers: Levers, act: Callable[[Call], None]) -> None:
    """Each outermost call of a module that is tracked for a backward, after it was made."""
    models: WeakSet[nn.Module] = WeakSet()
    opened: list[nn.Module] = []
    sizes: set[int] = set()
    iterated = DataLoader.__iter__

    def enter(module: nn.Module, _: Any) -> None:
        if torch.compiler.is_compiling() or _aside:
            return
        if (not opened and module in models) or (opened and module is opened[0]):
            opened.append(module)

    def leave(module: nn.Module, args: Any, *result: Any) -> None:
        if torch.compiler.is_compiling() or _aside or not opened or module is not opened[0]:
            return
        opened.pop()
        # After an exception PyTorch gives no keyword arguments, though asked to.
        if not opened and torch.is_grad_enabled() and len(result) == 2:
            kwargs, output = result
            act(Call(module, (args, kwargs), output, frozenset(sizes)))

    def iterate(loader: DataLoader[Any]) -> Any:
        if loader.batch_size:
            sizes.add(loader.batch_size)
        return iterated(loader)

    hooks = torch.nn.modules.module
    levers.on_model(models.add)
    levers.replace(DataLoader, "__iter__", iterate)
    entered = hooks.register_module_forward_pre_hook(enter)
    left = hooks.register_module_forward_hook(leave, with_kwargs=True, always_call=True)

    def let_go() -> None:
        entered.remove()
        left.remove()
        # PyTorch's own handle forgets this one.
        hooks._global_forward_hooks_with_kwargs.pop(left.id, None)

    levers.in_the_end(let_go)


@contextmanager
def aside(call: Call, *, trains: bool = False) -> Iterator[None]:
    """Call the model within as if nothing had been: modes, buffers and random states come back.

    Args:
        trains: in the modes of the call itself, instead of evaluation mode.

    Raises:
        CannotApplyError: an error within is the model's, and the answer.
    """
    module = call.module
    modes = [(one, one.training) for one in module.modules()]
    buffers = [(one, one.detach().clone()) for one in module.buffers()]
    numbers, python = torch.get_rng_state(), random.getstate()
    module.eval()
    for one, was_training in call.modes if trains else ():
        one.training = was_training
    _aside.append(call)
    try:
        with ExitStack() as stack:
            # cuDNN's recurrent nets have no backward in evaluation mode.
            stack.enter_context(torch.backends.cudnn.flags(enabled=trains))
            if hasattr(torch.compiler, "set_stance"):
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            yield
    except CannotApplyError:
        raise
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        raise CannotApplyError(
            f"the model cannot be called again with what it was given ({type(error).__name__}: "
            f"{text})"
        ) from error
    finally:
        _aside.remove(call)
        for one, was_training in modes:
            one.training = was_training
        with torch.no_grad():
            for buffer, value in buffers:
                if buffer.shape == value.shape:
                    buffer.copy_(value)
        torch.set_rng_state(numbers)
        random.setstate(python)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One way to find the examples in a call.

    Attributes:
        dim: of the inputs that holds them.
        size: how many there are.
        place: of the output among those returned.
        form: how its rows belong to them: ``rows`` of dimension 0, of the ``second`` one, or
            several for each in dimension 0, ``together`` or ``apart``.
    """

    dim: int
    size: int
    place: int
    form: str

    def by_example(self, output: Tensor) -> Tensor:
        """An output, shape (examples, numbers)."""
        if self.form == "second":
            output = output.transpose(0, 1)
        elif self.form == "apart":
            output = output.reshape(-1, self.size, *output.shape[1:]).transpose(0, 1)
        return output.reshape(self.size, -1)

    def holds(self, tensor: Tensor) -> bool:
        """Whether a tensor has as many rows as there are examples, in the same dimension."""
        return tensor.dim() > self.dim and tensor.shape[self.dim] == self.size

    def is_state(self, tensor: Tensor) -> bool:
        """Whether it looks like the state of a recurrent net, shape (layers, examples, width)."""
        return self.dim == 0 and tensor.dim() == 3 and tensor.shape[1] == self.size


def readings(call: Call) -> list[Reading]:
    """All ways in which the examples may lie in a call.

    Raises:
        CannotApplyError: there is none.
    """
    data = call.data
    if data is None:
        raise CannotApplyError("no model was called with data, only with what others returned")
    dims = likely_dims(data, call.batch_sizes)
    found = [one for dim in dims for one in readings_along(data, dim, call.outputs)]
    if not found and data.shape[0] == 1:
        raise CannotApplyError("there is only one example in the batch")
    if not found:
        raise CannotApplyError("the model's output has no row for each example")
    return found


def readings_along(data: Tensor, dim: int, outputs: Sequence[Tensor]) -> list[Reading]:
    """The ways if this dimension holds the examples: with the first output that fits."""
    size, other = data.shape[dim], data.shape[1 - dim] if data.dim() > 1 else 1
    if size < 2:
        return []
    unit = size * other if dim else size  # time before the batch is not left out when flattened
    for place, output in enumerate(outputs):
        forms: list[str] = []
        if output.dim() and output.shape[0] == size:
            forms.append("rows")
        elif output.dim() and output.shape[0] and output.shape[0] % unit == 0:
            forms += ["together", "apart"]
        if output.dim() > 1 and output.shape[1] == size and (dim or output.shape[0] == other):
            forms.append("second")
        if forms:
            return [Reading(dim=dim, size=size, place=place, form=form) for form in forms]
    return []


def likely_dims(data: Tensor, batch_sizes: frozenset[int]) -> tuple[int, ...]:
    """The dimensions that may hold the examples; a DataLoader's batch size can tell."""
    if data.dim() < 2:
        return (0,)
    sizes = batch_sizes - {1}
    first, second = data.shape[0] in sizes, data.shape[1] in sizes
    if first != second:
        return (0,) if first else (1,)
    return (0, 1)

"""Calling a user's function again and again under the same conditions, on our own copies."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from babysit.errors import BabysitError
from babysit.gradient_check import tensor_name
from babysit.text import count


class Calls:
    """A function, its inputs and what is to be checked of them, ready to be called.

    Random states and a module's buffers are put back before each call, so that equal inputs give
    equal outputs, dropout included.

    Args:
        function: what is checked; a module is copied.
        inputs: its arguments; those that are checked are copied.
        places: which of them are checked.
        dtype: what the checked inputs, and the module, are cast to; None leaves them as they are.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: Sequence[Any],
        *,
        places: Sequence[int],
        dtype: torch.dtype | None,
    ) -> None:
        self._function, self._inputs, self._places = function, list(inputs), places
        self._parameters: list[nn.Parameter] = []
        self._buffers: list[tuple[Tensor, Tensor]] = []
        self.names: list[int | str] = list(places)
        if isinstance(function, nn.Module):
            self._copy(function, dtype)
        if dtype is not None:
            for place, value in enumerate(inputs):
                if is_real(value):
                    self._inputs[place] = value.detach().to(dtype)
        # Inputs may be expanded: one number in memory for many elements, which we could not move.
        checked = [self._inputs[place].detach() for place in places]
        self.values = [value.clone(memory_format=torch.contiguous_format) for value in checked]
        self.values += [parameter.detach().clone() for parameter in self._parameters]
        self._draws = RandomStates()
        self.draws_random_numbers = False
        self.without_gradient: list[int] = []  # outputs
        self.symmetric: set[int] = set()  # checked inputs that are made symmetric before each call

    def _copy(self, module: nn.Module, dtype: torch.dtype | None) -> None:
        try:
            self._function = copied = copy.deepcopy(module)
        except (RuntimeError, TypeError) as error:
            raise BabysitError(
                f"gradcheck cannot copy the module {type(module).__name__}: {first_line(error)} "
                "Pass a function that calls it, with the module cast to float64 by you."
            ) from error
        if dtype is not None:
            copied.to(dtype)
        for name, parameter in copied.named_parameters():
            if parameter.requires_grad and is_real(parameter):
                self._parameters.append(parameter)
                self.names.append(name)
        self._buffers = [(one, one.detach().clone()) for one in copied.buffers()]

    def first(self) -> list[Tensor]:
        """The outputs at the given inputs; finds out whether random numbers are drawn."""
        outputs, _ = self.run(self.values)
        self.draws_random_numbers = self._draws.have_changed()
        return outputs

    def make_symmetric(self) -> list[int]:
        """Make those matrices symmetric of which the function reads one triangle only.

        ``cholesky`` and ``eigh`` do; their gradient is that for both triangles, by convention.

        Returns:
            Which of the checked tensors have been made symmetric; the function's value is the same.
        """
        rest, _ = self.run(self.values)
        for at, value in enumerate(self.values[: len(self._places)]):
            if value.dim() < 2 or value.shape[-1] != value.shape[-2] or value.shape[-1] == 1:
                continue
            ones = torch.ones_like(value)
            for read, other in ((value.tril(), ones.triu(1)), (value.triu(), ones.tril(-1))):
                values = list(self.values)
                values[at] = value + other
                outputs, _ = self.run(values)
                if all(map(torch.equal, outputs, rest)):
                    self.values[at] = torch.where(other == 1, read.mT, read)
                    self.symmetric.add(at)
                    break
        return sorted(self.symmetric)

    def run(self, values: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Call the function with other values of the checked tensors.

        Gradients are tracked each time: every call goes the way that a training goes.

        Returns:
            The outputs that carry gradients, and the tensors to differentiate by.
        """
        if self.draws_random_numbers:
            self._draws.restore()
        with torch.no_grad():
            for buffer, value in self._buffers:
                buffer.copy_(value)
        arguments = list(self._inputs)
        leaves = [value.detach().requires_grad_() for value in values[: len(self._places)]]
        for at, (place, leaf) in enumerate(zip(self._places, leaves, strict=True)):
            # A copy may be changed in place, as a leaf may not.
            arguments[place] = (leaf + leaf.mT) / 2 if at in self.symmetric else leaf.clone()
        for parameter, value in zip(self._parameters, values[len(leaves) :], strict=True):
            parameter.data = value
        outputs = flat(self._function(*arguments))
        self.without_gradient = [at for at, one in enumerate(outputs) if not one.requires_grad]
        outputs = [one for one in outputs if one.requires_grad and one.numel()]
        return outputs, [*leaves, *self._parameters]


class RandomStates:
    """The global random states of PyTorch, NumPy and Python at one moment."""

    def __init__(self) -> None:
        self._torch = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        self._python, self._numpy = random.getstate(), np.random.get_state()

    def have_changed(self) -> bool:
        now = RandomStates()
        pairs = zip([self._torch, *self._cuda], [now._torch, *now._cuda], strict=False)
        return (
            not all(torch.equal(then, later) for then, later in pairs)
            or now._python != self._python
            or any(not np.array_equal(a, b) for a, b in zip(self._numpy, now._numpy, strict=True))
        )

    def restore(self) -> None:
        torch.set_rng_state(self._torch)
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)
        random.setstate(self._python)
        np.random.set_state(self._numpy)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Gradients are tracked within, and the user's random states are as before afterwards."""
    states = RandomStates()
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        states.restore()


def prepare(function: Callable[..., Any], inputs: Sequence[Any]) -> tuple[Calls, list[Tensor]]:
    """The function in double precision if it takes that, and its outputs.

    Inputs whose derivative PyTorch lacks are taken as constants when the user has marked others
    with ``requires_grad``.

    Raises:
        BabysitError: the function fails on the inputs in every way that we can call it.
    """
    places = [place for place, value in enumerate(inputs) if is_real(value)]
    marked = [place for place in places if inputs[place].requires_grad]
    failures: list[Exception] = []
    for dtype in (torch.float64, None):
        for chosen in [places] if marked in ([], places) else [places, marked]:
            try:
                calls = Calls(function, inputs, places=chosen, dtype=dtype)
                return calls, calls.first()
            except BabysitError:
                raise
            except Exception as error:  # whatever the user's function raises
                failures.append(error)
    raise BabysitError(
        f"The function fails on the given inputs, in float64 as in their own type: "
        f"{first_line(failures[0])} Inputs that have no derivative are left out when those to be "
        "checked are marked with requires_grad_()."
    ) from failures[0]


def oddities(calls: Calls, inputs: Sequence[Any], outputs: Sequence[Tensor]) -> list[str]:
    """What a reader must know of how the function is called, a sentence each."""
    notes = []
    for place, value in enumerate(inputs):
        if isinstance(value, Tensor) and (value.is_complex() or value.layout != torch.strided):
            kind = "complex" if value.is_complex() else "sparse"
            notes.append(f"{tensor_name(place).capitalize()} is {kind}: it is not checked.")
        elif is_real(value) and not bool(value.isfinite().all()):
            amount = count(int((~value.isfinite()).sum()), "element")
            notes.append(f"{tensor_name(place).capitalize()} has {amount} not finite: left out.")
        if is_real(value) and place not in calls.names:
            notes.append(f"{tensor_name(place).capitalize()} is taken as a constant.")
    if calls.values[0].dtype != torch.float64:
        notes.append(
            f"The function does not take float64: checked in {dtype_name(calls.values[0].dtype)}, "
            "where only errors of some per cent show. Pass a module itself rather than a function "
            "that calls it, or one cast to float64."
        )
    if calls.draws_random_numbers:
        notes.append(
            "The function draws random numbers (dropout?): all calls were given the same ones."
        )
    for dtype in sorted({dtype_name(one.dtype) for one in outputs if one.dtype != torch.float64}):
        if calls.values[0].dtype == torch.float64:
            notes.append(f"The function returns {dtype}: only errors of some per cent show.")
    for place in calls.without_gradient if outputs else ():
        notes.append(f"Output {place} carries no gradient: it is not checked.")
    if not outputs:
        notes.append("No output carries a gradient: nothing that is returned can be checked.")
    return notes


def flat(outputs: Any) -> list[Tensor]:
    """All tensors of a result, however nested; complex ones as pairs of real numbers."""
    if isinstance(outputs, Tensor):
        if outputs.is_complex():
            return [torch.view_as_real(outputs.resolve_conj())]
        return [outputs] if outputs.is_floating_point() else []
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    return [t for one in outputs for t in flat(one)] if isinstance(outputs, (tuple, list)) else []


def is_real(value: Any) -> bool:
    is_tensor = isinstance(value, Tensor) and value.layout == torch.strided
    return is_tensor and value.is_floating_point()


def first_line(error: Exception) -> str:
    """What an exception says, on one line and with a full stop."""
    text = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return f"{type(error).__name__}: {text}." if text else f"{type(error).__name__}."


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

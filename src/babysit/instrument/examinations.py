"""Examining the custom autograd functions that a script calls: are their backwards right?

In a trial, :meth:`FunctionExamination.attach` keeps a few calls of each, and
:meth:`FunctionExamination.results` compares the gradients afterwards with difference quotients.
Many backwards differ from the forward's derivative by intent: straight-through estimators, reversed
or clipped gradients, surrogates of steps. They are told apart by what they do, not by their names
alone.
"""

from __future__ import annotations

import itertools
import linecache
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor

from babysit.errors import BabysitError
from babysit.gradient_check import GradientCheck, GradientMismatch
from babysit.instrument import sources
from babysit.instrument.gradcheck import gradcheck
from babysit.instrument.gradients.calls import first_line, flat, is_real, undisturbed
from babysit.instrument.patches import Patches

MAX_FUNCTIONS: Final = 32
KEPT_CALLS: Final = (1, 2, 10, 100)  # of each function
MAX_ELEMENTS: Final = 1_000_000  # of a call; larger ones are not kept
SAMPLE_ELEMENTS: Final = 4_096  # of each argument that are examined, if fewer examples will do
NUM_POINTS: Final = 200  # of a line along which jumps are looked for
NUM_HALVINGS: Final = 36
MEANT_WORDS: Final = re.compile(
    r"straight.?through|\bste\b|surrogate|revers|adversar|spik|quanti[sz]|binar|ternar|approx"
    r"|guided|stop.?grad|implicit|fixed.?point|equilibrium|clip|scale.?grad|grad(ient)?.?scal",
    re.IGNORECASE,
)


@dataclass
class Function:
    """A class of functions, and what it was called with."""

    kind: type[torch.autograd.Function]
    num_calls: int = 0
    kept: list[tuple[Any, ...]] = field(default_factory=list)
    unkept: str = "it was never called where a gradient was wanted"


@dataclass(frozen=True, kw_only=True)
class FunctionResults:
    """What came of the examination, all by the name of a function's class.

    Attributes:
        errors: the relative error of the gradient at each call that was examined.
        surrogates: functions whose backward differs, by intent.
        places: the fields of a :class:`~babysit.findings.Place`, of the class.
        unjudged: functions that could not be examined, and why.
    """

    errors: dict[str, list[float]]
    surrogates: list[str]
    places: dict[str, dict[str, Any]]
    unjudged: dict[str, str]


class FunctionExamination:
    """Keeps what the script's own autograd functions are called with, and examines them.

    Args:
        patches: where to register what is replaced; else :meth:`detach` takes it back.
    """

    def __init__(self, patches: Patches | None = None) -> None:
        self._patches = Patches() if patches is None else patches
        self._functions: dict[type, Function] = {}
        self._is_examining = False

    def attach(self) -> None:
        """From here on calls are kept; before the script binds a function's ``apply``."""
        self._patches.replace(torch.autograd.Function, "apply", self._wrap)

    def detach(self) -> None:
        self._patches.undo()

    def _wrap(self, _: Any) -> Any:
        original = vars(torch.autograd.Function)["apply"].__func__

        def apply(kind: Any, *args: Any, **kwargs: Any) -> Any:
            is_ready = not (self._is_examining or kwargs or torch.compiler.is_compiling())
            if is_ready and torch.is_grad_enabled():
                self._keep(kind, args)
            return original(kind, *args, **kwargs)

        return classmethod(apply)

    def _keep(self, kind: Any, args: tuple[Any, ...]) -> None:
        if not any(isinstance(one, Tensor) and one.requires_grad for one in args):
            return
        known = self._functions.get(kind)
        if known is None:
            if len(self._functions) >= MAX_FUNCTIONS or not is_users(kind):
                return
            known = self._functions[kind] = Function(kind)
        known.num_calls += 1
        if known.num_calls not in KEPT_CALLS:
            return
        if sum(one.numel() for one in args if isinstance(one, Tensor)) > MAX_ELEMENTS:
            known.unkept = "its inputs are too large"
            return
        known.kept.append(tuple(copied(one) for one in args))

    def results(self) -> FunctionResults:
        """Examine all that was kept; the training should be over."""
        self._is_examining = True
        errors: dict[str, list[float]] = {}
        surrogates: list[str] = []
        unjudged: dict[str, str] = {}
        names = [kind.__name__ for kind in self._functions]
        places = {}
        for kind, function in self._functions.items():
            is_unique = names.count(kind.__name__) == 1
            name = kind.__name__ if is_unique else kind.__qualname__
            if (place := place_of(kind)) is not None:
                places[name] = place
            found, why = examine(function)
            if found:
                errors[name] = [one for one, _ in found]
                if any(is_meant for _, is_meant in found):
                    surrogates.append(name)
            else:
                unjudged[name] = why
        self._is_examining = False
        return FunctionResults(
            errors=errors, surrogates=surrogates, places=places, unjudged=unjudged
        )


def is_users(kind: type) -> bool:
    """Whether a class is the script's own, neither PyTorch's nor a library's."""
    code = getattr(getattr(kind, "forward", None), "__code__", None)
    return code is not None and sources.is_user_file(code.co_filename)


def place_of(kind: type) -> dict[str, Any] | None:
    """The line on which the class begins, found by its forward where the class itself is not."""
    code = getattr(getattr(kind, "forward", None), "__code__", None)
    if code is None:
        return None
    begins = re.compile(rf"\s*class\s+{kind.__name__}\b")
    lines = enumerate(linecache.getlines(code.co_filename)[: code.co_firstlineno], 1)
    found = [number for number, line in lines if begins.match(line)]
    return sources.place(code.co_filename, found[-1] if found else code.co_firstlineno)


def copied(value: Any) -> Any:
    """An argument as it is now; whether it wants a gradient is kept."""
    if not isinstance(value, Tensor):
        return value
    return value.detach().clone().requires_grad_(value.requires_grad)


# -- one function ----------------------------------------------------------------------------


def examine(function: Function) -> tuple[list[tuple[float, bool]], str]:
    """The error at each call that was kept, and whether it is meant; else why it is not judged."""
    found, why = [], function.unkept
    for args in function.kept:
        try:
            with undisturbed():
                found.append(examine_call(Sample(function.kind, args)))
        except BabysitError as error:
            why = str(error)
        except Exception as error:  # whatever the function raises on inputs that are not its own
            why = f"it takes no sample of its inputs in double precision ({first_line(error)})"
    return found, why


class Sample:
    """A function on few examples of the inputs it was given, in double precision.

    Attributes:
        inputs: those that it is differentiated by.

    Raises:
        BabysitError: it cannot be called so.
    """

    def __init__(self, kind: type[torch.autograd.Function], args: Sequence[Any]) -> None:
        self._kind = kind
        self.wants = [isinstance(one, Tensor) and one.requires_grad for one in args]
        candidates = [cut(args), list(args)] if is_large(args) else [list(args)]
        for candidate in candidates:
            self._args = [in_double(one) for one in candidate]
            wanted = zip(self._args, self.wants, strict=True)
            self.inputs = [one for one, is_wanted in wanted if is_wanted]
            try:
                outputs = self.call(*[one.clone().requires_grad_() for one in self.inputs])
                break
            except Exception as error:
                if candidate is candidates[-1]:
                    raise BabysitError(
                        f"It does not take double precision: {first_line(error)}"
                    ) from error
        if not all(is_real(one) for one in self.inputs):
            raise BabysitError("It is differentiated by what are no real numbers.")
        tensors = [one for one in flat(outputs) if one.requires_grad]
        if not tensors or any(one.dtype != torch.float64 for one in tensors):
            raise BabysitError("It returns nothing in double precision that has a gradient.")
        self.outputs = tensors

    def call(self, *inputs: Tensor) -> Any:
        """The function's own result; its other arguments are given to it afresh each time."""
        given = iter(inputs)
        args = [
            next(given) if is_wanted else one.clone() if isinstance(one, Tensor) else one
            for one, is_wanted in zip(self._args, self.wants, strict=True)
        ]
        return self._kind.apply(*args)

    def weights(self) -> list[Tensor]:
        numbers = torch.Generator().manual_seed(0)
        return [
            torch.randn(one.shape, generator=numbers, dtype=torch.float64).to(one.device)
            for one in self.outputs
        ]

    def total(self, inputs: Sequence[Tensor], weights: Sequence[Tensor]) -> float:
        """The sum of all outputs under fixed weights; NaN where the function has no value."""
        with torch.no_grad():
            outputs = flat(self.call(*[one.clone() for one in inputs]))
        if [one.shape for one in outputs[: len(weights)]] != [one.shape for one in weights]:
            return math.nan
        pairs = zip(outputs, weights, strict=False)
        return float(sum((one * weight).sum() for one, weight in pairs))

    def gradients(self, weights: Sequence[Tensor], factor: float = 1.0) -> list[Tensor]:
        """What the backward makes of those weights, times a factor."""
        leaves = [one.clone().requires_grad_() for one in self.inputs]
        outputs = flat(self.call(*[leaf.clone() for leaf in leaves]))
        outputs = [one for one in outputs if one.requires_grad]
        scaled = [weight * factor for weight in weights]
        found = torch.autograd.grad(outputs, leaves, scaled, allow_unused=True)
        return [torch.zeros_like(leaf) if one is None else one
                for one, leaf in zip(found, leaves, strict=True)]  # fmt: skip


def is_large(args: Sequence[Any]) -> bool:
    return any(isinstance(one, Tensor) and one.numel() > SAMPLE_ELEMENTS for one in args)


def cut(args: Sequence[Any]) -> list[Any]:
    """The first examples of all arguments that have as many as the first tensor."""
    tensors = [one for one in args if isinstance(one, Tensor) and one.dim()]
    size = tensors[0].shape[0]
    largest = max(one.numel() for one in tensors if one.shape[0] == size)
    kept = max(2, min(size, SAMPLE_ELEMENTS * size // max(largest, 1)))
    return [
        one[:kept] if isinstance(one, Tensor) and one.dim() and one.shape[0] == size else one
        for one in args
    ]


def in_double(value: Any) -> Any:
    return value.detach().double() if is_real(value) else value


def examine_call(sample: Sample) -> tuple[float, bool]:
    """The relative error of the gradient, and whether the backward differs by intent.

    Raises:
        BabysitError: it cannot be told.
    """
    check = gradcheck(sample.call, sample.inputs)
    if not check.num_checked:
        raise BabysitError(" ".join(check.notes) or "There was nothing to check.")
    if check.ok:
        return 0.0, False
    return error_of(check), is_meant(sample, check)


def error_of(check: GradientCheck) -> float:
    """The error of the worst element; 1 where the derivative is 0 or the backward's no number."""
    return max(min(one.relative_error, 1.0) if math.isinf(one.relative_error)
               else one.relative_error for one in check.mismatches)  # fmt: skip


def is_meant(sample: Sample, check: GradientCheck) -> bool:
    """Whether a backward that is not the derivative may well not be supposed to be it."""
    weights = sample.weights()
    tests: tuple[Callable[[], bool], ...] = (
        lambda: all(map(is_flat, check.mismatches)),
        lambda: bool(MEANT_WORDS.search(told_by(sample._kind))),
        lambda: is_multiple(sample),
        lambda: not is_linear(sample, weights),
        lambda: jumps(sample, weights),
    )
    return any(test() for test in tests)


def is_flat(mismatch: GradientMismatch) -> bool:
    """The function does not change here, and yet a gradient is passed on."""
    is_number = math.isfinite(mismatch.analytic)
    return is_number and abs(mismatch.numeric) <= 1e-6 * abs(mismatch.analytic)


def told_by(kind: type) -> str:
    """A class's name, in words, and what it says of itself."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind.__name__)
    doc = kind.__doc__ if kind.__doc__ != torch.autograd.Function.__doc__ else ""
    return f"{words} {kind.__name__} {doc or ''}"


def is_multiple(sample: Sample) -> bool:
    """Whether the function only hands on an input, perhaps scaled: it is there for its backward."""
    output = sample.outputs[0].detach().reshape(-1)
    for one in sample.inputs:
        given = one.reshape(-1)
        if given.numel() != output.numel() or not bool(given.any()):
            continue
        scale = torch.dot(output, given) / torch.dot(given, given)
        if bool(((output - scale * given).abs() <= 1e-9 * output.abs().max()).all()):
            return True
    return False


def is_linear(sample: Sample, weights: Sequence[Tensor]) -> bool:
    """Whether the backward is linear in what it is given, as only a derivative must be."""
    plain = sample.gradients(weights)
    for factor in (1.0, -1.0, 1e4, 1e-4):
        for one, other in zip(plain, sample.gradients(weights, factor), strict=True):
            gap = one.nan_to_num() - (other / factor).nan_to_num()
            if float(gap.abs().max()) > 1e-3 * float(one.nan_to_num().abs().max()):
                return False
    return True


def jumps(sample: Sample, weights: Sequence[Tensor]) -> bool:
    """Whether the function has steps among its inputs, whose slopes are useless.

    Along a line from the inputs to the same in another order, that interval is halved time and
    again that changes most: what is continuous changes ever less.
    """
    numbers = torch.Generator().manual_seed(1)
    ends = []
    for one in sample.inputs:
        order = torch.randperm(one.numel(), generator=numbers).to(one.device)
        ends.append(one.reshape(-1)[order].view_as(one))

    def at(share: float) -> float:
        pairs = zip(sample.inputs, ends, strict=True)
        return sample.total([one + share * (end - one) for one, end in pairs], weights)

    values = [at(number / NUM_POINTS) for number in range(NUM_POINTS + 1)]
    changes = [abs(b - a) for a, b in itertools.pairwise(values)]
    if not all(map(math.isfinite, changes)):
        return False
    whole = max(map(abs, values)) or 1.0
    first = changes.index(max(changes))
    low, high = first / NUM_POINTS, (first + 1) / NUM_POINTS
    before, after = values[first], values[first + 1]
    for _ in range(NUM_HALVINGS):
        middle = (low + high) / 2
        between = at(middle)
        if abs(between - before) > abs(after - between):
            high, after = middle, between
        else:
            low, before = middle, between
    return abs(after - before) > 1e-7 * whole

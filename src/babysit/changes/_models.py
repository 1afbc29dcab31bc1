"""What changes of models share: entering their calls, tracing them, altering them unnoticed."""

from __future__ import annotations

import difflib
import functools
import inspect
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Final
from weakref import WeakSet

import torch
from torch import fx, nn

from babysit.change import Levers

WRAPPERS: Final = ("module", "_orig_mod", "_fsdp_wrapped_module")
NUMBERS: Final = itertools.count()
During = Callable[[nn.Module], AbstractContextManager[Any]]


class Fresh:
    """Tells modules met for the first time.

    Parts of a model may be called by themselves, and a copy of a changed model is changed
    already: hence a mark, which copies carry, until the levers let go.
    """

    def __init__(self, levers: Levers) -> None:
        self._mark = f"babysit_mark_{next(NUMBERS)}"
        self._marked: WeakSet[nn.Module] = WeakSet()
        levers.in_the_end(self._unmark)

    def of(self, model: nn.Module) -> set[nn.Module]:
        """The modules of a model that belonged to none so far; empty for a part of one."""
        if self._mark in vars(model):
            return set()
        new = {one for one in model.modules() if self._mark not in vars(one)}
        for one in new:
            vars(one)[self._mark] = True
        self._marked.update(new)
        return new

    def _unmark(self) -> None:
        for one in self._marked:
            vars(one).pop(self._mark, None)


def while_models_run(levers: Levers, during: During) -> None:
    """Enter something of ours around each call of an outermost module, and around backward.

    Backward may run parts of the models again (checkpointing), and they must do the same then.
    Not by hooks: whoever watches by hooks is to see what is in force, and nothing of ours is on
    the model, which can be copied and saved as ever.
    """
    models: WeakSet[nn.Module] = WeakSet()
    original = nn.Module.__call__
    # Inside of backward itself, which counts as a function that modes may answer.
    engine = getattr(torch.autograd, "_engine_run_backward", None)
    is_inside = False

    @contextmanager
    def entered(run: Iterable[nn.Module]) -> Iterator[None]:
        nonlocal is_inside
        was_inside, is_inside = is_inside, True
        try:
            with ExitStack() as stack:
                for model in run:
                    stack.enter_context(during(model))
                yield
        finally:
            is_inside = was_inside

    @functools.wraps(original)
    def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if is_inside or module not in models:
            return original(module, *args, **kwargs)
        with entered((module,)):
            return original(module, *args, **kwargs)

    def backward(*args: Any, **kwargs: Any) -> Any:
        assert engine is not None
        with entered(list(models)):
            return engine(*args, **kwargs)

    levers.on_model(models.add)
    levers.replace(nn.Module, "__call__", call)
    levers.replace(torch.autograd, "_engine_run_backward", backward)


def eagerly() -> AbstractContextManager[Any]:
    """Run what is compiled as it was written: compilation cannot follow all that we do."""
    has_compiled = "torch._dynamo" in sys.modules  # not imported for this alone: it takes seconds
    set_stance = getattr(torch.compiler, "set_stance", None)  # since PyTorch 2.6
    return set_stance("force_eager") if set_stance and has_compiled else nullcontext()


def is_trained(levers: Levers) -> bool:
    """Whether a model met now has learnt already, such as an average of the trained weights."""
    return levers.step > 0 and not torch.is_grad_enabled()


@contextmanager
def apart(model: nn.Module) -> Iterator[None]:
    """Alter a model, maybe in the midst of an evaluation, and leave the random numbers alone."""
    devices = {one.device.index for one in model.parameters() if one.is_cuda}
    random = torch.random.fork_rng(devices=list(devices))
    with torch.inference_mode(False), torch.no_grad(), random:
        yield


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Run a model as if it had not run: no gradients; random numbers and buffers as before."""
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    with apart(model):
        yield
        for buffer, before in kept:
            buffer.copy_(before)


class Tracer(fx.Tracer):
    """Follows a model's forward; hooks that others hung on its modules do not run."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Identity) or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        name = self.path_of_module(m)
        if self.is_leaf_module(m, name):
            return self.create_proxy("call_module", name, args, kwargs)
        return m.forward(*args, **kwargs)


def traced(model: nn.Module) -> fx.Graph:
    """The graph of a model's forward, with its optional arguments left out.

    Raises:
        Exception: of any kind; it cannot be followed.
    """
    given = inspect.signature(model.forward).parameters.values()
    options = {one.name: one.default for one in given if one.default is not one.empty}
    with untouched(model):
        return Tracer().trace(model, concrete_args=options)


def inside(model: nn.Module) -> nn.Module:
    """The script's model inside a compiled one."""
    return model._modules.get("_orig_mod") or model


def plain(name: str) -> str:
    """A dotted name without the parts that wrappers (DDP, compile) put in."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def no_such_module(name: str, names: Iterable[str]) -> str:
    """That there is none of this name, and what there is of a similar one."""
    known = [one for one in names if one]
    near = difflib.get_close_matches(name, known, n=3) or known[:3]
    others = f"; there are {', '.join(near)}" if near else ""
    return f"the model has no module {name}{others}"

"""The second life of a program: a woken copy goes on until the same thing happens again.

It has its own clock, much simpler than the watcher's: the loss before backward, gradients before
an optimizer's step, parameters after it, numbers that the program looks at.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from babysit.instrument.names import Names
from babysit.instrument.replay import blackbox
from babysit.instrument.replay.births import Birth, Births, Made, Operand
from babysit.instrument.replay.numpy_faults import NumpyFaults
from babysit.instrument.replay.operations import PRODUCTS, is_finite
from babysit.instrument.trainings import given, gradients_of, parameters_of

STEPS_BEYOND: Final = 2
SUMS: Final = frozenset({"mul", "linear", "matmul", "exp", "sum", "add", "sub", "conv"})


class SecondLife:
    """Watches a woken copy and tells what was found; the copy ends with that.

    Args:
        request: ``event``, ``step`` and ``since``: what was seen, in which step, and from which
            step on to watch every operation; ``folder``: where the black box goes.
        answer: tells the original and ends this process.
    """

    def __init__(
        self, request: dict[str, Any], answer: Callable[[dict[str, Any]], NoReturn], *,
        step: int, names: Names, has_trained: bool,
    ) -> None:  # fmt: skip
        self._request, self._answer, self._names = request, answer, names
        self._step, self._depth = step, 0
        self._has_trained = has_trained
        self.births = Births(phase=self._phase, step=lambda: self._step, look=self._looked)
        self._is_watching = False
        self._kept: dict[str, Any] = {}
        self._rows: list[int] = []
        self._optimizer: int | None = None
        self._numpy = NumpyFaults()

    def begin(self) -> None:
        """Set the clock; from here on the program runs."""
        backward, grad = torch.autograd.backward, torch.autograd.grad

        def watched_backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            self._has_trained = True
            self._check("loss", given(tensors))
            return backward(tensors, *args, **kwargs)

        def watched_grad(outputs: Any, *args: Any, **kwargs: Any) -> Any:
            self._check("loss", given(outputs))
            return grad(outputs, *args, **kwargs)

        torch.autograd.backward, torch.autograd.grad = watched_backward, watched_grad
        module = torch.nn.modules.module
        module.register_module_forward_pre_hook(self._called)
        dataset = torch.utils.data._utils.fetch._MapDatasetFetcher
        fetch = dataset.fetch

        def watched_fetch(fetcher: Any, indices: Any) -> Any:
            self._rows = [int(index) for index in given(indices) if isinstance(index, int)]
            return fetch(fetcher, indices)

        dataset.fetch = watched_fetch  # type: ignore[method-assign]  # the same signature
        self._numpy.watch()
        register_optimizer_step_pre_hook(self._before_step)
        register_optimizer_step_post_hook(self._after_step)
        run_eagerly()
        self._watch_if_due()

    def end(self) -> NoReturn:
        """The program has ended, perhaps in an error, or has gone far enough."""
        crashed = self._request["event"] == "crash"
        found = [one for one in self.births.all if crashed or one.phase == "evaluation"]
        self._tell(self._request["event"], next(iter(found), None))

    # -- the clock -----------------------------------------------------------------------

    def _watch_if_due(self) -> None:
        if not self._is_watching and self._step >= self._request["since"]:
            self._is_watching = True
            torch._C._set_autograd_fallback_mode("nothing")
            self.births.watch()
            self._keep_states()
        if self._is_watching:  # the source line of every node, without looking for NaN
            torch._C.set_anomaly_enabled(True, False)

    def _phase(self) -> str:
        if self._depth and not torch.is_grad_enabled():  # with them on it is a closure
            return "optimizer"
        if torch.is_grad_enabled():
            return "forward"
        return "evaluation" if self._has_trained else "data"

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._optimizer = id(optimizer)  # the same as in the original
        gradients = gradients_of(optimizer, parameters_of(optimizer))
        self._check("gradient", (gradient for gradient in gradients if gradient is not None))
        self._depth += 1
        if self._is_watching and self._depth == 1:
            named = ((self._names.parameter(p)[0], p) for p in parameters_of(optimizer))
            self._kept["parameters"] = {name: p.detach().clone() for name, p in named}

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._check("parameter", parameters_of(optimizer))
        self._depth -= 1
        if self._depth == 0:
            self._step += 1
            self.births.begin_step()
            if self._is_watching:
                self._keep_states()
            self._watch_if_due()
            if self._step > self._request["step"] + STEPS_BEYOND:
                self.end()

    def _keep_states(self) -> None:
        """What the next step begins with."""
        self._kept = {"random": {"torch": torch.get_rng_state(), "python": random.getstate()}}
        if torch.cuda.is_initialized():
            self._kept["random"]["cuda"] = torch.cuda.get_rng_state_all()

    def _called(self, module: nn.Module, inputs: Any) -> None:
        """The first call of a step: what it is given is the batch."""
        if self._is_watching and "batch" not in self._kept:
            self._kept["batch"] = list(inputs)

    def _looked(self, tensor: Tensor) -> None:
        """The program reads a number."""
        if not torch.is_grad_enabled() or self._request["event"] in ("look", "evaluation"):
            self._check("look", [tensor])

    def _check(self, event: str, tensors: Iterable[Tensor]) -> None:
        if not self._is_watching:
            return
        with torch.utils._python_dispatch._disable_current_modes():
            bad = [tensor for tensor in tensors if not is_finite(tensor)]
            known = [birth for one in bad if (birth := self.births.birth_of(one)) is not None]
            real = [birth for birth in known if not birth.is_meant]
            found = min(real or known, key=lambda birth: birth.number, default=None)
            if bad and (found is not None or event == self._request["event"]):
                if event == "look" and (found is None or found.is_meant):
                    return  # an infinity by right, such as the best loss so far
                self._tell(event, found)

    # -- telling -------------------------------------------------------------------------

    def _tell(self, event: str, birth: Birth | None) -> NoReturn:
        with torch.utils._python_dispatch._disable_current_modes():
            if birth is None:
                self._answer({"event": event, "step": self._step, "birth": None})
            told = {"event": event, "step": self._step, "birth": self.described(birth)}
            if event in ("gradient", "parameter"):
                told["optimizer"] = self._optimizer
            if self.births.faults:
                told["faults"] = self.births.faults[:4]
            if self._request.get("folder"):
                told["blackbox"] = blackbox.save(self._request["folder"], birth, told, self._kept)
            self._answer(told)

    def described(self, birth: Birth) -> dict[str, Any]:
        """A birth as data for the record."""
        key = key_operand(birth)
        found: dict[str, Any] = {
            "op": birth.name, "inner": birth.inner, "phase": birth.phase, "step": birth.step,
            "kind": birth.kind, "count": birth.count, "size": birth.size,
            "index": list(birth.index), "rows": list(birth.rows), "dtype": birth.dtype,
            "examples": self._examples(birth), "is_meant": birth.is_meant,
            "arrived": birth.arrived, "layer": self._layer(birth.owner),
            "operands": [operand.to_json() for operand in birth.operands],
            "key": birth.operands.index(key) if key is not None else None,
            "made_by": self._made(key.source, 2) if key is not None and key.source else None,
            **(birth.place or {}),
        }  # fmt: skip
        if birth.forward is not None and birth.forward.given is not None:
            made = next(iter(birth.forward.inputs), None)
            found["given"] = list(birth.forward.given)
            found["made_by"] = self._made(made, 2) if made is not None else None
        if birth.arrived == "data" and self._numpy.first is not None:
            found |= {**self._numpy.first, "phase": "data", "arrived": None, "layer": None}
            found |= {"by": "numpy", "step": 0, "operands": [], "key": None, "made_by": None}
        if birth.arrived == "parameter" and birth.bad is not None:
            found["name"] = self._names.parameter(birth.bad)[0]
        return found

    def _examples(self, birth: Birth) -> list[int]:
        """Which examples of the data set they are, where a loader fetched the batch."""
        is_batch = birth.length == len(self._rows)
        return [self._rows[row] for row in birth.rows] if is_batch else []

    def _made(self, made: Made, depth: int) -> dict[str, Any]:
        """What made an operand, and what made that."""
        before = [one for one in made.inputs if one is not None]
        widest = max(before, key=extreme, default=None)
        return {
            "data": made.data,
            "op": made.name, "low": made.low, "high": made.high,
            "layer": self._layer(made.owner), **(made.place or {}),
            "made_by": self._made(widest, depth - 1) if widest is not None and depth else None,
        }  # fmt: skip

    def _layer(self, owner: nn.Module | None) -> str | None:
        if owner is None or owner._modules:
            return None
        self._names.add_root(owner)
        return self._names.layer(owner)


def run_eagerly() -> None:
    """Operations within compiled code cannot be watched: run the code that was compiled."""
    if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
        torch.compiler.set_stance("force_eager")

    def compiled(model: Any = None, **_: Any) -> Any:
        return model if model is not None else lambda function: function

    torch.compile = compiled
    nn.Module.compile = lambda *_, **__: None  # type: ignore[method-assign]


def extreme(one: Made | Operand) -> float:
    return max(abs(one.low), abs(one.high))


def key_operand(birth: Birth) -> Any:
    """The operand that was at fault: a zero where one divides or takes a log; else the largest."""
    if birth.inner in PRODUCTS:
        return max(birth.operands, key=extreme, default=None)
    known = [one for one in birth.operands if one.value is not None]
    if not birth.arrived and birth.phase != "optimizer":  # a NaN belongs to its own making
        known = [one for one in known if one.value == one.value]
    bad = [one for one in known if not abs(one.value or 0.0) < float("inf")]
    zeros = [one for one in known if one.value == 0]
    if bad:
        return bad[0]
    if zeros and birth.inner not in SUMS:
        return zeros[-1]
    return max(known or birth.operands, key=lambda one: abs(one.value or one.high), default=None)

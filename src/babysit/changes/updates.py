"""Changes of the updates: by which optimizer, with what options, of which parameters."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.change import CannotApplyError, Change, Levers, is_number
from babysit.changes._groups import (
    Undo,
    during_steps,
    is_positive,
    nominal_rate,
    parameters_of,
    set_option,
    with_gradients,
)
from babysit.changes._layers import Joining, Selection, ids
from babysit.text import listing

BELOW_ONE: Final = "a number from 0 to below 1"
KINDS: Final = {
    name: kind
    for name, kind in vars(torch.optim).items()
    if inspect.isclass(kind) and issubclass(kind, Optimizer)
    # The last two take another kind of step or of gradient than all others.
    if name not in ("Optimizer", "LBFGS", "SparseAdam")
}
TAKE_SPARSE: Final = ("SGD", "Adagrad")
PATIENCE: Final = 10  # steps after which every optimizer of a training has had its turn


def is_momentum(value: float) -> bool:
    return is_number(value) and 0 <= value < 1


@dataclass(frozen=True, kw_only=True)
class SetWeightDecay(Change):
    """Set the weight decay, except where a script left single groups without any.

    Groups without decay beside groups with it are meant so, for biases and norms; they stay.
    """

    decay: float

    def __post_init__(self) -> None:
        is_right = is_number(self.decay) and 0 <= self.decay < math.inf
        self.require(decay=(is_right, "a number, 0 or above"))

    def apply(self, levers: Levers) -> None:
        def alter(optimizer: Optimizer) -> list[Undo]:
            groups = [group for group in optimizer.param_groups if "weight_decay" in group]
            if not groups:
                raise CannotApplyError(f"{type(optimizer).__name__} has no weight decay")
            decayed = [group for group in groups if group["weight_decay"]] or groups
            return [set_option(group, "weight_decay", self.decay) for group in decayed]

        during_steps(levers, alter)


@dataclass(frozen=True, kw_only=True)
class SetMomentum(Change):
    """Set the momentum: of the Adam family that is the first beta."""

    momentum: float

    def __post_init__(self) -> None:
        self.require(momentum=(is_momentum(self.momentum), BELOW_ONE))

    def apply(self, levers: Levers) -> None:
        def alter(optimizer: Optimizer) -> list[Undo]:
            if not any("momentum" in group or "betas" in group for group in optimizer.param_groups):
                raise CannotApplyError(f"{type(optimizer).__name__} has no momentum")
            undo = [self._set(group) for group in optimizer.param_groups]
            fit_buffers(optimizer)
            return undo

        def meet(optimizer: Optimizer) -> None:
            levers.in_the_end(lambda: fit_buffers(optimizer, tidy=True))

        levers.on_optimizer(meet)
        during_steps(levers, alter)

    def _set(self, group: dict[str, Any]) -> Undo:
        if "momentum" in group:
            return set_option(group, "momentum", self.momentum)
        return set_option(group, "betas", (self.momentum, *group["betas"][1:]))


def fit_buffers(optimizer: Optimizer, *, tidy: bool = False) -> None:
    """RMSprop makes its buffers at the first step only; make those that its momentum needs now.

    Args:
        tidy: drop the buffers that no momentum needs.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            state = optimizer.state.get(parameter)
            if not state or "momentum" not in group:
                continue
            if group["momentum"] and "square_avg" in state:
                state.setdefault("momentum_buffer", torch.zeros_like(parameter))
            elif tidy and not group["momentum"]:
                state.pop("momentum_buffer", None)


@dataclass(frozen=True, kw_only=True)
class ChangeOptimizer(Change):
    """Update the parameters by another optimizer (D10, E6: adaptive ones help).

    The script's schedule acts on it in proportion. Parameter groups, weight decay and hooks are
    those of the script's optimizer, which goes through its steps without gradients.
    """

    kind: str
    rate: float | None = None
    momentum: float | None = None

    def __post_init__(self) -> None:
        self.require(kind=(self.kind in KINDS, f"one of {', '.join(sorted(KINDS, key=str.lower))}"))
        self.require(rate=(self.rate is None or is_positive(self.rate), "a number above 0"))
        if self.momentum is not None:
            has_any = {"momentum", "betas"} & takes(self.kind).keys()
            self.require(momentum=(bool(has_any), f"nothing: {self.kind} has no momentum"))
            self.require(momentum=(is_momentum(self.momentum), BELOW_ONE))

    def apply(self, levers: Levers) -> None:
        substitutes: WeakKeyDictionary[Optimizer, _Substitute] = WeakKeyDictionary()

        def meet(optimizer: Optimizer) -> None:
            if isinstance(optimizer, torch.optim.LBFGS):
                raise CannotApplyError("LBFGS evaluates the loss several times in each step")
            if any(group.get("capturable") for group in optimizer.param_groups):
                raise CannotApplyError("the optimizer is capturable, its step may be recorded")
            substitutes[optimizer] = _Substitute(self, optimizer)

        def alter(optimizer: Optimizer) -> list[Undo]:
            if getattr(optimizer, "grad_scale", None) is not None:
                raise CannotApplyError("the optimizer is fused and unscales gradients in its step")
            if self.kind not in TAKE_SPARSE and any(map(is_sparse, parameters_of(optimizer))):
                raise CannotApplyError(f"gradients are sparse, which {self.kind} does not take")
            return substitutes[optimizer].take_over(optimizer)

        levers.on_optimizer(meet)
        during_steps(levers, alter)


def takes(kind: str) -> dict[str, Any]:
    """The arguments of a class of optimizers, with their defaults."""
    parameters = inspect.signature(KINDS[kind]).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


def is_sparse(parameter: Tensor) -> bool:
    return parameter.grad is not None and parameter.grad.is_sparse


class _Substitute:
    """An optimizer that takes the steps of the script's.

    It updates once the gradients are there; then they are out of sight until the script's own
    optimizer has stepped, which leaves alone what has no gradient. So all hooks, schedules and
    wrappers of the script's step see it as ever.
    """

    def __init__(self, change: ChangeOptimizer, script: Optimizer) -> None:
        known = takes(change.kind)
        self._rate, self._initial = change.rate, max(map(nominal_rate, script.param_groups))
        self._shared = [name for name in ("weight_decay", "maximize") if name in known]
        options: dict[str, Any] = {}
        if change.momentum is not None and "momentum" in known:
            options["momentum"] = change.momentum
        elif change.momentum is not None:
            options["betas"] = (change.momentum, *known["betas"][1:])
        groups = [{"params": list(group["params"])} for group in script.param_groups]
        try:
            self._own = KINDS[change.kind](groups, **options)
        except (TypeError, ValueError) as error:
            raise CannotApplyError(
                f"{change.kind} does not take these parameters: {error}"
            ) from None
        self._step = unhooked(KINDS[change.kind].step)
        self._hidden: list[tuple[Tensor, Tensor]] = []

    def take_over(self, script: Optimizer) -> list[Undo]:
        """For one step. Its hooks are the last before the step and the first after it.

        What hooks of the script do to gradients, they do before or after all this.
        """
        before = script.register_step_pre_hook(with_gradients(self._update))
        after = script.register_step_post_hook(lambda *_: self._show())
        all_after: Any = script._optimizer_step_post_hooks  # an OrderedDict, declared as a dict
        all_after.move_to_end(after.id, last=False)
        return [self._show, before.remove, after.remove]

    def _update(self, script: Optimizer) -> None:
        self._follow(script)
        self._step(self._own)
        for parameter in parameters_of(script):
            if parameter.grad is not None:
                self._hidden.append((parameter, parameter.grad))
                parameter.grad = None

    def _follow(self, script: Optimizer) -> None:
        """Take over what the script's groups say by now."""
        for group in script.param_groups[len(self._own.param_groups) :]:
            self._own.add_param_group({"params": list(group["params"])})
        for group, own in zip(script.param_groups, self._own.param_groups, strict=True):
            own["params"] = group["params"]
            own.update({name: group[name] for name in self._shared if name in group})
            own["lr"] = self._rate_at(float(group["lr"]))

    def _rate_at(self, current: float) -> float:
        if self._rate is None:
            return current
        return self._rate * current / self._initial if self._initial else self._rate

    def _show(self) -> None:
        while self._hidden:
            parameter, gradient = self._hidden.pop()
            parameter.grad = gradient


def unhooked(step: Any) -> Callable[[Optimizer], Any]:
    """A class's step as it is without the hooks of optimizers, which fire for the script's."""
    while getattr(step, "hooked", False):
        step = step.__wrapped__
    return step  # type: ignore[no-any-return]  # hooks wrap functions


@dataclass(frozen=True, kw_only=True)
class AddMissingParameters(Change):
    """Let the first optimizer also train the parameters that no optimizer holds.

    They join its first group as soon as they have a gradient, the earliest that they could move.
    """

    def apply(self, levers: Levers) -> None:
        joining = Joining(levers)

        def meet(model: nn.Module) -> None:
            joining.offer(trainable(model))

        def check(_: Optimizer) -> None:
            if levers.step and joining.is_idle:
                raise CannotApplyError("optimizers hold all trainable parameters already")

        levers.on_model(meet)
        levers.before_step(check)


@dataclass(frozen=True, kw_only=True)
class Freeze(Change):
    """Stop training these layers, by their names in the model.

    A name stands for all that is below it: ``features`` for ``features.0.weight``.
    """

    layers: tuple[str, ...]

    def __post_init__(self) -> None:
        check_layers(self)

    def apply(self, levers: Levers) -> None:
        selection = Selection(self.layers)
        frozen: list[Tensor] = []

        def meet(model: nn.Module) -> None:
            chosen = selection.find(model)
            if chosen and not ids(trainable(model)) - ids(chosen):
                raise CannotApplyError("nothing of the model would be left to train")
            frozen.extend(one for one in chosen if one.requires_grad)
            hold()

        def hold(_: Optimizer | None = None) -> None:
            for parameter in frozen:  # the script may have thawed it again
                parameter.requires_grad_(False)
                parameter.grad = None

        def let_go() -> None:
            for parameter in frozen:
                parameter.requires_grad_(True)

        levers.on_model(meet)
        levers.before_step(lambda _: selection.check())
        levers.before_step(hold)
        levers.in_the_end(let_go)


@dataclass(frozen=True, kw_only=True)
class Unfreeze(Change):
    """Train these layers too, by their names in the model.

    A name stands for all that is below it: ``features`` for ``features.0.weight``. What no
    optimizer holds joins the first one.
    """

    layers: tuple[str, ...]

    def __post_init__(self) -> None:
        check_layers(self)

    def apply(self, levers: Levers) -> None:
        selection, joining = Selection(self.layers), Joining(levers)
        thawed: list[Tensor] = []
        reached: set[bool] = set()

        def meet(model: nn.Module) -> None:
            chosen = selection.find(model)
            thawed.extend(one for one in chosen if not one.requires_grad)
            for parameter in chosen:
                parameter.requires_grad_(True)
            joining.offer(chosen)

        def check(_: Optimizer) -> None:
            selection.check()
            shown = listing(self.layers)
            if not thawed and joining.is_idle and levers.step:
                raise CannotApplyError(f"{shown} was trained already")
            reached.add(any(one.grad is not None for one in thawed))
            if thawed and levers.step >= PATIENCE and True not in reached:
                raise CannotApplyError(f"no gradient reaches {shown}: it may run under no_grad")

        def let_go() -> None:
            for parameter in thawed:
                parameter.requires_grad_(False)
                parameter.grad = None

        levers.on_model(meet)
        levers.before_step(check)
        levers.in_the_end(let_go)


def check_layers(change: Freeze | Unfreeze) -> None:
    """Names of layers, which JSON gives as a list."""
    if isinstance(change.layers, list):
        object.__setattr__(change, "layers", tuple(change.layers))
    are_names = isinstance(change.layers, tuple) and all(
        isinstance(layer, str) and layer for layer in change.layers
    )
    change.require(layers=(are_names and bool(change.layers), "a list of names of layers"))


def trainable(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]

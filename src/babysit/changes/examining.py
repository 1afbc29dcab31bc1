"""Changes that look instead of altering: at one call of the model, made again in other ways.

They note numbers and leave the training as it is: modes, buffers, gradients and random states
come back. Where what they see does not show whether something is wrong, they say why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn

from babysit.change import CannotApplyError, Change, Levers, is_count
from babysit.changes._calls import Call, Reading, aside, on_calls, readings
from babysit.changes._mixing import Mixing

MAX_MODELS: Final = 4  # of one step that are looked at
PATIENCE: Final = 3  # first steps without a call
NUM_PASSES: Final = 3  # in training mode, whose dropout differs


@dataclass(frozen=True, kw_only=True)
class ExamineBatchMixing(Change):
    """Does the output for one example depend on the others of its batch?

    The gradient of some examples' outputs by the inputs of all, in evaluation mode. Noted is
    ``cross-example-influence``, the largest share that a gradient by another example has of that
    by its own: exactly 0 where examples are kept apart. Where they influence one another and that
    may well be meant, as between the nodes of a graph, the change does not apply.

    Args:
        steps: how many the batches are compared over: examples do not change in number, and not
            always have the same neighbours.
    """

    steps: int = 3

    def __post_init__(self) -> None:
        self.require(
            steps=(is_count(self.steps) and self.steps > 1, "a number of steps, 2 or more")
        )

    def apply(self, levers: Levers) -> None:
        calls = _StepCalls()
        met: dict[nn.Module, Mixing] = {}
        looked = [0]

        def look(_: Any) -> None:
            if looked[0] >= self.steps or not calls.has_come(levers):
                return
            for call in calls.take():
                if call.module in met or len(met) < MAX_MODELS:
                    met.setdefault(call.module, Mixing()).meet(call)
            looked[0] += 1
            if looked[0] == self.steps:
                conclude()

        def conclude() -> None:
            judged = [one for one in met.values() if one.refusal is None]
            if not judged:
                first = next(iter(met.values()))
                raise CannotApplyError(str(first.refusal))
            levers.note("cross-example-influence", max(one.influence for one in judged))

        def conclude_early() -> None:
            if met and looked[0] < self.steps:
                with suppress(CannotApplyError):
                    conclude()

        on_calls(levers, calls.meet)
        levers.before_step(look)
        levers.in_the_end(conclude_early)


class _StepCalls:
    """The first call of each model since the last step; in training mode, if there is one."""

    def __init__(self) -> None:
        self.latest: dict[nn.Module, Call] = {}
        self._has_met = False

    def meet(self, call: Call) -> None:
        self._has_met = True
        known = self.latest.get(call.module)
        if known is None or (call.modes[0][1] and not known.modes[0][1]):
            self.latest[call.module] = call

    def has_come(self, levers: Levers) -> bool:
        """Whether there is any.

        Raises:
            CannotApplyError: there has been none in the first steps.
        """
        if not self._has_met and levers.step >= PATIENCE:
            raise CannotApplyError("no module was called with gradients between two steps")
        return bool(self.latest)

    def take(self) -> list[Call]:
        calls = list(self.latest.values())
        self.latest = {}
        return calls


@dataclass(frozen=True, kw_only=True)
class ExamineSingleExamples(Change):
    """Does the model say the same of an example alone as within its batch (A7)?

    In evaluation mode. Noted are ``single-example-difference``, relative to the largest output,
    and ``single-example-dimensions-lost``, as by ``squeeze()``; or ``single-example-crash`` of 1
    where the model takes two examples but not one.
    """

    def apply(self, levers: Levers) -> None:
        calls = _StepCalls()
        is_done: list[bool] = []

        def look(_: Any) -> None:
            if is_done or not calls.has_come(levers):
                return
            is_done.append(True)
            refusal = None
            for call in calls.take():
                try:
                    for name, value in single_examples(call).items():
                        levers.note(f"single-example-{name}", value)
                    return
                except CannotApplyError as error:
                    refusal = refusal or error
            assert refusal is not None  # there was at least one call
            raise refusal

        on_calls(levers, calls.meet)
        levers.before_step(look)


def single_examples(call: Call) -> dict[str, float]:
    """What becomes of a batch's examples alone.

    Raises:
        CannotApplyError: it cannot be told.
    """
    found: list[dict[str, float]] = []
    refusals: list[CannotApplyError] = []
    for reading in readings(call):
        try:
            found.append(compare_singles(call, reading))
        except CannotApplyError as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    return min(found, key=lambda one: (one.get("crash", 0.0), one.get("difference", 0.0)))


def compare_singles(call: Call, reading: Reading) -> dict[str, float]:
    """The outputs of single examples beside those of the batch."""
    with aside(call), torch.no_grad():
        state = torch.get_rng_state()
        whole = call.again(call.leaves)[reading.place]
        if not torch.equal(state, torch.get_rng_state()):
            raise CannotApplyError("the model draws random numbers in evaluation mode as well")
        rows = reading.by_example(whole).double()
        if not bool(rows.isfinite().all()):
            raise CannotApplyError("the model's output is not finite")
        call.again(part_of(call, reading, 0, 2))  # it must take less than a whole batch
        scale = float(rows.abs().max()) or 1.0
        difference, lost = 0.0, 0
        for at in sorted({0, reading.size // 2, reading.size - 1}):
            leaves = part_of(call, reading, at, at + 1)
            try:
                alone = call.again(leaves)[reading.place]
            except Exception:  # whatever a model raises when a batch of one is too small for it
                return {"crash": 1.0}
            if alone.numel() != rows.shape[1]:
                raise CannotApplyError("its output for a single example is of another size")
            lost = max(lost, whole.dim() - alone.dim())
            gap = (alone.double().reshape(-1) - rows[at]).abs().max()
            difference = max(difference, float(gap) / scale)
    return {"difference": difference, "dimensions-lost": float(lost), "crash": 0.0}


def part_of(call: Call, reading: Reading, start: int, end: int) -> list[Any]:
    """A call's arguments with some of the examples only."""

    def part(value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.dim():
            return value
        if reading.holds(value):
            if value is not call.data and list(value.shape).count(reading.size) > 1:
                raise CannotApplyError("it does not show which arguments hold the examples")
            return value.narrow(reading.dim, start, end - start)
        return value[:, start:end].contiguous() if reading.is_state(value) else value

    return [part(value) for value in call.leaves]


@dataclass(frozen=True, kw_only=True)
class ExamineModes(Change):
    """What is the loss of one and the same batch in training mode, and in evaluation mode?

    Noted as ``train-mode-loss``, a mean over passes with dropout of their own, and
    ``eval-mode-loss``. The batch is one that the next step learns from, not the last one.

    Args:
        at_step: when; running statistics need some steps. Of a training that ends before, the
            latest of the steps 0, 1, 2, 4, 8 … counts.
    """

    at_step: int = 20

    def __post_init__(self) -> None:
        self.require(at_step=(is_count(self.at_step), "a number of steps, 1 or more"))

    def apply(self, levers: Levers) -> None:
        calls = _StepCalls()
        losses: list[Any] = []
        latest: dict[str, float] = {}
        is_done: list[bool] = []

        def keep(loss: Any) -> None:
            if loss.trains and not is_done:
                losses.append(loss)

        def look(_: Any) -> None:
            if is_done:
                return
            step = levers.step
            found = linked(calls.take(), losses)
            losses.clear()
            # Now and then: who knows how long the training will last.
            if found is not None and (step >= self.at_step or step & (step - 1) == 0):
                latest.update(loss_by_mode(*found))
            if step >= self.at_step:
                if not latest:
                    raise CannotApplyError("no loss is taken of what a model returned, as it is")
                note()

        def note() -> None:
            if latest and not is_done:
                is_done.append(True)
                for mode, value in latest.items():
                    levers.note(f"{mode}-mode-loss", value)

        on_calls(levers, calls.meet)
        levers.on_loss(keep)
        levers.before_step(look)
        levers.in_the_end(note)


def loss_by_mode(call: Call, loss_of: Callable[[Sequence[Tensor]], Tensor]) -> dict[str, float]:
    """The loss of a call made again, in either mode."""
    losses: dict[str, list[float]] = {"eval": [], "train": []}
    for mode, passes in (("eval", 1), ("train", NUM_PASSES)):
        with aside(call, trains=mode == "train"), torch.no_grad():
            for _ in range(passes):
                losses[mode].append(float(loss_of(call.again(call.leaves)).mean()))
    return {mode: sum(values) / len(values) for mode, values in losses.items()}


def linked(
    calls: Sequence[Call], losses: Sequence[Any]
) -> tuple[Call, Callable[[Sequence[Tensor]], Tensor]] | None:
    """The first call whose output a loss is taken of, and how it is taken."""
    for loss in losses:
        for call in calls:
            for place, output in enumerate(call.outputs):
                if call.data is not None and shares_memory(loss.prediction, output):
                    return call, partial(loss_at, loss, place, output)
    return None


def shares_memory(one: Tensor, other: Tensor) -> bool:
    """Whether a tensor is another one, or a view of it."""
    is_same = one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
    return is_same and one.dtype == other.dtype and one.numel() > 0


def loss_at(loss: Any, place: int, before: Tensor, outputs: Sequence[Tensor]) -> Tensor:
    """The loss with another output in place of the one it was taken of."""
    output, view = outputs[place], loss.prediction
    if output.shape != before.shape:
        raise CannotApplyError("the model's output differs in shape between the modes")
    if output.stride() != before.stride():
        output = torch.empty_strided(before.shape, before.stride(), dtype=output.dtype).copy_(
            output
        )
    offset = view.storage_offset() - before.storage_offset() + output.storage_offset()
    prediction = output.as_strided(view.shape, view.stride(), offset)
    result: Tensor = loss.compute(prediction=prediction)
    return result

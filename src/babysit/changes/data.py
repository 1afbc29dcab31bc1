"""Changes of what is learnt from: which examples, in which order, how large a batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    IterableDataset,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from babysit.change import CannotApplyError, Change, Levers, is_count, is_number
from babysit.changes._holding import places, rightness, wrong_by_sureness

KEPT_TARGETS: Final = 64  # of earlier batches, to draw a label from where a batch has but one


@dataclass(frozen=True, kw_only=True)
class SetBatchSize(Change):
    """Batches of another size, as the DataLoader makes them."""

    size: int

    def __post_init__(self) -> None:
        self.require(size=(is_count(self.size), "a number of examples, 1 or more"))

    def apply(self, levers: Levers) -> None:
        def set_size(loader: Any) -> None:
            sampler = loader.batch_sampler
            if type(sampler) is not BatchSampler:
                raise CannotApplyError("the DataLoader's batches are not of one fixed size")
            if sampler.drop_last and isinstance(sampler.sampler, Sized):
                num_examples = len(sampler.sampler)
                if self.size > num_examples:
                    raise CannotApplyError(
                        f"the DataLoader drops small batches and draws only {num_examples} examples"
                    )
            levers.replace(sampler, "batch_size", self.size)

        levers.on_loader(set_size)


@dataclass(frozen=True, kw_only=True)
class Shuffle(Change):
    """The DataLoader draws its examples in random order."""

    def apply(self, levers: Levers) -> None:
        def set_order(loader: Any) -> None:
            sampler = loader.batch_sampler
            if isinstance(loader.dataset, IterableDataset):
                raise CannotApplyError("the data set itself decides about the order")
            if not isinstance(getattr(sampler, "sampler", None), Sized):
                raise CannotApplyError("the DataLoader's batches are made by a sampler of its own")
            if isinstance(sampler.sampler, RANDOM):
                raise CannotApplyError("the DataLoader draws in random order already")
            levers.replace(sampler, "sampler", _Shuffled(sampler.sampler))

        levers.on_loader(set_order)


RANDOM: Final = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


class _Shuffled:
    """What a sampler draws, in an order that the global random numbers know nothing of."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler
        self._numbers = torch.Generator().manual_seed(torch.initial_seed())

    def __iter__(self) -> Iterator[Any]:
        drawn = list(self._sampler)
        order = torch.randperm(len(drawn), generator=self._numbers)
        return (drawn[place] for place in order.tolist())

    def __len__(self) -> int:
        return len(self._sampler)


@dataclass(frozen=True, kw_only=True)
class KeepExamples(Change):
    """Train on the first examples only, again and again, in batches as large as before.

    They are the first that the training meets after its first step, as it meets them: augmented,
    normalised. Batches keep their shape: what is missing is filled by repetition. The steps in
    which the examples come together are trained as they are.
    """

    size: int

    def __post_init__(self) -> None:
        self.require(size=(is_count(self.size), "a number of examples, 1 or more"))

    def apply(self, levers: Levers) -> None:
        keep(levers, self.size)


@dataclass(frozen=True, kw_only=True)
class KeepOneBatch(Change):
    """Train on one batch only, the second, again and again.

    By the first it shows which calls make up a step; it is trained as it is.
    """

    def apply(self, levers: Levers) -> None:
        keep(levers, None)


def keep(levers: Levers, size: int | None) -> None:
    """Feed a training with the first examples it meets.

    A step may consist of several calls of models and losses: they are told apart by what they
    are given for, and by how many there were, of inputs since the last targets and vice versa.
    """
    pools: dict[tuple[str, str, int], _Pool] = {}
    seen: Counter[tuple[str, str]] = Counter()

    def turn(kind: str, other: str, tensor: Tensor) -> Tensor:
        for key in [key for key in seen if key[0] == other]:
            del seen[key]
        key = (kind, levers.place)
        pool = pools.setdefault((*key, seen[key]), _Pool(size))
        seen[key] += 1
        return pool.turn(tensor)

    levers.on_inputs(lambda tensor: turn("inputs", "targets", tensor), selects=True)
    levers.on_targets(lambda tensor: turn("targets", "inputs", tensor), selects=True)
    levers.after_step(lambda _: seen.clear())


class _Pool:
    """The first rows of a stream of batches, shape (examples, …), dealt again and again."""

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._parts: list[Tensor] = []
        self._kept: Tensor | None = None
        self._dealt = 0

    def turn(self, batch: Tensor) -> Tensor:
        """The rows to train on in place of a batch."""
        if self._kept is None:
            self._gather(batch)
        if self._kept is None:
            return batch
        rows = (self._dealt + torch.arange(len(batch))) % len(self._kept)
        self._dealt += len(batch)
        return self._kept[rows.to(self._kept.device)]

    def _gather(self, batch: Tensor) -> None:
        size = len(batch) if self._size is None else self._size
        missing = size - sum(map(len, self._parts))
        self._parts.append(batch[:missing].detach().clone())
        if self._parts[-1].shape[1:] != self._parts[0].shape[1:]:
            raise CannotApplyError("the examples of different batches differ in shape")
        if missing <= len(batch):
            self._kept = torch.cat(self._parts)


@dataclass(frozen=True, kw_only=True)
class BlankInputs(Change):
    """All inputs are zero: what is learnt then was not learnt from them (A8)."""

    def apply(self, levers: Levers) -> None:
        levers.on_inputs(torch.zeros_like)


@dataclass(frozen=True, kw_only=True)
class ShuffleLabels(Change):
    """Each example is given the target of another one of its batch, anew at every step (A6)."""

    def apply(self, levers: Levers) -> None:
        numbers = torch.Generator().manual_seed(0)
        earlier: list[Tensor] = []

        def turn(target: Tensor) -> Tensor:
            if len(target) > 1:
                order = torch.randperm(len(target), generator=numbers)
                return target[order.to(target.device)]
            earlier.append(target.clone())
            del earlier[:-KEPT_TARGETS]
            alike = [one for one in earlier if one.shape == target.shape]
            return alike[int(torch.randint(len(alike), (1,), generator=numbers))]

        levers.on_targets(turn)


@dataclass(frozen=True, kw_only=True)
class NormaliseInputs(Change):
    """Inputs of mean 0 and deviation 1, for each feature or channel, as of the first batch (D1)."""

    def apply(self, levers: Levers) -> None:
        known: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}

        def turn(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point():
                return tensor
            key = (levers.place, tensor.dim())
            if key not in known or not levers.step:  # calls before the first batch's do not count
                known[key] = moments(tensor)
            mean, deviation = known[key]
            return (tensor - mean) / deviation

        def check(_: Any) -> None:
            if not known:
                raise CannotApplyError("the inputs are no quantities but whole numbers")

        levers.on_inputs(turn, everywhere=True)
        levers.after_step(check)


def moments(tensor: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each feature, in a shape that broadcasts; constants deviate by 1.

    Features are dimension 1; of three dimensions the one of the last two, time being the other,
    along which the values differ more.

    Raises:
        CannotApplyError: there is but one value of each.
    """
    found = [along(tensor, dim) for dim in ((1, 2) if tensor.dim() == 3 else (1,))]
    mean, deviation = max(found, key=lambda one: float(one[0].var(correction=0)))
    if tensor.numel() == mean.numel():
        raise CannotApplyError("one example does not show how much inputs deviate")
    is_constant = deviation <= 1e-6 * mean.abs() + 1e-12
    return mean, torch.where(is_constant, 1.0, deviation)


def along(tensor: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation for each place of a dimension, over all others."""
    others = [other for other in range(tensor.dim()) if other != dim]
    mean = tensor.mean(dim=others, keepdim=True)
    return mean, tensor.std(dim=others, keepdim=True, correction=0)


REGRESSIONS: Final = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


@dataclass(frozen=True, kw_only=True)
class NormaliseTargets(Change):
    """The model learns targets of mean 0 and deviation 1, as of the first batch (A14).

    Losses of evaluations stay in the script's own units.
    """

    def apply(self, levers: Levers) -> None:
        known: list[tuple[Tensor, Tensor]] = []

        def turn(call: Any) -> Any:
            if call.function not in REGRESSIONS:
                if known or not call.trains:
                    return None
                raise CannotApplyError(f"the targets of {call.function} are no quantities")
            if not call.trains:
                return call.compute(prediction=in_old_units(call)) if known else None
            target = call.target.to(call.prediction.dtype)
            if not known:
                mean, deviation = along(target, 1)
                if not (deviation > 1e-6 * mean.abs()).any():
                    raise CannotApplyError("the targets of the first batch are all alike")
                known.append((mean, torch.where(deviation > 1e-6 * mean.abs(), deviation, 1.0)))
            mean, deviation = known[0]
            return call.compute(target=(target - mean) / deviation)

        def in_old_units(call: Any) -> Tensor:
            mean, deviation = known[0]
            prediction: Tensor = call.prediction
            if mean.numel() == 1:
                mean, deviation = mean.reshape(()), deviation.reshape(())
            return prediction * deviation + mean

        levers.on_loss(turn, everywhere=True)


@dataclass(frozen=True, kw_only=True)
class HoldOut(Change):
    """Some examples are not learnt from; what the model makes of them is noted at every step.

    Which they are hangs on their values alone, so that they are the same in every epoch and under
    every seed, unless they are augmented anew. They go through the model with the others; only
    the loss functions of PyTorch leave them out: not batch norm, nor a term of the loss that is
    written by hand. Noted are ``training-loss``, ``held-out-loss`` and, for classes,
    ``training-accuracy`` and ``held-out-accuracy``; for the held-out ones with the labels that
    the script gave, ``held-out-surest-wrong`` and ``held-out-next-wrong``: the shares labelled
    otherwise of the quarter that the model is surest of, and of the next.

    Args:
        share: of the examples; 0 only notes.
        fold: which part, for several that do not overlap: from 0 to 1 / share - 1.
        unused: share of the examples that are neither learnt from nor judged by: so two trials
            with the same part held out can learn from more and from fewer.
    """

    share: float = 0.25
    fold: int = 0
    unused: float = 0.0

    def __post_init__(self) -> None:
        is_share = is_number(self.share, above=-1e-9, to=0.9)
        self.require(share=(is_share and self.share >= 0, "a share from 0 to 0.9"))
        is_fold = self.fold == 0 or is_count(self.fold)
        fits = is_fold and (self.fold + 1) * self.share <= 1.0001
        self.require(fold=(fits, "a whole number from 0 to 1 / share - 1"))
        is_rest = is_number(self.unused, above=-1e-9, to=0.95 - (self.fold + 1) * self.share)
        self.require(unused=(self.unused == 0 or is_rest, "a share of what is not held out"))

    def apply(self, levers: Levers) -> None:
        has_begun: list[bool] = []

        def leave_out(call: Any) -> Any:
            place = None if call.inputs is None else call.spread(places(call.inputs))
            place = None if place is None else place.to(call.prediction.device)
            if place is None or len(call.target) != len(place):
                if has_begun:
                    return None  # one more term of the loss, of something else than examples
                raise CannotApplyError("it does not show which examples the losses belong to")
            has_begun[:] = [True]
            held = self._marks(place)
            left_out = held | (place >= 1 - self.unused)
            note(levers, call, held, left_out)
            return without(call, left_out)

        levers.on_loss(leave_out)

    def _marks(self, place: Tensor) -> Tensor:
        return (place >= self.fold * self.share) & (place < (self.fold + 1) * self.share)


def note(levers: Levers, call: Any, held: Tensor, left_out: Tensor) -> None:
    """Keep losses and accuracies of both parts of a batch: learnt from, and held out."""
    with torch.no_grad():
        for name, rows, is_given in (("training", ~left_out, False), ("held-out", held, True)):
            if not rows.any():
                continue
            part = call.part(rows)
            target = part.given if is_given else part.target
            loss = part.compute(target=target)
            num_rows = int(rows.sum()) if call.options.get("reduction") == "sum" else 1
            levers.note(f"{name}-loss", float(loss.mean()) / num_rows)
            right = rightness(part, target)
            if right is not None:
                levers.note(f"{name}-accuracy", right)
            has_one_each = is_given and len(held) == len(call.inputs)
            quarters = wrong_by_sureness(part, target) if has_one_each else None
            if quarters is not None:
                levers.note("held-out-surest-wrong", quarters[0])
                levers.note("held-out-next-wrong", quarters[1])


def without(call: Any, held: Tensor) -> Any:
    """The loss of the examples that are not held out, on the scale of the whole batch's."""
    loss = call.compute()
    kept = ~held
    if not held.any():
        return loss
    if not kept.any():
        return 0.0 * loss
    scale = len(held) / int(kept.sum())
    if call.options.get("reduction") == "none":  # the script averages itself
        own = loss.detach() + scale * (loss - loss.detach())
        return torch.where(held.reshape(-1, *[1] * (loss.dim() - 1)), loss.detach(), own)
    own = call.part(kept).compute()
    return own * scale if call.options.get("reduction") == "sum" else own

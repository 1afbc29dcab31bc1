"""Examining the gradients of all inputs at one point, and saying which elements are wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import Final, Literal

import torch
from torch import Tensor

from babysit.gradient_check import GradientMismatch, tensor_name
from babysit.instrument.gradients.calls import Calls
from babysit.instrument.gradients.search import Descent, Part, equal_parts, halves
from babysit.instrument.gradients.slopes import Quotient, WeightedSum, scales
from babysit.text import percent

NUM_ROUNDS: Final = 2  # with weights and directions of their own: nothing cancels twice
NUM_PARTS: Final = 2
MAX_MISMATCHES: Final = 5
MAX_KINKS: Final = 16  # located one by one; with more of them we look beside the inputs
NUM_SAMPLES: Final = 16
STEPS: Final = (1.0, 0.1, 10.0, 100.0, 1000.0)  # times the first one
SINGLE_RTOL: Final = 0.02

Verdict = Literal["right", "wrong", "kink"]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One element, examined alone."""

    verdict: Verdict
    mismatch: GradientMismatch


class Examination:
    """Compares the backward with difference quotients along random directions, tensor by tensor.

    Each round draws random weights for the outputs and a random direction for each tensor; a part
    of a tensor is right when its slope along its share of the direction agrees within the noise
    that two step sizes show. Where it does not, the part is split until single elements remain.
    A random direction keeps all errors in the sum (Rademacher signs, here with random lengths so
    that no two equal errors cancel); a slope along it costs two calls, whatever the size.

    Args:
        calls: the function.
        num_outputs: the size of each output.
        rtol: how far an element may be off.
        seed: of weights and directions.
    """

    def __init__(self, calls: Calls, num_outputs: list[int], *, rtol: float, seed: int) -> None:
        self._calls, self._num_outputs = calls, num_outputs
        self._generator = torch.Generator().manual_seed(seed)
        self._values = list(calls.values)
        self._is_single = any(one.dtype != torch.float64 for one in self._values)
        eps = max(torch.finfo(one.dtype).eps for one in self._values)
        self._step = eps ** (1 / 3) / 3
        self._rtol = max(rtol, SINGLE_RTOL) if self._is_single else rtol
        self._scales = [scales(one) for one in self._values]
        self._steps: dict[int, float] = {}
        self._crowded: set[int] = set()  # tensors with more kinks than we locate
        self._directions: dict[int, Tensor] = {}
        self._sum: WeightedSum
        self.is_moved = False
        self.is_weighted = False  # what is reported are derivatives of the weighted sum
        self.mismatches: list[GradientMismatch] = []
        self.num_wrong = 0
        self.noise: dict[int, float] = {}  # where errors of single elements may stay unseen
        self.without: set[int] = set()  # tensors that get no gradient

    @property
    def left_out(self) -> int:
        return sum(int((one == 0).sum()) for at, one in enumerate(self._scales)
                   if at not in self.without)  # fmt: skip

    @property
    def num_checked(self) -> int:
        return sum(int((one != 0).sum()) for at, one in enumerate(self._scales)
                   if at not in self.without)  # fmt: skip

    def run(self) -> None:
        """Examine everything; a second time beside the inputs if these lie on many kinks."""
        for number in range(NUM_ROUNDS):
            self._round(number)
            if self._crowded and self._move():
                self._round(number)
            if self.mismatches:
                break
        self.mismatches.sort(key=lambda one: -one.relative_error)
        del self.mismatches[MAX_MISMATCHES:]

    def _round(self, number: int) -> None:
        is_plain = number == 0 and self._num_outputs == [1]
        weights = [
            torch.ones(1) if is_plain else self._random(size) for size in self._num_outputs
        ]
        self._sum = WeightedSum(self._calls, self._values, weights)
        for index, gradient in enumerate(self._sum.gradients):
            if gradient is None:
                self.without.add(index)
                continue
            self.without.discard(index)
            self._set_aside_non_finite(index, gradient)
            self._directions[index] = self._random(gradient.numel()) * self._scales[index].cpu()
            self._directions[index] = self._directions[index].to(gradient.device)
            self._examine(index)
            if self._crowded and not self.is_moved:
                return

    def _random(self, size: int) -> Tensor:
        """Numbers of random sign, 0.5 to 1.5 in size."""
        numbers = torch.rand(size, generator=self._generator, dtype=torch.float64)
        signs = torch.randint(0, 2, (size,), generator=self._generator)
        return numbers.add_(0.5).mul_(signs.mul_(2).sub_(1))

    def depends(self, index: int) -> bool:
        """Whether the outputs change with a tensor that gets no gradient."""
        direction = self._random(self._values[index].numel()).to(self._values[index].device)
        found = self._sum.quotient(index, 0, direction * self._scales[index], self._step)
        return abs(found.value) > 100 * found.noise

    # -- one tensor ----------------------------------------------------------------------

    def _examine(self, index: int) -> None:
        size = self._values[index].numel()
        parts = equal_parts(size, NUM_PARTS if len(self._values) <= 2 else 1)
        found = self._regular({part: self._quotient(index, part) for part in parts}, index)
        if not found or (self._crowded and not self.is_moved):
            return
        typical = median(one.error for one in found.values())
        suspects, tolerance = [], 0.0
        for part, quotient in found.items():
            gap = quotient.value - self._slope(index, part)
            limit = 5 * max(quotient.error, typical)
            tolerance = max(tolerance, limit)
            if not abs(gap) <= limit:
                suspects.append((gap, part))
        if suspects:
            self._search(index, suspects, tolerance)

    def _quotient(self, index: int, part: Part, *, times: float = 1.0) -> Quotient:
        step = self._steps.get(index, self._step) * times
        return self._sum.quotient(index, part[0], self._directions[index][slice(*part)], step)

    def _slope(self, index: int, part: Part) -> float:
        return self._sum.slope(index, part[0], self._directions[index][slice(*part)])

    def _is_blind(self, index: int, part: Part, quotient: Quotient) -> bool:
        """Whether an error of one element could hide behind what disturbs the quotient."""
        direction = self._directions[index][slice(*part)]
        spread = self._sum.spread(index, part[0], direction)
        if self._is_single:
            allowed = 0.05 * spread * math.sqrt(len(direction))
        else:
            allowed = 1e-5 * spread
        step = self._steps.get(index, self._step)
        return quotient.error > max(
            allowed, 30 * self._sum.rounding(index, part[0], direction, step)
        )

    def _regular(self, found: dict[Part, Quotient], index: int) -> dict[Part, Quotient]:
        """The quotients, with other steps and without elements at kinks where that is needed."""
        blind = [part for part, one in found.items() if self._is_blind(index, part, one)]
        if blind and index not in self._steps:
            self._choose_step(index, blind[0])
            found = {part: self._quotient(index, part) for part in found}
            blind = [part for part, one in found.items() if self._is_blind(index, part, one)]
        if blind:
            left = self._isolate(index, blind)
            if left and not self.is_moved:
                self._crowded.add(index)
                return {}
            for part in left:
                self._leave_out(index, part)
            found |= {part: self._quotient(index, part) for part in blind}
        for part, one in list(found.items()):
            if not math.isfinite(one.error):
                self._leave_out(index, part)
                del found[part]
        return found

    def _choose_step(self, index: int, part: Part) -> None:
        """The step that disturbs a quotient least: functions may be rough or bend sharply."""
        errors = {}
        for times in STEPS:
            quotient = self._quotient(index, part, times=times)
            errors[times] = quotient.error / (1e-300 + abs(quotient.value))
            if not self._is_blind(index, part, quotient):
                break
        best = min(errors, key=lambda times: errors[times])
        self._steps[index] = self._step * (best if math.isfinite(errors[best]) else 1.0)

    def _isolate(self, index: int, blind: list[Part]) -> list[Part]:
        """Leave out the elements at kinks; returns the parts that have too many of them."""
        waiting, num_kinks = list(blind), 0
        while waiting:
            part = waiting.pop()
            quotient = self._quotient(index, part)
            if not self._is_blind(index, part, quotient):
                continue
            if part[1] - part[0] > 1:
                waiting += halves(part)
            elif is_kink(quotient):
                self._leave_out(index, part)
                num_kinks += 1
                if num_kinks >= MAX_KINKS and waiting:
                    return waiting
            else:  # noise, the same everywhere
                spread = self._sum.spread(index, 0, self._directions[index])
                self.noise[index] = 10 * quotient.error / (spread or 1.0)
                return []
        return []

    def _leave_out(self, index: int, part: Part) -> None:
        self._directions[index][slice(*part)] = 0
        self._scales[index][slice(*part)] = 0

    def _move(self) -> bool:
        """Go to a point beside the inputs, if the function is defined there."""
        self.is_moved = True
        values = list(self._values)
        for index in self._crowded:
            value = self._values[index]
            change = self._random(value.numel()).to(value.device) * scales(value)
            values[index] = value + (0.1 if self._is_single else 1e-3) * change.view_as(value).to(
                value.dtype
            )
        try:
            outputs, _ = self._calls.run(values)
            is_defined = all(bool(one.isfinite().all()) for one in outputs)
        except Exception:  # whatever the user's function raises outside its domain
            is_defined = False
        if is_defined:
            self._values = values
            self._scales = [scales(one) for one in values]
        else:
            self._crowded.clear()
        return True

    @property
    def moved(self) -> list[str]:
        """The tensors that were examined at another point than the given one."""
        return [tensor_name(self._calls.names[index]) for index in sorted(self._crowded)]

    # -- single elements -----------------------------------------------------------------

    def _set_aside_non_finite(self, index: int, gradient: Tensor) -> None:
        """Report gradients that are NaN or infinite where the function has a slope."""
        broken = (~gradient.isfinite()).nonzero().flatten().tolist()
        if not broken:
            return
        self._directions[index] = self._scales[index].double()
        judgements = [self._judge(index, at) for at in broken[:NUM_SAMPLES]]
        self.is_weighted = self._num_outputs != [1]
        wrong = [one.mismatch for one in judgements if one.verdict == "wrong"]
        self.mismatches += wrong[:MAX_MISMATCHES]
        self.num_wrong += round(len(wrong) / len(judgements) * len(broken))
        gradient.nan_to_num_(0, 0, 0)
        for at, judgement in zip(broken, judgements, strict=False):
            if judgement.verdict == "kink":
                self._scales[index][at] = 0
        self._scales[index][broken[NUM_SAMPLES:]] = 0

    def _search(self, index: int, suspects: list[tuple[float, Part]], tolerance: float) -> None:
        """Find the worst elements of parts whose slopes disagree."""
        if self._search_directly(index, suspects, tolerance):
            return
        step = self._steps.get(index, self._step)
        direction = self._directions[index]

        def gap(part: Part) -> float:
            share = direction[slice(*part)]
            up = self._sum.rise(index, part[0], share * step)
            down = self._sum.rise(index, part[0], share * -step)
            return (up - down) / (2 * step) - self._sum.slope(index, part[0], share)

        descent = Descent(gap, suspects, tolerance)
        num_wrong = num_others = 0
        for at in descent.elements():
            judgement = self._judge(index, at)
            if judgement.verdict == "wrong":
                self.mismatches.append(judgement.mismatch)
                num_wrong += 1
            else:
                num_others += 1
                if judgement.verdict == "kink":
                    self._leave_out(index, (at, at + 1))
            if num_wrong >= MAX_MISMATCHES or num_others >= 2 * MAX_KINKS:
                break
        if num_wrong and not descent.is_exhausted:
            num_wrong = max(num_wrong + 1, self._estimate(index))
        self.num_wrong += num_wrong
        self.is_weighted = self._num_outputs != [1]

    def _search_directly(
        self, index: int, suspects: list[tuple[float, Part]], tolerance: float
    ) -> bool:
        """Find them at once if the function works element by element, as most of our own do."""
        direction = self._directions[index]
        shares = self._sum.shares(index, direction, self._steps.get(index, self._step))
        gradient = self._sum.gradients[index]
        if shares is None or gradient is None:
            return False
        own = gradient * direction
        gaps = shares - own
        total = sum(gap for gap, _ in suspects)
        among = torch.cat([gaps[slice(*part)] for _, part in suspects])
        if not abs(float(among.sum()) - total) <= tolerance * len(suspects):
            return False
        is_wrong = gaps.abs() > self._rtol * torch.maximum(own.abs(), shares.abs()) + tolerance
        worst = torch.where(is_wrong, gaps.abs(), 0).topk(min(MAX_MISMATCHES, len(gaps))).indices
        weights = self._sum.weights[0].tolist()
        found = [
            self._judge(index, at, weight=weights[at]) for at in worst.tolist() if is_wrong[at]
        ]
        if not found or any(one.verdict != "wrong" for one in found):
            return False
        self.mismatches += [one.mismatch for one in found]
        self.num_wrong += int(is_wrong.sum())
        return True

    def _estimate(self, index: int) -> int:
        """About how many elements of a tensor are wrong, from a sample of them."""
        size = len(self._directions[index])
        sample = torch.randperm(size, generator=self._generator)[:NUM_SAMPLES].tolist()
        wrong = sum(self._judge(index, at).verdict == "wrong" for at in sample)
        return round(size * wrong / len(sample))

    def _judge(self, index: int, at: int, *, weight: float = 1.0) -> Judgement:
        """Examine one element alone.

        Args:
            weight: of the one output that hangs on the element, where that is known.
        """
        part, best = (at, at + 1), None
        direction = float(self._directions[index][at])
        analytic = self._slope(index, part)
        for times in STEPS:
            quotient = self._quotient(index, part, times=times)
            if best is None or quotient.error < best.error:
                best = quotient
            if best.error <= 1e-5 * max(abs(analytic), abs(best.value)):
                break
        assert best is not None
        gap = abs(analytic - best.value)
        limit = self._rtol * max(abs(analytic), abs(best.value)) + 10 * best.error
        verdict: Verdict = "right" if gap <= limit else "wrong"
        if not math.isfinite(best.error) or (is_kink(best) and abs(best.kink) > 0.1 * gap):
            verdict = "kink"
        unit = direction * weight or 1.0
        mismatch = self._mismatch(index, at, analytic / unit, best.value / unit)
        return Judgement(verdict=verdict, mismatch=mismatch)

    def _mismatch(self, index: int, at: int, analytic: float, numeric: float) -> GradientMismatch:
        gap = abs(analytic - numeric)
        is_number = math.isfinite(gap) and numeric != 0
        element = torch.unravel_index(torch.tensor(at), self._values[index].shape)
        return GradientMismatch(
            input=self._calls.names[index],
            element=tuple(int(one) for one in element),
            analytic=analytic,
            numeric=numeric,
            relative_error=gap / abs(numeric) if is_number else math.inf,
        )

    def remarks(self) -> list[str]:
        """What else is worth knowing of the examination, a sentence each."""
        notes = []
        for index in sorted(self.without):
            name = tensor_name(self._calls.names[index])
            although = ", although the outputs depend on it" if self.depends(index) else ""
            notes.append(f"{name.capitalize()} gets no gradient{although}.")
        if self.moved:
            notes.append(
                f"The function has many kinks at the given inputs (such as relu at 0): "
                f"{', '.join(self.moved)} moved by about "
                f"{percent(0.1 if self._is_single else 1e-3)} to a smooth point."
            )
        for index, noise in self.noise.items():
            name = tensor_name(self._calls.names[index])
            notes.append(
                f"The function's results are rough (calculated in float32?): an error below about "
                f"{percent(noise)} of a typical element of {name} would not show."
            )
        return notes


def is_kink(quotient: Quotient) -> bool:
    """Whether the slope jumps here, or does not exist, as opposed to noise."""
    return not math.isfinite(quotient.error) or abs(quotient.kink) > 10 * quotient.noise

"""A change that changes nothing: it fits the simplest models to the data that a training meets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from babysit.change import CannotApplyError, Change, Levers, is_count
from babysit.changes._fitting import MODELS, Kind, predictions
from babysit.changes._holding import places, rightness

CLASSES: Final = ("cross_entropy", "nll_loss")
REGRESSIONS: Final = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
ANSWERS: Final = ("binary_cross_entropy", "binary_cross_entropy_with_logits")
MAX_FEATURES: Final = 1024  # beyond it, random projections of the inputs
MAX_OUTPUTS: Final = 64
MAX_TOKENS: Final = 2048
FEWEST: Final = 10  # examples on either side
PATIENCE: Final = 20  # steps without a new example after which all are known


@dataclass(frozen=True, kw_only=True)
class FitBaselines(Change):
    """Fit a constant, a linear model and one hidden layer to the data, beside the training (C1).

    The same examples are held out as by ``hold-out``. Once all examples are known the training
    is stopped, and in the end the models are fitted. Noted are, as ``linear-held-out-loss``,
    losses and accuracies of ``constant``, ``linear`` and ``hidden-layer`` on both parts, in the
    script's own loss.

    Args:
        share: of the examples that is held out.
        most: examples to gather.
    """

    share: float = 0.25
    most: int = 2000

    def __post_init__(self) -> None:
        self.require(
            share=(0 < self.share <= 0.9, "a share from 0 to 0.9"),
            most=(is_count(self.most), "a number of examples, 1 or more"),
        )

    def apply(self, levers: Levers) -> None:
        gathering = Gathering(levers, self)
        levers.on_inputs(gathering.take_input)
        levers.on_loss(gathering.take_loss)
        levers.in_the_end(gathering.fit)


class Gathering:
    """The different examples that a training meets, with their targets."""

    def __init__(self, levers: Levers, change: FitBaselines) -> None:
        self._levers, self._change = levers, change
        self._parts: dict[str, Tensor] = {}  # inputs since the last loss, by what they are
        self._latest: Any = None  # the call at hand
        self._met: tuple[int, int] | None = None  # at which step, and the latest inputs
        self._last_new = 0
        self._inputs: dict[float, list[Any]] = {}  # by place
        self._targets: dict[float, Any] = {}

    def take_input(self, inputs: Tensor) -> Tensor:
        self._parts[self._levers.place] = inputs
        return inputs

    def take_loss(self, call: Any) -> None:
        parts, self._parts = list(self._parts.values()), {}
        if call.inputs is None:
            raise CannotApplyError("no data were seen on their way into a module")
        now = (self._levers.step, id(call.inputs))
        if now == self._met:
            raise CannotApplyError("the loss has several terms")
        check(call)
        self._latest, self._met = call, now
        size = len(call.inputs)
        rows = [flat(one) for one in parts if len(one) == size] or [flat(call.inputs)]
        targets = call.given.detach().cpu()
        for index, place in enumerate(places(call.inputs).tolist()):
            if place not in self._inputs and len(self._inputs) < self._change.most:
                self._inputs[place] = [one[index] for one in rows]
                self._targets[place] = targets[index]
                self._last_new = self._levers.step
        if self._levers.step - self._last_new >= PATIENCE:
            self._levers.stop()

    def fit(self) -> None:
        """Fit every model, and note what it is worth."""
        placed = np.array(list(self._inputs))
        held = placed < self._change.share
        if min(held.sum(), (~held).sum()) < FEWEST:
            return
        inputs = features(list(self._inputs.values()))
        targets = torch.stack(list(self._targets.values()))
        kind = kind_of(self._latest)
        wanted = as_numbers(kind, targets, self._latest.prediction)
        for model in MODELS:
            scores = predictions(model, kind, inputs, wanted, ~held)
            self._note(model, torch.from_numpy(scores), targets, torch.from_numpy(held))

    def _note(self, model: str, scores: Tensor, targets: Tensor, held: Tensor) -> None:
        call = self._latest
        for part, rows in (("training", ~held), ("held-out", held)):
            given = fitting(call, scores[rows])
            options = {**call.options, "reduction": "mean"}
            options = {n: o.cpu() if isinstance(o, Tensor) else o for n, o in options.items()}
            with torch.no_grad():
                try:
                    loss = original_of(call.function)(given, targets[rows], **options)
                except (RuntimeError, ValueError, TypeError):
                    return  # options that only fit whole batches
            self._levers.note(f"{model}-{part}-loss", float(loss))
            call.prediction = given
            right = rightness(call, targets[rows])
            if right is not None:
                self._levers.note(f"{model}-{part}-accuracy", right)


def check(call: Any) -> None:
    """Whether one prediction of a known kind is made for each example.

    Raises:
        CannotApplyError: it is not.
    """
    prediction, target = call.prediction, call.given
    if not isinstance(target, Tensor) or (call.function not in (*CLASSES, *REGRESSIONS) and (
        not call.function.startswith("binary_cross_entropy")
    )):  # fmt: skip
        raise CannotApplyError(f"there is no simple model for the loss {call.function}")
    if len(target) != len(call.inputs) or len(prediction) != len(target):
        raise CannotApplyError("there are several predictions for each example")
    if call.function in CLASSES:
        if prediction.dim() != 2 or (target.dim() != 1 and target.shape != prediction.shape):
            raise CannotApplyError("there are several predictions for each example")
    elif target.shape != prediction.shape:
        raise CannotApplyError("prediction and target differ in shape")
    if prediction[0].numel() > MAX_OUTPUTS:
        raise CannotApplyError(f"there are more than {MAX_OUTPUTS} outputs")


def kind_of(call: Any) -> Kind:
    if call.function in CLASSES:
        return "classes"
    return "quantities" if call.function in REGRESSIONS else "yes or no"


def as_numbers(kind: Kind, targets: Tensor, prediction: Tensor) -> Any:
    """Targets of shape (examples, outputs): shares of classes, of yes, or quantities."""
    if kind == "classes" and targets.dim() == 1:
        num_classes = prediction.shape[1]
        targets = functional.one_hot(targets.long().clamp(0, num_classes - 1), num_classes)
    return targets.reshape(len(targets), -1).float().numpy()


def fitting(call: Any, scores: Tensor) -> Tensor:
    """Scores as the loss function takes them."""
    if call.function == "nll_loss":
        scores = scores.log_softmax(dim=1)
    if call.function == "binary_cross_entropy":
        scores = scores.sigmoid()
    return scores.reshape(len(scores), *call.prediction.shape[1:])


def original_of(function: str) -> Any:
    """A function of :mod:`torch.nn.functional` as PyTorch made it: nobody is to watch this."""
    found = getattr(functional, function)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return found


def flat(inputs: Tensor) -> Any:
    """Inputs of shape (examples, features), as they are."""
    return inputs.detach().cpu().reshape(len(inputs), -1).numpy()


def features(rows: list[list[Any]]) -> Any:
    """Numbers that a linear model can take, shape (examples, features)."""
    found = []
    for column in zip(*rows, strict=True):
        width = min(map(len, column))  # sequences of several lengths: their beginnings
        values = np.stack([one[:width] for one in column])
        found.append(values if values.dtype.kind == "f" else tokens(values))
    joined = np.nan_to_num(np.concatenate(found, axis=1).astype(np.float32))
    if joined.shape[1] <= MAX_FEATURES:
        return joined
    ways = np.random.default_rng(0).standard_normal((joined.shape[1], MAX_FEATURES))
    return joined @ (ways / joined.shape[1] ** 0.5).astype(np.float32)


def tokens(values: Any) -> Any:
    """Whole numbers as names: which stands where, or how often each where there are many."""
    num_names = int(values.max()) + 1
    if values.min() < 0 or num_names > MAX_TOKENS:
        return values
    marks = np.eye(num_names, dtype=np.float32)
    if num_names * values.shape[1] <= MAX_FEATURES:
        return marks[values].reshape(len(values), -1)
    return np.stack([marks[row].sum(axis=0) for row in values])

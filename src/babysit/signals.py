"""Signals: named quantities at a place over optimizer steps, and the series that holds one.

A *place* is a layer, a parameter, an optimizer group, an evaluation or a logged name; the
whole training is the empty place.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

# NumPy is imported at first use: the script may want to set its threads before it is loaded.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Steps: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What a signal means, and what to tell the user when it was never seen."""

    meaning: str
    absent: str


CHECKUP: Final = "needs a checkup"  # told of signals that only experiments write

SIGNALS: Final[dict[str, Signal]] = {
    "loss": Signal(
        meaning="the value backward was called on, per step (mean over accumulated backwards)",
        absent="no loss value was seen",
    ),
    "gradient-norm": Signal(
        meaning="L2 norm of all gradients as the optimizer received them",
        absent="no gradient norm was read",
    ),
    "gradient-norm-before-clip": Signal(
        meaning="L2 norm of the gradients before clip_grad_norm_",
        absent="gradients are not clipped",
    ),
    "learning-rate": Signal(
        meaning="rate of each optimizer group, written when it changes",
        absent="no torch.optim optimizer was seen",
    ),
    "backwards": Signal(
        meaning="backward passes of a step, written when not one", absent="one backward a step"
    ),
    "gradients-kept": Signal(
        meaning="1 at steps whose gradients still held those of earlier steps",
        absent="gradients were cleared before every step",
    ),
    "without-gradient": Signal(
        meaning="1 at optimizer steps that found no gradient at all",
        absent="every optimizer step had gradients",
    ),
    "in-eval-mode": Signal(
        meaning="share of dropout and batch norm layers in eval mode during backward",
        absent="the model has no layer that behaves differently in eval mode",
    ),
    "model-in-eval-mode": Signal(
        meaning="1 when the outermost model was in eval mode during backward",
        absent="no torch.nn.Module was seen",
    ),
    "step-seconds": Signal(meaning="wall time of a step", absent="no step was completed"),
    "data-seconds": Signal(
        meaning="time a step waited for its DataLoader", absent="no DataLoader was seen"
    ),
    "weight-rms": Signal(
        meaning="root mean square of a parameter", absent="no parameter was sampled"
    ),
    "gradient-rms": Signal(
        meaning="root mean square of a parameter's gradient", absent="no gradient was sampled"
    ),
    "update-rms": Signal(
        meaning="root mean square of a parameter's change in one step",
        absent="no update was sampled",
    ),
    "unit-spread": Signal(
        meaning="largest difference between a weight's units, relative to its largest value",
        absent="no weight matrix was sampled",
    ),
    "inactive-share": Signal(
        meaning="share of a layer's ReLU units that no example of the batch activated",
        absent="the model has no ReLU",
    ),
    "dead-share": Signal(
        meaning="share of a layer's ReLU units silent in all recently sampled batches",
        absent="the model has no ReLU, or too few batches were sampled",
    ),
    "input-rms": Signal(
        meaning="root mean square of what enters a first layer",
        absent="no first layer fed with plain data was seen",
    ),
    "input-scale": Signal(
        meaning="per-feature root mean square of the input: the largest over the median",
        absent="no first layer fed with plain data was seen",
    ),
    "preactivation-rms": Signal(
        meaning="root mean square of a first layer's output, from its input and weights",
        absent="no first layer fed with plain data was seen",
    ),
    "train-accuracy": Signal(
        meaning="share of a sampled batch that the training classified rightly",
        absent="no classification loss was seen",
    ),
    "target-min": Signal(
        meaning="smallest target of a sampled batch, by the kind of loss that reads it",
        absent="no loss with a target was seen",
    ),
    "target-max": Signal(
        meaning="largest target of a sampled batch", absent="no loss with a target was seen"
    ),
    "target-mean": Signal(
        meaning="mean target of a sampled batch", absent="no loss with a target was seen"
    ),
    "target-std": Signal(
        meaning="standard deviation of the targets of a sampled batch",
        absent="no loss with a target was seen",
    ),
    "target-integers": Signal(
        meaning="1 when all targets of a sampled batch are whole numbers",
        absent="no loss with a target was seen",
    ),
    "target-binary": Signal(
        meaning="1 when all targets of a sampled batch are 0 or 1",
        absent="no loss with a target was seen",
    ),
    "target-distinct": Signal(
        meaning="number of different targets in a sampled batch, of 512 at most",
        absent="no loss with a target was seen",
    ),
    "target-one-hot": Signal(
        meaning="1 when every target row of a sampled batch is one-hot",
        absent="no loss with rows of targets was seen",
    ),
    "target-many-hot": Signal(
        meaning="1 when target rows are of 0 and 1 and some have several ones",
        absent="no loss with rows of targets was seen",
    ),
    "target-is-input": Signal(
        meaning="1 when the targets are the model's own input",
        absent="no loss compares the output with the input",
    ),
    "target-unreachable": Signal(
        meaning="share of regression targets outside the last activation's range",
        absent="no regression on a bounded output was seen",
    ),
    "prediction-min": Signal(
        meaning="smallest prediction of a sampled batch", absent="no loss with a target was seen"
    ),
    "prediction-max": Signal(
        meaning="largest prediction of a sampled batch", absent="no loss with a target was seen"
    ),
    "prediction-std": Signal(
        meaning="standard deviation of the predictions of a sampled batch",
        absent="no loss with a target was seen",
    ),
    "probability-error": Signal(
        meaning="how far exp(prediction) is from summing to 1 per row, where log-probabilities "
        "are expected",
        absent="no loss that reads log-probabilities was seen",
    ),
    "classes-seen": Signal(
        meaning="number of different classes among the labels of all sampled batches so far",
        absent="no classification loss was seen",
    ),
    "labels-seen": Signal(
        meaning="number of labels in all sampled batches so far",
        absent="no classification loss was seen",
    ),
    "loss-term": Signal(
        meaning="value of a term of a summed loss, with its weight, by the user's name for it",
        absent="the loss is not a sum of terms",
    ),
    "cross-example-influence": Signal(
        meaning="how much outputs change when other examples of the batch are replaced, relative "
        "to how much they change when their own is",
        absent=CHECKUP,
    ),
    "blank-input-loss": Signal(
        meaning="loss reached by the same training on blank inputs", absent=CHECKUP
    ),
    "real-input-loss": Signal(
        meaning="loss reached beside it on the real inputs", absent=CHECKUP
    ),
    "eval-loss": Signal(
        meaning="mean loss of an evaluation, per evaluation", absent="no evaluation was seen"
    ),
    "eval-accuracy": Signal(
        meaning="accuracy of an evaluation, per evaluation", absent="no evaluation was seen"
    ),
    "logged": Signal(
        meaning="what the script logged under a name", absent="the script logged no metric"
    ),
}


class Series:
    """One signal at one place: values over steps, bounded in memory.

    When full it thins itself, keeping the lowest and the highest of every four points, so
    extremes survive. The thinning depends on the points alone: a record read back gives the
    very series that the live run had.
    """

    __slots__ = ("_limit", "_steps", "_values")

    def __init__(self, *, limit: int = 16_384) -> None:
        if limit < 8 or limit % 4:
            raise ValueError(f"limit must be a multiple of 4 and at least 8, got {limit}")
        self._limit = limit
        self._steps = array("q")
        self._values = array("d")

    def append(self, step: int, value: float) -> None:
        self._steps.append(step)
        self._values.append(value)
        if len(self._values) >= self._limit:
            self._thin()

    def _thin(self) -> None:
        import numpy as np

        groups = self.values.reshape(-1, 4)
        low, high = groups.argmin(axis=1), groups.argmax(axis=1)
        high = np.where(low == high, (low + 1) % 4, high)
        offsets = 4 * np.arange(len(groups))
        keep = np.sort(np.stack([low, high], axis=1), axis=1) + offsets[:, None]
        steps, values = self.steps[keep.ravel()], self.values[keep.ravel()]
        self._steps, self._values = array("q", steps.tolist()), array("d", values.tolist())

    def __len__(self) -> int:
        return len(self._values)

    @property
    def steps(self) -> Steps:
        import numpy as np

        return np.array(self._steps, dtype=np.int64)

    @property
    def values(self) -> Floats:
        import numpy as np

        return np.array(self._values, dtype=np.float64)

    @property
    def first(self) -> float:
        return self._values[0]

    @property
    def last(self) -> float:
        return self._values[-1]

    def at(self, step: int) -> float | None:
        """The value in force at ``step``: the last one written at or before it."""
        import numpy as np

        index = int(np.searchsorted(self.steps, step, side="right")) - 1
        return self._values[index] if index >= 0 else None

    def since(self, step: int) -> Floats:
        """The values from ``step`` on."""
        return self.values[self.steps >= step]

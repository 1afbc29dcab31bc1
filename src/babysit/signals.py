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
    "clip-norm": Signal(
        meaning="limit given to clip_grad_norm_, per step", absent="gradients are not clipped"
    ),
    "clip-value": Signal(
        meaning="limit given to clip_grad_value_, per step",
        absent="gradients are not clipped by value",
    ),
    "clipped-share": Signal(
        meaning="share of gradient elements at the limit of clip_grad_value_",
        absent="gradients are not clipped by value",
    ),
    "clip-in-vain": Signal(
        meaning="1 at steps that clipped when no backward had run since the last step",
        absent="gradients are not clipped, or in their place",
    ),
    "clip-of-scaled-gradients": Signal(
        meaning="1 at steps that clipped gradients while GradScaler still scaled them",
        absent="gradients are not clipped, or in their place",
    ),
    "loss-without-graph": Signal(
        meaning="1 at steps whose backward began at a tensor that no operation made",
        absent="every loss had a graph",
    ),
    "recurrent-gradient-norm": Signal(
        meaning="L2 norm of the gradient of the first recurrent weight, as the optimizer got it",
        absent="the model has no recurrent layer",
    ),
    "learning-rate": Signal(
        meaning="rate of each optimizer group, written when it changes",
        absent="no torch.optim optimizer was seen",
    ),
    "optimizer-rebuilt": Signal(
        meaning="1 at steps taken by a new optimizer over parameters that another one of its "
        "kind had trained until then",
        absent="no optimizer was made anew over the same parameters",
    ),
    "epoch": Signal(
        meaning="passes over the DataLoader begun so far, written when one begins",
        absent="no DataLoader was seen",
    ),
    "batch-size": Signal(
        meaning="examples of a batch: first dimension of what was loaded or entered the model",
        absent="no batch was seen",
    ),
    "batch-repeats": Signal(
        meaning="1 where a sampled batch holds the very data of the sample before, else 0",
        absent="no batch was seen",
    ),
    "loss-noise": Signal(
        meaning="standard error of the batch's mean loss, from the spread over its examples",
        absent="no loss function with a known value for each example was seen",
    ),
    "gradient-agreement": Signal(
        meaning="cosine between the gradients of a sampled step and the sampled step before",
        absent="no two gradients were sampled",
    ),
    "rows-touched": Signal(
        meaning="share of an embedding's rows that a batch looks up",
        absent="the model has no embedding",
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
    "evaluation-in-train-mode": Signal(
        meaning="share of a model's dropout and batch norm layers in train mode while it was "
        "evaluated, by the line that called it",
        absent="no evaluation of a model with dropout or batch norm was seen",
    ),
    "evaluation-dropout": Signal(
        meaning="rate of a dropout that was on in an evaluation although its module was in eval "
        "mode, by its line",
        absent="every dropout followed its module's mode",
    ),
    "evaluation-with-gradients": Signal(
        meaning="calls of the model in eval mode whose graph no backward used, per evaluation, by "
        "the line that called it",
        absent="no evaluation built a graph",
    ),
    "batch-norm-values": Signal(
        meaning="values per channel that a batch norm in train mode averaged",
        absent="no batch norm in train mode was seen",
    ),
    "batch-norm-mismatch": Signal(
        meaning="Kullback-Leibler divergence of a batch from a batch norm's running statistics, "
        "mean over channels, in nats",
        absent="the model has no batch norm with running statistics",
    ),
    "batch-norm-start-left": Signal(
        meaning="share of a batch norm's first running statistics (mean 0, variance 1) that is "
        "still in them",
        absent="the model has no batch norm with running statistics",
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
    "saturated-share": Signal(
        meaning="share of a layer's sigmoid or tanh units that stood at their ends for nearly all "
        "recent examples",
        absent="the model has no hidden sigmoid or tanh",
    ),
    "activation-rms": Signal(
        meaning="root mean square of what a layer reads at the first step, in forward order",
        absent="no linear layer was seen at the first step",
    ),
    "layer-gain": Signal(
        meaning="how much a layer's first weights enlarge their input: their root mean square "
        "times the root of the fan-in",
        absent="no linear layer was seen at the first step",
    ),
    "input-columns": Signal(
        meaning="number of input columns or channels", absent="too little plain data was seen"
    ),
    "constant-columns": Signal(
        meaning="number of input columns or channels with one value in all sampled batches",
        absent="too little plain data was seen",
    ),
    "columns-at-zero": Signal(
        meaning="share of the changing input columns whose lowest value is zero",
        absent="too little plain data was seen",
    ),
    "first-constant-column": Signal(
        meaning="number of the first input column that never changes, from 0",
        absent="every input column changes",
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
    "non-finite-share": Signal(
        meaning="share of NaN or Inf in the plain data that an operation of the graph reads",
        absent="no graph was read, or its data was finite",
    ),
    "non-finite-weights": Signal(
        meaning="share of NaN or Inf in a parameter or running statistic, where there is any",
        absent="every parameter that was read was finite",
    ),
    "closest-operand": Signal(
        meaning="operand of a log, exp, root, division … that came closest to where it is "
        "undefined or overflows",
        absent="no operation with a limited domain was seen in the graph",
    ),
    "half-peak": Signal(
        meaning="largest value that an operation made in float16; inf beyond 65504 and for NaN",
        absent="nothing was computed in float16",
    ),
    "half-share": Signal(
        meaning="share of the graph's operations computed in float16 or bfloat16",
        absent="the graph of no step could be read",
    ),
    "loss-scale": Signal(
        meaning="scale of an enabled GradScaler, on sampled steps and after skipped ones",
        absent="no GradScaler was seen",
    ),
    "scaled-steps": Signal(
        meaning="steps that an enabled GradScaler was asked to take, so far",
        absent="no GradScaler was seen",
    ),
    "skipped-steps": Signal(
        meaning="steps that the GradScaler skipped because of Inf or NaN gradients, so far",
        absent="no GradScaler was seen, or it never skipped a step",
    ),
    "skipped-in-a-row": Signal(
        meaning="steps skipped by the GradScaler one after another, up to now",
        absent="no GradScaler was seen, or it never skipped a step",
    ),
    "lost-share": Signal(
        meaning="share of a half-precision parameter's elements with a considerable gradient that "
        "an update left unchanged",
        absent="no parameter is trained in half precision",
    ),
    "gradient-error": Signal(
        meaning="relative difference between a custom function's gradient and the numerical one",
        absent="needs a checkup",
    ),
    "kept-graphs": Signal(
        meaning="graphs of earlier sampled steps that are still alive",
        absent="the graph of no step could be read",
    ),
    "kept-graph-age": Signal(
        meaning="age in steps of the oldest graph of a sampled step that is still alive",
        absent="no graph outlived its step",
    ),
    "resident-megabytes": Signal(
        meaning="memory of the process, on sampled steps", absent="not known on this system"
    ),
    "anomaly-mode": Signal(
        meaning="1 at backwards that the script runs under autograd's anomaly detection",
        absent="anomaly detection was off",
    ),
    "profiler": Signal(
        meaning="1 at backwards that the script runs under an autograd profiler",
        absent="no profiler was on",
    ),
    "rank-difference": Signal(
        meaning="largest relative difference of replicated weights between ranks",
        absent="no replicated weights of several ranks were seen",
    ),
    "rank-batches-equal": Signal(
        meaning="1 when all ranks trained on the same batch, else 0",
        absent="no batches of several ranks were seen",
    ),
    "eval-loss": Signal(
        meaning="mean loss of an evaluation, per evaluation", absent="no evaluation was seen"
    ),
    "eval-accuracy": Signal(
        meaning="accuracy of an evaluation, per evaluation", absent="no evaluation was seen"
    ),
    "fed-mean": Signal(
        meaning="mean of what a model is fed with in training, by the model's class",
        absent="no torch.nn.Module was called in training",
    ),
    "fed-std": Signal(
        meaning="standard deviation of what a model is fed with in training",
        absent="no torch.nn.Module was called in training",
    ),
    "evaluated-mean": Signal(
        meaning="mean of what the model is fed with in evaluations, by the line that calls it",
        absent="no evaluation of the model was seen",
    ),
    "evaluated-std": Signal(
        meaning="standard deviation of what the model is fed with in evaluations",
        absent="no evaluation of the model was seen",
    ),
    "trained-share": Signal(
        meaning="share of the examples that a line evaluates which were seen in training batches",
        absent="no evaluation was seen whose examples can be told apart",
    ),
    "same-batch-share": Signal(
        meaning="share of sampled steps that were fed with the very values of the one before",
        absent="no torch.nn.Module was called in training",
    ),
    "repeated-share": Signal(
        meaning="share of a loader's training batches that equal the batch before",
        absent="no DataLoader was seen",
    ),
    "label-purity": Signal(
        meaning="share of a sampled batch that belongs to its commonest class",
        absent="no classification loss with one label an example was seen",
    ),
    "label-majority": Signal(
        meaning="share of the commonest class in all sampled batches so far",
        absent="no classification loss with one label an example was seen",
    ),
    "neighbour-accuracy": Signal(
        meaning="share of examples whose class most of their nearest other examples have",
        absent="no classification of plain inputs was seen, or of too few examples",
    ),
    "small-batch-loss": Signal(
        meaning="loss of a trial that trains on ten examples only", absent="needs a checkup"
    ),
    "small-batch-accuracy": Signal(
        meaning="share of those ten examples that the trial classifies rightly",
        absent="needs a checkup",
    ),
    "real-labels-loss": Signal(
        meaning="held-out loss of trials with the labels as they are, by seed",
        absent="needs a checkup",
    ),
    "shuffled-labels-loss": Signal(
        meaning="held-out loss of trials whose training labels were shuffled, by seed",
        absent="needs a checkup",
    ),
    "label-disagreement": Signal(
        meaning="share of examples that trials which never saw them put surely into another class",
        absent="needs a checkup",
    ),
    "seed-score": Signal(
        meaning="held-out metric of the same trial under different seeds, one value a seed",
        absent="needs a checkup",
    ),
    "logged": Signal(
        meaning="what the script logged under a name", absent="the script logged no metric"
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
    "output-spread": Signal(
        meaning="standard deviation of the predictions over the examples of a batch",
        absent="no loss with a prediction was seen",
    ),
    "target-spread": Signal(
        meaning="standard deviation of the targets over the examples of a batch; for classes the "
        "share of labels unlike the first",
        absent="no loss with a target was seen",
    ),
    "regression-error": Signal(
        meaning="root mean square error of a regression, relative to the targets' standard "
        "deviation",
        absent="no regression was seen",
    ),
    "label-share": Signal(
        meaning="share of each class among the labels of all sampled batches so far",
        absent="no classification loss was seen",
    ),
    "class-recall": Signal(
        meaning="share of a class's recent examples that the training classified rightly",
        absent="no classification loss was seen",
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
        meaning="how much an output changes when the other examples are replaced, relative to "
        "its own being replaced: the largest over first, middle and last example",
        absent=CHECKUP,
    ),
    "blank-input-loss": Signal(
        meaning="loss reached by the same training on blank inputs", absent=CHECKUP
    ),
    "real-input-loss": Signal(
        meaning="loss reached beside it on the real inputs", absent=CHECKUP
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

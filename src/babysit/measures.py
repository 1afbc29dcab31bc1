"""What rules measure on series: robust levels, noise, trends, relative updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from babysit.run import Parameter, Training
from babysit.series import Series
from babysit.text import listing
from babysit.wiring import NORMS

if TYPE_CHECKING:
    from babysit.series import Floats

WINDOWS = 10


@dataclass(frozen=True, kw_only=True)
class Course:
    """How a noisy curve went: levels of ten equal windows, and the noise within them.

    Attributes:
        levels: mean of each window, finite values only.
        noise: standard error of a level, from the differences of neighbouring points.
    """

    levels: Floats
    noise: float
    first: float
    highest: float
    num_points: int

    @property
    def start(self) -> float:
        """The level at the beginning; the very first point where the curve leapt up after it."""
        return min(float(self.levels[0]), self.first) if self.highest > 4 * self.first else (
            float(self.levels[0])
        )  # fmt: skip

    @property
    def end(self) -> float:
        return float(self.levels[-1])

    @property
    def best(self) -> float:
        return float(self.levels.min())

    @property
    def falls(self) -> bool:
        """Whether the end lies below the start by more than noise explains."""
        return self.start - self.end > 3 * self.noise

    def drop(self) -> float:
        """Share of the start's level that was lost by the end; of positive curves only."""
        return (self.start - self.end) / self.start if self.start > 0 else 0.0


def course(values: Floats, *, first: float | None = None) -> Course | None:
    """The course of a curve; ``None`` when fewer than two finite points per window are there.

    Args:
        first: what to take for the first point, where that is a matter of luck.
    """
    finite = values[np.isfinite(values)]
    if len(finite) < 2 * WINDOWS:
        return None
    windows = np.array_split(finite, WINDOWS)
    spread = float(np.median(np.abs(np.diff(finite)))) * 1.4826 / 2**0.5
    return Course(
        levels=np.array([window.mean() for window in windows]),
        noise=spread / (len(finite) / WINDOWS) ** 0.5,
        first=float(finite[0]) if first is None else first,
        highest=float(finite.max()),
        num_points=len(finite),
    )


def fell_on(training: Training, step: int) -> bool:
    """Whether the training loss is lower at the end than after a step."""
    loss = course(training.series("loss").since(step))
    return loss is not None and loss.end < loss.start


def pace(values: Floats) -> float:
    """How fast a curve falls in its second half: the slope of its logarithm over log steps."""
    if len(values) < 4 or not np.isfinite(values).all() or (values <= 0).any():
        return 0.0
    positions = np.arange(1, len(values) + 1)
    half = len(values) // 2
    return -float(np.polyfit(np.log(positions[half:]), np.log(values[half:]), 1)[0])


def first_loss(training: Training) -> float:
    """The loss at the very beginning; of many steps where a batch is too small for one to tell."""
    values = training.series("loss").values
    finite = values[np.isfinite(values)]
    sizes = training.series("batch-size").values
    is_luck = len(sizes) > 0 and np.median(sizes) <= 4 and len(finite) >= 200
    if not len(finite):
        return float("nan")
    return float(finite[: len(finite) // 10].mean() if is_luck else finite[0])


def is_bounded_below(training: Training) -> bool:
    """Whether the loss may be read as a distance to a goal at zero.

    Losses of opponents (GAN), of sampled returns, negative log-densities, and losses against a
    network that moves along (Q-learning, self-distillation) may rise while all is well.
    """
    values = training.series("loss").values
    finite = values[np.isfinite(values)]
    moves = training.facts.get("is_adversarial") or training.facts.get("has_teacher")
    return not moves and not is_rate_test(training) and len(finite) > 0 and bool(finite.min() >= 0)


def is_rate_test(training: Training) -> bool:
    """Whether this is a learning-rate range test, driven to divergence on purpose.

    Its rate rises at nearly every step, to fifty times its first value at least.
    """
    rates = training.series("learning-rate", "0").values
    if len(rates) < max(10, 0.8 * training.steps) or rates[0] <= 0:
        return False
    return bool((np.diff(rates) >= 0).all() and rates[-1] >= 50 * rates[0])


def waits(training: Training, level: float) -> float:
    """Share of the steps that had passed before the loss stayed at or below a level for a while.

    One when it never did; windows of the losses are compared, not single ones.
    """
    values = training.series("loss").values
    if not len(values):
        return 0.0
    width = max(1, len(values) // 40)
    windows = [values[at : at + width].mean() for at in range(0, len(values), width)]
    return next((i / len(windows) for i, mean in enumerate(windows) if mean <= level), 1.0)


def weights(training: Training) -> dict[str, Parameter]:
    """Trained weight matrices and kernels in the order of the forward pass.

    Embeddings are left out, for a batch touches few of their rows, unless there is nothing else.
    """
    order = [
        node.parameter
        for wiring in training.wirings[:1]
        for node in wiring.nodes
        if node.parameter in training.parameters
    ] or list(training.parameters)
    known = (training.parameters[name] for name in dict.fromkeys(order) if name is not None)
    matrices = [p for p in known if len(p.shape) >= 2 and p.trainable and not is_gain(p)]
    dense = [p for p in matrices if "Embedding" not in p.kind]
    return {parameter.name: parameter for parameter in dense or matrices}


def is_gain(parameter: Parameter) -> bool:
    """The lengths that ``weight_norm`` keeps beside the directions of a weight."""
    return parameter.name.endswith((".weight.original0", ".weight_g"))


def before_norms(training: Training) -> set[str]:
    """Weights whose output is normalised, so that their size does not matter."""
    found = set()
    for wiring in training.wirings[:1]:
        for index in wiring.find(NORMS):
            source = wiring.source(wiring.nodes[index].inputs[0])
            if source is not None:
                names = (wiring.weight(operand) for operand in wiring.nodes[source].inputs)
                found |= {name for name in names if name is not None}
    return found


def update_ratios(training: Training) -> Mapping[str, Floats]:
    """Size of one update relative to the weight, per weight matrix and sampled step.

    About 1e-3 is usual (field practice); biases and gains are left out, they begin at zero.
    """
    found = {}
    for name in weights(training):
        updates, sizes = training.series("update-rms", name), training.series("weight-rms", name)
        if len(updates) and len(updates) == len(sizes):
            ratios = updates.values / np.maximum(sizes.values, 1e-12)
            if np.isfinite(ratios).any():
                found[name] = ratios[np.isfinite(ratios)]
    return found


def typical_ratio(training: Training) -> float | None:
    """Median over weights of the median over steps of the update ratio; finite ones."""
    ratios = [float(np.median(values)) for values in update_ratios(training).values()]
    return float(np.median(ratios)) if ratios else None


def early_ratio(training: Training) -> float | None:
    """The update ratio while the damage is done: the larger of the whole and of the beginning."""
    typical = typical_ratio(training)
    early = [float(np.median(values[:8])) for values in update_ratios(training).values()]
    if typical is None or not early:
        return typical
    both = [value for value in (typical, float(np.median(early))) if np.isfinite(value)]
    return max(both, default=None)


def peak_ratio(training: Training) -> float | None:
    """The largest update ratio of any sampled step, median over weights."""
    ratios = [values for values in update_ratios(training).values() if len(values) > 3]
    length = min((len(values) for values in ratios), default=0)
    if not length:
        return None
    return float(np.median([values[:length] for values in ratios], axis=0).max())


def displacement(training: Training) -> float | None:
    """How far an early step moves the weights: median over weights of update / usual size.

    The usual size is the weight's own or, where it begins smaller, that of PyTorch's default
    initialisation, ``1 / sqrt(3 * fan_in)``: weights that begin near zero may leap to it at once.
    """
    moves = []
    for name, weight in weights(training).items():
        updates = training.series("update-rms", name).values[:8]
        sizes = training.series("weight-rms", name).values[:8]
        updates, sizes = updates[np.isfinite(updates)], sizes[np.isfinite(sizes)]
        if len(updates) and len(sizes):
            usual = (3 * np.prod(weight.shape[1:])) ** -0.5
            moves.append(float(np.median(updates) / max(sizes[0], usual)))
    return float(np.median(moves)) if moves else None


def late_agreement(training: Training) -> float | None:
    """How far gradients of steps in a row agree in the later half: a cosine, by the median."""
    agreement = training.series("gradient-agreement").values
    late = agreement[len(agreement) // 2 :]
    return float(np.median(late)) if len(late) >= 4 else None


def median(series: Series) -> float:
    """The median of a series; NaN when it is empty."""
    return float(np.median(series.values)) if len(series) else float("nan")


def always(series: Series, *, at_least: int = 1) -> bool:
    """Whether a yes-or-no signal said yes every time, and often enough to count."""
    return len(series) >= at_least and bool((series.values > 0.5).all())


def rate(training: Training) -> float | None:
    """The highest learning rate that was in force while the loss was finite, over all groups."""
    losses = training.series("loss")
    bad = losses.steps[~np.isfinite(losses.values)]
    end = int(bad[0]) if len(bad) else training.steps
    known = [
        series.values[series.steps <= end] for series in training.places("learning-rate").values()
    ]
    return max((float(values.max()) for values in known if len(values)), default=None)


def rates_over_steps(training: Training, group: str = "0") -> Floats:
    """The learning rate of a group at each of fifty-one evenly spaced steps; empty if unknown."""
    series = training.series("learning-rate", group)
    if not len(series) or training.steps < 2:
        return np.array([])
    steps = np.linspace(0, training.steps - 1, 51).astype(int)
    found = np.searchsorted(series.steps, steps, side="right") - 1
    return series.values[np.maximum(found, 0)]


def phase(training: Training, step: int, group: str = "0") -> str:
    """Where in its schedule the learning rate is: warm-up, constant, decay, or ended.

    Judged by the highest rate that was ever in force: rising towards it is warm-up, within a
    hundredth of it constant, below a hundredth of it ended.
    """
    series = training.series("learning-rate", group)
    now = series.at(step)
    if now is None or not np.isfinite(series.values).all():
        return "constant"
    peak = float(series.values.max())
    if now >= 0.99 * peak:
        return "constant"
    if step < int(series.steps[series.values >= 0.99 * peak][0]):
        return "warm-up"
    return "decay" if now > 0.01 * peak else "ended"


def holds_rate(training: Training, since: int = 0) -> bool:
    """Whether no group's learning rate changed by more than a hundredth after a step."""
    for series in training.places("learning-rate").values():
        now = series.at(since)
        later = series.since(since)
        values = np.append(later, now if now is not None else later[:1])
        if len(values) and values.max() - values.min() > 0.01 * max(values.max(), 1e-30):
            return False
    return True


def num_examples(training: Training) -> int:
    """How many examples the training has, 0 where it cannot be told.

    A loader says; otherwise the different examples met in batches, once hardly any is new.
    """
    loaders = training.facts.get("loaders", {}).values()
    sizes: list[int] = [loader["num_examples"] for loader in loaders if loader["trained"] > 1]
    if sizes:
        return max(sizes)
    fed = training.facts.get("fed", {}).values()
    known = [one["known"] for one in fed if one["is_telling"] and one["again"] > 0.9]
    held = [one["batch"] for one in fed if one["is_held"]]
    return max([*known, *held], default=0)


def num_weights(training: Training) -> int:
    """Trainable numbers among the parameters that an optimizer holds."""
    owned = (p for p in training.parameters.values() if p.trainable and p.optimized)
    return sum(int(np.prod(parameter.shape)) for parameter in owned)


def is_recurrent(training: Training) -> bool:
    """Whether the model reads sequences step by step: the order of batches may be meant."""
    kinds = {parameter.kind for parameter in training.parameters.values()}
    return any(kind in kinds for kind in ("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"))


def stays(training: Training, parameter: str, samples: float) -> bool:
    """Whether a parameter got gradients and yet kept its values over some samples at least."""
    values = training.series("weight-rms", parameter).values
    gradients = training.series("gradient-rms", parameter).values
    enough = len(values) >= samples and len(gradients) >= samples
    return enough and bool((values == values[0]).all()) and bool((gradients > 0).any())


@dataclass(frozen=True, kw_only=True)
class Spike:
    """A value far above those around it."""

    step: int
    value: float
    level: float

    @property
    def height(self) -> float:
        return self.value / self.level


def spikes(series: Series, height: float, *, reach: int = 25, skip: int = 20) -> list[Spike]:
    """Points above ``height`` times the median of their neighbours; the first ones left out."""
    steps, values = series.steps, series.values
    found = []
    for index in range(skip, len(values)):
        around = values[max(0, index - reach) : index + reach + 1]
        level = float(np.median(around[np.isfinite(around)])) if np.isfinite(around).any() else 0.0
        if level > 0 and np.isfinite(values[index]) and values[index] > height * level:
            found.append(Spike(step=int(steps[index]), value=float(values[index]), level=level))
    return found


def sensitivities(training: Training) -> dict[str, dict[int, float]]:
    """By weight and sampled step, how much the loss reacts: norms of gradient times weight / loss.

    Free of scale: a loss, inputs or weights that are merely large leave it as it is, for the
    gradient times the weight grows as the loss does. About 1 is usual.
    """
    losses = training.series("loss")
    values = losses.values
    finite = np.abs(values[np.isfinite(values)])
    if not len(finite):
        return {}
    usual = max(float(np.median(finite[:5])), float(np.median(finite)), 1e-12)
    found: dict[str, dict[int, float]] = {}
    for name, weight in weights(training).items():
        gradients = training.series("gradient-rms", name)
        sizes = training.series("weight-rms", name)
        amount = float(np.prod(weight.shape))
        for step, gradient in zip(gradients.steps.tolist(), gradients.values.tolist(), strict=True):
            size, loss = sizes.at(step), losses.at(step)
            if size is not None and not np.isnan(gradient):
                scale = max(abs(loss), usual) if loss is not None and np.isfinite(loss) else usual
                found.setdefault(name, {})[step] = gradient * size * amount / scale
    return found


def values_changed(run: Training, name: str) -> bool:
    """Whether a parameter had different values at different samples."""
    values = run.series("weight-rms", name).values
    return len(values) > 1 and bool((values != values[0]).any())


def layers_of(parameters: Iterable[Parameter]) -> str:
    """The layers of some parameters, each once."""
    return listing(dict.fromkeys(f"`{p.layer or p.name}`" for p in parameters))

"""Targets and predictions of the losses: range, scale, kind, and the classes seen so far."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, MutableMapping
from typing import Final

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from babysit.criteria import NLLS, SAME_ORDER, SOFT, Criterion, criteria
from babysit.instrument import sources
from babysit.instrument.reading import Reading, Values
from babysit.instrument.xray import Xray
from babysit.wiring import PARAMETER

MAX_ROWS: Final = 512
MAX_ELEMENTS: Final = 8192
MAX_CRITERIA: Final = 4
MAX_CLASSES: Final = 1024
MAX_FRAMES: Final = 4
BOUNDED: Final = {"Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Relu": (0.0, float("inf")),
                  "Softmax": (0.0, 1.0)}  # fmt: skip


class Targets(Reading):
    """Statistics of what the training is compared with, by the kind of comparison."""

    def __init__(self) -> None:
        # By the training's first parameter: trainings of one process are counted apart.
        self._seen: MutableMapping[Tensor, dict[tuple[str, int], tuple[Tensor, int]]]
        self._seen = WeakIdKeyDictionary()

    def read(self, xray: Xray) -> Values:
        values: Values = defaultdict(dict)
        for criterion in criteria(xray.wiring)[:MAX_CRITERIA]:
            operands = operands_of(xray, criterion)
            if operands is None:
                continue
            prediction, target = operands
            if target.numel() == 0 or target.is_complex() or prediction.is_complex():
                continue
            place = criterion.place
            for signal, value in describe(prediction, target, criterion.kind).items():
                values[signal][place] = value
            reach = self._unreachable(xray, criterion, target)
            if reach is not None:
                values["target-unreachable"][place] = reach
            if is_input(xray, target):
                values["target-is-input"][place] = 1.0
            if criterion.kind in NLLS:
                classes = xray.wiring.nodes[criterion.prediction].shape[1:2]
                known, number = self._follow(
                    xray.leaves, place, classes[0] if classes else 0, target
                )
                values["classes-seen"][place] = float(known)
                values["labels-seen"][place] = float(number)
        return dict(values)

    def _follow(
        self, leaves: list[Tensor], place: str, classes: int, labels: Tensor
    ) -> tuple[int, int]:
        """How many classes, and how many labels, the sampled batches have held so far."""
        if not 0 < classes <= MAX_CLASSES or not leaves:
            return 0, 0
        known = self._seen.setdefault(leaves[0], {})
        flat = labels.reshape(-1)[:MAX_ELEMENTS].cpu()
        inside = flat[(flat >= 0) & (flat < classes)]
        counts = torch.bincount(inside, minlength=classes) > 0
        seen, number = known.get((place, classes), (torch.zeros_like(counts), 0))
        seen, number = seen | counts, number + len(inside)
        known[place, classes] = (seen, number)
        return int(seen.sum()), number

    def _unreachable(self, xray: Xray, criterion: Criterion, target: Tensor) -> float | None:
        """Share of the targets beyond the range of the last activation."""
        if not criterion.is_regression:
            return None
        source = xray.wiring.source(criterion.prediction)
        limits = BOUNDED.get(xray.wiring.nodes[source].op) if source is not None else None
        if limits is None:
            return None
        flat = spread(target)
        margin = 0.02 * min(limits[1] - limits[0], 1.0)
        beyond = (flat < limits[0] - margin) | (flat > limits[1] + margin)
        return float(beyond.float().mean())


def operands_of(xray: Xray, criterion: Criterion) -> tuple[Tensor, Tensor] | None:
    """Prediction and target of a comparison, in their own shapes where those are known."""
    index, kind = criterion.index, criterion.kind
    if kind == SOFT:
        log = xray.saved(xray.wiring.source(criterion.prediction) or 0, "result")
        first, second = xray.saved(index, "self"), xray.saved(index, "other")
        target = first if xray.wiring.nodes[index].inputs[0] is None else second
        return (log, target) if log is not None and target is not None else None
    if kind in ("Pow", "Abs", "LinalgVectorNorm", "Mul"):
        return from_difference(xray, criterion)
    prediction, target = xray.saved(index, "self"), xray.saved(index, "target")
    return (prediction, target) if prediction is not None and target is not None else None


def from_difference(xray: Xray, criterion: Criterion) -> tuple[Tensor, Tensor] | None:
    """Of ``(prediction - target) ** 2`` autograd keeps the difference; the prediction is known."""
    wiring = xray.wiring
    difference = xray.saved(criterion.index, "self")
    prediction = result_of(xray, criterion.prediction)
    subtraction = wiring.source(wiring.nodes[criterion.index].inputs[0], through=SAME_ORDER)
    if difference is None or prediction is None or subtraction is None:
        return None
    if difference.numel() != prediction.numel():  # broadcast
        return None
    inputs = wiring.nodes[subtraction].inputs
    prediction = prediction.reshape(difference.shape)
    sign = -1.0 if inputs[0] is not None else 1.0
    target = prediction + sign * difference
    whole = target.round()  # 0.99999994 was a 1 before its difference was rounded
    slack = 4 * torch.finfo(difference.dtype).eps * (prediction.abs() + difference.abs())
    return prediction, torch.where((target - whole).abs() <= slack, whole, target)


def result_of(xray: Xray, index: int) -> Tensor | None:
    """The value of a node: saved, found in the user's variables, or a layer's, worked out."""
    held = next((t for t in variables() if t.grad_fn is xray.graph[index]), None)
    if held is not None:
        return held.detach()
    source = xray.wiring.source(index, through=SAME_ORDER)
    if source is None:
        return None
    if xray.wiring.nodes[source].op in BOUNDED:
        return xray.saved(source, "result")
    return recomputed(xray, source)


def recomputed(xray: Xray, source: int) -> Tensor | None:
    """The result of a linear layer from what it saved; its module is not run."""
    node = xray.wiring.nodes[source]
    if node.op != "Addmm" or len(node.inputs) != 3 or node.shape[0] > MAX_ELEMENTS:
        return None
    data, weight, bias = xray.saved(source, "mat1"), xray.saved(source, "mat2"), node.inputs[0]
    leaf = xray.wiring.source(node.inputs[2])
    if weight is None and leaf is not None and xray.wiring.nodes[leaf].op == PARAMETER:
        weight = xray.graph[leaf].variable.detach().t()
    if data is None or weight is None or bias is None or data.shape[1:] != weight.shape[:1]:
        return None
    shift = getattr(xray.graph[bias], "variable", None)
    if shift is None or data.numel() > 64 * MAX_ELEMENTS:
        return None
    with torch.no_grad():
        return torch.addmm(shift.detach(), data, weight)


def variables() -> Iterator[Tensor]:
    """Tensors with a gradient among the local variables of the innermost user frames."""
    frame = sources.user_frame(sys._getframe(1))
    for _ in range(MAX_FRAMES):
        if frame is None:
            return
        for value in list(frame.f_locals.values()):
            if isinstance(value, Tensor) and value.requires_grad and not value.is_leaf:
                yield value
        frame = sources.user_frame(frame.f_back)


def spread(tensor: Tensor) -> Tensor:
    """At most :data:`MAX_ELEMENTS` evenly spaced values as floats."""
    flat = tensor.detach().reshape(-1)
    stride = -(-flat.numel() // MAX_ELEMENTS)
    return flat[::stride].float()


def describe(prediction: Tensor, target: Tensor, kind: str) -> dict[str, float]:
    """Range and scale of both sides; what kind of numbers the targets are."""
    if not target.dim():
        return {}  # a single example's loss, as in a loop over them
    flat, scores = spread(target), spread(prediction)
    rows = target.detach()[:MAX_ROWS]
    is_binary = ((flat == 0) | (flat == 1)).all()
    parts = [
        flat.amin(), flat.amax(), flat.mean(), flat.std(correction=0),
        scores.amin(), scores.amax(), scores.std(correction=0),
        (flat == flat.round()).all(), is_binary,
    ]  # fmt: skip
    names = ["target-min", "target-max", "target-mean", "target-std",
             "prediction-min", "prediction-max", "prediction-std",
             "target-integers", "target-binary"]  # fmt: skip
    if rows.dim() == 2 and rows.shape[1] > 1 and rows.is_floating_point():
        sums = rows.float().sum(dim=1)
        is_hot = is_binary & ((rows == 0) | (rows == 1)).all()
        names += ["target-one-hot", "target-many-hot"]
        parts += [is_hot & (sums == 1).all(), is_hot & (sums > 1).any()]
    if rows.dim() > 1 and rows.shape[0] > 1:
        names.append("target-column-std")
        parts.append(rows.float().flatten(1).var(dim=0, correction=0).mean().sqrt())
    if kind in NLLS and prediction.dim() >= 2:
        totals = prediction.detach()[:MAX_ROWS].float().exp().sum(dim=1)
        names.append("probability-error")
        parts.append((totals - 1).abs().mean())
    found = torch.stack([part.detach().float() for part in parts]).tolist()
    values = dict(zip(names, found, strict=True))
    values["target-distinct"] = float(len(flat[:MAX_ROWS].unique()))
    return values


def is_input(xray: Xray, target: Tensor) -> bool:
    """Whether the targets are the very data that the model reads (an autoencoder)."""
    for index, node in enumerate(xray.wiring.nodes):
        if None not in node.inputs or node.op not in ("Addmm", "Mm", "Convolution"):
            continue
        data = xray.saved(index, "input" if node.op == "Convolution" else "mat1")
        if data is None or data.numel() != target.numel() or data.device != target.device:
            continue
        if data.data_ptr() == target.data_ptr():
            return True
        if torch.equal(spread(data), spread(target)):
            return True
    return False

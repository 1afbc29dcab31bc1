"""How much the examples of a batch influence one another, and whether that may be meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from babysit.change import CannotApplyError
from babysit.changes._calls import COMPANIONS, Call, Reading, aside, readings

# What brings examples together on purpose mostly says so.
MEANT_NAMES: Final = re.compile(
    r"graph|gcn|gnn|^gat|message|set_?(transformer|attention|encoder)|deep_?set|point_?net|cloud"
    r"|mini_?batch|batch_?(std|stat|norm|whiten|discrim)|contrast|CLIP|memory|hopfield"
    r"|(gaussian|neural)_?process|proto|retriev|knn|neighbo|sinkhorn|particle",
    re.IGNORECASE,
)


class Mixing:
    """What is known of one model, from its call in one step after the other.

    Attributes:
        influence: of other examples, relative to one's own.
        refusal: why it is not judged.
    """

    def __init__(self) -> None:
        self.influence = 0.0
        self.refusal: str | None = "there was only one step"
        self._former: Call | None = None
        self._num_met = 0

    def meet(self, call: Call) -> None:
        """The model's call of the next step; the second one is examined."""
        former, self._former = self._former, call
        self._num_met += 1
        if former is None:
            return
        if self._num_met == 2:
            try:
                self.influence, self.refusal = influence_of(call), None
            except CannotApplyError as error:
                self.refusal = str(error)
        if self.refusal is None and self.influence > 0:
            self.refusal = sameness(former, call)


def sameness(former: Call, call: Call) -> str | None:
    """Why two steps in a row do not let neighbours be told from what belongs together."""
    one, other = former.data, call.data
    if one is None or other is None:
        return None
    if one.shape == other.shape and torch.equal(one, other):
        return "every step has the same batch: an example's neighbours are always the same"
    if one.shape[0] != other.shape[0]:
        return "the batches differ in size, as sequences or sets do whose members belong together"
    return None


def influence_of(call: Call) -> float:
    """The largest influence of one example upon another, relative to its own: 0 if there is none.

    Raises:
        CannotApplyError: it cannot be told, or is there and may well be meant.
    """
    found = readings(call)
    with aside(call), torch.enable_grad(), Observation(call) as seen:
        outputs = call.again(seen.leaves)
        seen.end()
        influences = {one: of_reading(seen.inputs(one), outputs, one) for one in found}
    known = {one: value for one, value in influences.items() if value is not None}
    if not known:
        raise CannotApplyError(
            "no gradient of the output reaches the data: they are whole numbers that go into no "
            "embedding, or the output does not depend on them"
        )
    # A model that keeps examples apart shows exactly 0 in the right reading, and only there.
    reading, influence = min(known.items(), key=lambda item: item[1])
    if influence > 0 and (why := meant(call, reading, seen)):
        raise CannotApplyError(f"examples influence one another, which may be meant: {why}")
    return influence


def of_reading(
    inputs: Sequence[Tensor], outputs: Sequence[Tensor], reading: Reading
) -> float | None:
    """The influence if this is how the examples lie; ``None`` where no gradient arrives."""
    output = outputs[reading.place] if len(outputs) > reading.place else None
    if output is None or not output.requires_grad or not inputs:
        return None
    rows = reading.by_example(output)
    numbers = torch.Generator().manual_seed(0)
    scales = [float(one.detach().float().std(correction=0)) or 1.0 for one in inputs]
    largest = None
    size = reading.size
    for at in sorted({0, size // 4, size // 2, 3 * size // 4, size - 1}):
        # A plain sum has a blind spot behind a softmax or a layer norm.
        weights = torch.randn(rows.shape[1], generator=numbers).to(rows)
        total = (rows[at] * weights).sum()
        gradients = torch.autograd.grad(total, inputs, retain_graph=True, allow_unused=True)
        own = others = 0.0
        for gradient, scale in zip(gradients, scales, strict=True):
            if gradient is None:
                continue
            sizes = gradient.detach().movedim(reading.dim, 0).reshape(size, -1)
            sizes = sizes.nan_to_num(0, 0, 0).abs().amax(dim=1) * scale
            own = max(own, float(sizes[at]))
            sizes[at] = 0
            others = max(others, float(sizes.max()))
        if own or others:
            largest = max(largest or 0.0, others / own if own else 1.0)
    return largest


class Observation(TorchFunctionMode):
    """Watches a call being made again: what it can be differentiated by, and what it does.

    Attributes:
        leaves: its arguments, those of data tracked.
        norms_batch: batch norm took its statistics from the batch.
        is_one_sequence: a layer was given all examples as one.
    """

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._call = call
        self.leaves = [
            one.detach().clone().requires_grad_()
            if isinstance(one, Tensor) and one.is_floating_point() and one.dim()
            else one
            for one in call.leaves
        ]
        self._whole = [
            one
            for one in call.leaves
            if isinstance(one, Tensor) and not one.is_floating_point() and one.dim()
        ]
        self._embedded: list[tuple[Tensor, Tensor]] = []
        self.norms_batch = self.is_one_sequence = False
        layers = (nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)
        self._handles = [
            layer.register_forward_pre_hook(self._enter)
            for layer in call.module.modules()
            if isinstance(layer, layers)
        ]

    def end(self) -> None:
        for handle in self._handles:
            handle.remove()

    def __exit__(self, *error: object) -> None:
        self.end()
        super().__exit__(*error)

    def inputs(self, reading: Reading) -> list[Tensor]:
        """What the output is differentiated by: rows of data, or of their embedding."""
        tracked = [one for one in self.leaves if isinstance(one, Tensor) and one.requires_grad]
        found = [one for one in tracked if reading.holds(one)]
        return found + [
            output for index, output in self._embedded
            if reading.holds(index) and reading.holds(output)
        ]  # fmt: skip

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        name = getattr(function, "__name__", "")
        if name == "embedding":
            return self._embed(args, kwargs, result)
        if name == "batch_norm":
            self.norms_batch |= bool(args[5] if len(args) > 5 else kwargs.get("training"))
        elif name == "scaled_dot_product_attention" or re.fullmatch(r"conv[123]d", name):
            given = args[0] if args else kwargs.get("input", kwargs.get("query"))
            if isinstance(given, Tensor) and given.dim():
                self.is_one_sequence |= self._is_one(given.shape[0])
        return result

    def _embed(self, args: Any, kwargs: dict[str, Any], result: Any) -> Any:
        """An embedding of data, not of positions: whatever else has so many rows."""
        indices = [one for one in (*args[:2], *kwargs.values()) if is_whole_number(one)]
        if not indices or not isinstance(result, Tensor):
            return result
        index = indices[0]
        if any(is_drawn_from(index, one) for one in self._whole):
            result = result if result.requires_grad else result.detach().requires_grad_()
            self._embedded.append((index, result))
        return result

    def _enter(self, layer: nn.Module, args: Any) -> None:
        given = args[0] if args else None
        if not isinstance(given, Tensor) or given.dim() < 1:
            return
        if isinstance(layer, nn.RNNCellBase):
            size = given.shape[0] if given.dim() > 1 else 1
        else:
            dim = 0 if getattr(layer, "batch_first", False) else 1
            size = given.shape[dim] if given.dim() > 2 else 1
        self.is_one_sequence |= self._is_one(size)

    def _is_one(self, size: int) -> bool:
        data = self._call.data
        return data is not None and data.shape[0] > 1 and size == 1


def is_whole_number(value: Any) -> bool:
    is_tensor = isinstance(value, Tensor) and not value.is_floating_point()
    return is_tensor and value.dtype != torch.bool


def is_drawn_from(index: Tensor, data: Tensor) -> bool:
    """Whether an embedding's indices are data, one of their columns, or made of them."""
    if index.untyped_storage().data_ptr() == data.untyped_storage().data_ptr():
        return True
    if index.dim() == 1 and torch.equal(index, torch.arange(len(index), device=index.device)):
        return False  # positions
    return index.shape in (data.shape, data.shape[:1], data.T.shape if data.dim() == 2 else ())


# -- influences that may be meant ------------------------------------------------------------


def meant(call: Call, reading: Reading, seen: Observation) -> str | None:
    """Why examples may be meant to influence one another, if so."""
    tests: tuple[tuple[Callable[[], bool], str], ...] = (
        (lambda: seen.norms_batch, "batch norm takes its statistics from the batch"),
        (lambda: seen.is_one_sequence, "a layer takes the whole batch as one sequence"),
        (lambda: is_tokens(call), "the data are one sequence of tokens"),
        (lambda: relates(call, reading), "other arguments relate them, as the edges of a graph do"),
        (
            lambda: compares(call, reading),
            "the output has as many columns as there are examples: each is compared with all",
        ),
        (lambda: bool(names(call)), f"it has a {', '.join(names(call))}"),
    )
    return next((why for test, why in tests if test()), None)


def is_tokens(call: Call) -> bool:
    return call.data is not None and call.data.dim() == 1 and is_whole_number(call.data)


def relates(call: Call, reading: Reading) -> bool:
    """Whether an argument or a buffer says how examples belong together."""
    first = True
    for name, value in zip(call.names, call.leaves, strict=True):
        if not isinstance(value, Tensor):
            continue
        is_first, first = first, False
        if value.layout != torch.strided:
            return True
        if is_first or value.numel() < 2 or any(word in name for word in COMPANIONS):
            continue
        if is_square(value, reading.size):
            return True
        is_companion = value.dtype == torch.bool or reading.is_state(value)
        if not reading.holds(value) and not is_companion:
            return True
    return any(
        one.layout != torch.strided or is_square(one, reading.size) for one in call.module.buffers()
    )


def is_square(tensor: Tensor, size: int) -> bool:
    return tensor.dim() == 2 and tensor.shape[0] == tensor.shape[1] == size


def compares(call: Call, reading: Reading) -> bool:
    output = call.outputs[reading.place]
    return output.dim() == 2 and output.shape[1] % reading.size == 0


def names(call: Call) -> list[str]:
    """Parts of the model, not PyTorch's own, that are named for what brings examples together."""
    found = {
        type(one).__name__
        for one in call.module.modules()
        if not type(one).__module__.startswith("torch.") and MEANT_NAMES.search(type(one).__name__)
    }
    return sorted(found)

"""DataLoaders that feed a training: their order, their workers, batches that come again."""

from __future__ import annotations

import inspect
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer

from babysit.instrument import rows, sources
from babysit.instrument.probe import Bench, Probe
from babysit.instrument.workers import describe_workers

MAX_HEAD: Final = 8
MIN_TRAINED: Final = 3
MAX_FOLLOWED: Final = 256


class Source:
    """One data set that batches of a training came from."""

    def __init__(
        self, loader: Any, made: dict[str, Any] | None, data: dict[str, Any] | None
    ) -> None:
        self.made, self.data = made, data
        self.iterator = 0
        self.trained = self.repeated = 0
        self.last: tuple[Any, ...] = ()
        self.strong: int | None = None
        self.head: list[tuple[Any, ...]] = []
        self.former: list[tuple[Any, ...]] = []
        self.epochs = self.same_order = 0
        self.loaded: tuple[Any, ...] | None = None
        self.tensors: list[Tensor] = []
        self.place: dict[str, Any] | None = None
        self.facts = describe(loader)

    def begin_epoch(self) -> None:
        if len(self.head) > 1:
            self.epochs += 1
            self.same_order += self.head == self.former
            self.former = self.head
        self.head = []

    def load(self, loader: Any, tensors: list[Tensor]) -> None:
        if loader._num_yielded == 1:
            self.begin_epoch()
        if self.is_sound and len(self.head) >= MAX_HEAD:
            self.loaded = None  # known well enough: the rest of the training costs nothing
            return
        self.loaded = rows.fingerprint(tensors)
        self.tensors = tensors
        if len(self.head) < MAX_HEAD:
            self.head.append(self.loaded)

    @property
    def is_sound(self) -> bool:
        """Whether hundreds of batches have shown that they differ."""
        return self.trained > MAX_FOLLOWED and self.repeated < 0.1 * self.trained

    def train(self) -> None:
        """The batch just loaded was trained on."""
        if self.loaded is None:
            return
        self.trained += 1
        if self.loaded == self.last:
            strong = hash(
                tuple(one for t in self.tensors for one in rows.mark(rows.cells(t)).tolist())
            )
            self.repeated += strong == self.strong
            self.strong = strong
        else:
            self.strong = None
        self.last, self.loaded, self.tensors = self.loaded, None, []


class Loaders(Probe):
    """Batches of every training's loaders, fingerprinted."""

    sleeps = ("on_backward",)

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._sources: dict[int, Source] = {}
        self._loaded: list[Source] = []
        self._number = 0
        self._made: dict[int, dict[str, Any] | None] = {}
        self._data: dict[int, dict[str, Any] | None] = {}
        self._has_evaluated = False

    def attach(self) -> None:
        self.watch(torch.utils.data.TensorDataset, "__init__", self._data_made)
        self.watch(torch.utils.data.DataLoader, "__init__", self._loader_made)

    def _data_made(self, args: Any, kwargs: Any, result: Any) -> None:
        """Where tensors become a data set."""
        if len(self._data) < MAX_FOLLOWED:
            self._data[id(args[0])] = sources.caller()

    def _loader_made(self, args: Any, kwargs: Any, result: Any) -> None:
        """Where a data set's first loader was made."""
        if len(self._made) < MAX_FOLLOWED:
            self._made.setdefault(id(args[0].dataset), sources.caller())

    def on_batch(self, loader: Any, batch: Any) -> None:
        if not torch.is_grad_enabled() or self._is_in_eval():
            if not self._has_evaluated:
                self._has_evaluated = True
                self.fact("evaluation_loader_place", self._made.get(id(loader._dataset)))
                self.fact("evaluation_transform_place", transform_of(loader._dataset))
            return
        tensors = rows.tensors_of(batch)
        if not tensors:
            return
        key = id(loader._dataset)
        if key not in self._sources:
            self._sources[key] = Source(loader, self._made.get(key), self._data_behind(loader))
        source = self._sources[key]
        source.load(loader, tensors)
        if source.place is None and source.trained >= MIN_TRAINED:
            source.place = sources.caller()
        self._loaded.append(source)
        self.wake("on_backward")

    def _data_behind(self, loader: Any) -> dict[str, Any] | None:
        """The place of the data set's own making, behind splits of it."""
        dataset = loader._dataset
        for _ in range(4):
            if id(dataset) in self._data or dataset is None:
                break
            dataset = getattr(dataset, "dataset", None)
        return self._data.get(id(dataset), self._made.get(id(loader._dataset)))

    def on_backward(self, loss: Tensor) -> None:
        for source in self._loaded:
            source.train()
        self._loaded.clear()
        self.rest("on_backward")

    def _is_in_eval(self) -> bool:
        roots = [r for ref in (self.state.roots if self.state else ()) if (r := ref()) is not None]
        return bool(roots) and not any(root.training for root in roots)

    def on_sampled_step(self, optimizer: Optimizer) -> None:
        if self.state is not None:
            if self.state.number != self._number and self._number:
                for source in self._sources.values():
                    source.trained = source.repeated = source.epochs = source.same_order = 0
            self._number = self.state.number
            self._report()

    def finish(self) -> None:
        for source in self._sources.values():
            source.begin_epoch()
        if self.state is not None:
            self._report()

    def _report(self) -> None:
        for index, source in enumerate(self._sources.values()):
            if source.trained < 2:
                continue
            name = f"{source.facts['dataset']}#{index + 1}"
            self.note("repeated-share", source.repeated / (source.trained - 1), name)
            counted = {"trained": source.trained, "epochs": source.epochs,
                       "same_order": source.same_order, "place": source.place,
                       "made": source.made, "data": source.data}  # fmt: skip
            self.fact("loaders", {name: {**source.facts, **counted}})


def describe(loader: Any) -> dict[str, Any]:
    """What a loader's iterator tells of its loader."""
    dataset, batches = loader._dataset, loader._index_sampler
    order = getattr(batches, "sampler", batches)
    return {
        "dataset": type(dataset).__name__,
        "num_examples": length(dataset),
        "num_batches": length(batches) if hasattr(dataset, "__getitem__") else 0,
        "batch_size": getattr(batches, "batch_size", None),
        "order": type(order).__name__,
        "num_workers": loader._num_workers,
        "workers": describe_workers(loader, dataset) if loader._num_workers > 1 else {},
    }


def transform_of(dataset: Any) -> dict[str, Any] | None:
    """The line that defines the only function of the user's that a data set keeps."""
    kept = [one for one in getattr(dataset, "__dict__", {}).values() if inspect.isfunction(one)]
    codes = {one.__code__ for one in kept if sources.is_user_file(one.__code__.co_filename)}
    if len(codes) != 1:
        return None
    code = codes.pop()
    return sources.place(code.co_filename, code.co_firstlineno)


def length(sized: Any) -> int:
    """``len``, or 0 where there is none."""
    try:
        return len(sized)
    except Exception:  # whatever a user's __len__ raises
        return 0

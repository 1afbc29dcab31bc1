"""What the trained model is fed with, while training and in evaluations."""

from __future__ import annotations

import sys
import weakref
from collections import deque
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from babysit.instrument import rows, sources
from babysit.instrument.losses import stream_name
from babysit.instrument.probe import Bench, Probe
from babysit.instrument.rows import Rows

MAX_KNOWN: Final = 65_536
MAX_STREAMS: Final = 16
MAX_CALL_ROWS: Final = 256
WHOLE_EVALUATIONS: Final = 2
SEARCH_AFTER: Final = 6
MAX_FRAMES: Final = 8


@dataclass
class Stream:
    """What one line evaluates: marks of the examples of its latest calls."""

    of_loader: bool
    calls: deque[tuple[int, ...]] = field(default_factory=lambda: deque(maxlen=8))
    known: set[int] = field(default_factory=set)
    steps: set[int] = field(default_factory=set)
    first_step: int = -1
    last_step: int = -1
    num_calls: int = 0
    most_calls: int = 0
    num_later: int = 0
    num_again: int = 0
    size: int = 0
    means: deque[float] = field(default_factory=lambda: deque(maxlen=16))
    stds: deque[float] = field(default_factory=lambda: deque(maxlen=16))

    def add(self, fed: Rows, step: int, size: int) -> None:
        if step != self.last_step:
            self.num_calls, self.last_step = 0, step
        self.num_calls += 1
        self.most_calls = max(self.most_calls, self.num_calls)
        marks = fed.marks
        if self.first_step < 0:
            self.first_step = step
        if step > self.first_step:
            self.num_later += len(marks)
            self.num_again += sum(one in self.known for one in marks)
        if len(self.known) < MAX_KNOWN:
            self.known.update(marks)
        if len(self.steps) < 1000:
            self.steps.add(step)
        self.calls.append(marks)
        self.size = max(self.size, size)
        self.means.append(fed.mean)
        self.stds.append(fed.std)


@dataclass
class Record:
    """What one model was fed with.

    Attributes:
        known: marks of examples trained on; ``again``: how many of each later batch were known.
        same, seen: sampled steps with the very batch of the one before, and all of them.
    """

    known: set[int] = field(default_factory=set)
    again: deque[float] = field(default_factory=lambda: deque(maxlen=16))
    streams: dict[Any, tuple[str, Stream]] = field(default_factory=dict)
    held: weakref.ref[Tensor] | None = None
    version: int = 0
    last: tuple[int, ...] = ()
    last_step: int = -1
    same: int = 0
    fresh: int = 0
    seen: int = 0
    num_held: int = 0
    pool: int = 0
    searched: bool = False
    batch: int = 0
    is_telling: bool = False
    place: dict[str, Any] | None = None


class Fed(Probe):
    """Examples met in training and in evaluations, by the model that was fed with them."""

    sleeps = ("on_backward",)

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self._records: MutableMapping[nn.Module, Record] = weakref.WeakKeyDictionary()
        self._open: tuple[nn.Module, Tensor, Rows, Any, int] | None = None
        self._num_seeded = 0
        self._loaded: tuple[int, int, int] | None = None
        self._touched: weakref.WeakSet[nn.Module] = weakref.WeakSet()

    def attach(self) -> None:
        """Seeds set over and over make random batches the same."""
        self.watch(torch, "manual_seed", self._seeded)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            self.watch(numpy.random, "seed", self._seeded)
            self.watch(numpy.random, "default_rng", self._seeded)

    def _seeded(self, args: Any, kwargs: Any, result: Any) -> None:
        self._num_seeded += self.state is not None and bool(args or kwargs)

    def on_batch(self, loader: Any, batch: Any) -> None:
        dataset = loader._dataset
        size = len(dataset) if hasattr(type(dataset), "__len__") else 0
        tensors = rows.tensors_of(batch)
        self._loaded = (id(dataset), size, tensors[0].shape[0]) if tensors else None

    # -- calls ---------------------------------------------------------------------------

    def on_call(
        self, module: nn.Module, inputs: Sequence[Any], output: Any, is_evaluation: bool
    ) -> None:
        self._settle()
        batch = rows.plain_tensor(tuple(inputs))
        if batch is None:
            return
        if not is_evaluation:
            if torch.is_grad_enabled():
                self._train(module, batch, None)
            return
        site = (sources.call_chain(), self._dataset(batch))
        size = max(batch.shape[0], self._loaded[1] if self._loaded and site[1] else 0)
        fed = rows.read(batch, self._limit(module, site))
        if torch.is_grad_enabled():
            # A backward may follow: then it is a training in eval mode.
            self._open = (module, batch, fed, site, size)
            self.wake("on_backward")
        else:
            self._evaluate(module, fed, site, size)

    def _limit(self, module: nn.Module, site: Any) -> int:
        """How many examples to mark: all of a line's first evaluations, some of later ones."""
        record = self._records.get(module)
        known = record.streams.get(site) if record is not None else None
        is_known = known is not None and len(known[1].steps) >= WHOLE_EVALUATIONS
        return MAX_CALL_ROWS if is_known else rows.MAX_ROWS

    def _dataset(self, batch: Tensor) -> int | None:
        """The data set that a batch was loaded from, judged by its size; ``None`` without one."""
        if self._loaded is None or batch.shape[0] != self._loaded[2]:
            return None
        return self._loaded[0]

    def on_backward(self, loss: Tensor) -> None:
        self.rest("on_backward")
        if self._open is not None:
            module, batch, fed, *_ = self._open
            self._open = None
            self._train(module, batch, fed)

    def _settle(self) -> None:
        """A call with gradients on that no backward followed was an evaluation."""
        if self._open is not None:
            module, _, fed, site, size = self._open
            self._open = None
            self._evaluate(module, fed, site, size)

    def _evaluate(self, module: nn.Module, fed: Rows, site: Any, size: int) -> None:
        record = self._records.setdefault(module, Record())
        if site not in record.streams:
            if len(record.streams) >= MAX_STREAMS:
                return
            name = stream_name(site[0])
            names = {known for known, _ in record.streams.values()}
            number = next(n for n in range(1, MAX_STREAMS + 2) if f"{name}#{n}" not in names)
            record.streams[site] = (f"{name}#{number}", Stream(of_loader=site[1] is not None))
        record.streams[site][1].add(fed, self.step, size)
        self._touched.add(module)

    def _train(self, module: nn.Module, batch: Tensor, fed: Rows | None) -> None:
        record = self._records.setdefault(module, Record())
        if record.last_step == self.step and record.seen > 1:
            return  # a second call in the same step: the other view of a pair, an accumulation
        record.last_step = self.step
        record.seen += 1
        self._touched.add(module)
        held = record.held() if record.held is not None else None
        record.held = weakref.ref(batch)
        if held is batch and record.version == batch._version and record.last:
            record.num_held += 1
            return
        record.version = batch._version
        fed = fed or rows.read(batch)
        is_same = fed.marks == record.last and len(fed.marks) > 0
        if is_same:
            record.same += 1
            record.fresh += 1
            if record.fresh == SEARCH_AFTER and not record.searched:
                self._search(record, batch)
        elif fed.marks:
            known = sum(one in record.known for one in fed.marks) / len(fed.marks)
            record.again.append(known * fed.share)
            if len(record.known) < MAX_KNOWN:
                record.known.update(fed.marks)
        record.last, record.batch = fed.marks, fed.num_rows
        record.is_telling = record.is_telling or fed.is_telling
        self.note("fed-mean", fed.mean, type(module).__name__)
        self.note("fed-std", fed.std, type(module).__name__)

    def _search(self, record: Record, batch: Tensor) -> None:
        """Is there more data than this batch? In its storage, or in the program's variables."""
        record.searched = True
        record.place = sources.caller()
        record.pool = rows.pool_rows(batch)
        if record.pool <= batch.shape[0]:
            sizes = [len(t) for t in variables() if rows.holds(t, batch)]
            record.pool = max(sizes, default=record.pool)

    # -- reports -------------------------------------------------------------------------

    def on_sampled_step(self, optimizer: Optimizer) -> None:
        if self.state is not None:
            self._report()

    def finish(self) -> None:
        self._settle()
        if self.state is not None:
            self._report()

    def _report(self) -> None:
        state = self.state
        assert state is not None
        for module in list(self._touched):
            record = self._records.get(module)
            if record is None or not state.is_part_of(module):
                continue
            name = type(module).__name__
            self.fact("fed", {name: self._summary(record)})
            if record.seen > 1:
                self.note("same-batch-share", record.same / (record.seen - 1), name)
            for stream_place, stream in record.streams.values():
                self._report_stream(record, stream_place, stream)
        self._touched.clear()

    def _summary(self, record: Record) -> dict[str, Any]:
        return {
            "steps": self.step,
            "is_held": record.seen > 3 and record.num_held >= record.seen - 1,
            "again": mean(record.again), "known": len(record.known), "batch": record.batch,
            "pool": record.pool, "fresh": record.fresh, "is_telling": record.is_telling,
            "seeded": self._num_seeded, "place": record.place,
        }  # fmt: skip

    def _report_stream(self, record: Record, place: str, stream: Stream) -> None:
        shares = [
            sum(one in record.known for one in call) / len(call) for call in stream.calls if call
        ]
        if shares and record.is_telling:
            self.note("trained-share", mean(shares), place)
        again = stream.num_again / stream.num_later if stream.num_later else 0.0
        covered = len(record.known & stream.known) / len(record.known) if record.known else 0.0
        self.fact("evaluated", {place: {
            "evaluations": len(stream.steps), "rows": len(stream.known), "size": stream.size,
            "lowest": min(shares, default=0.0), "again": again, "covered": covered,
            "calls": stream.most_calls, "of_loader": stream.of_loader,
        }})  # fmt: skip
        self.note("evaluated-mean", mean(stream.means), place)
        self.note("evaluated-std", mean(stream.stds), place)


def mean(values: Sequence[float] | deque[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def variables() -> Iterator[Tensor]:
    """The tensors among the program's variables: of every user frame on the stack."""
    frame = sources.user_frame(sys._getframe(1))
    for _ in range(MAX_FRAMES):
        if frame is None:
            return
        for value in (*frame.f_locals.values(), *frame.f_globals.values()):
            parts = value if isinstance(value, (tuple, list)) and len(value) <= 8 else (value,)
            yield from (part for part in parts if rows.is_plain(part))
        frame = sources.user_frame(frame.f_back)

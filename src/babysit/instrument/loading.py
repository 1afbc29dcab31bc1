"""Batches as the program's DataLoaders give them."""

from __future__ import annotations

import functools
import time
from typing import Any

import torch

from babysit.guard import transparent
from babysit.instrument import rows
from babysit.instrument.bench import ProbeBench
from babysit.instrument.calls import Calls
from babysit.instrument.loss_watch import LossWatch
from babysit.instrument.patches import Patches
from babysit.instrument.switches import Switches
from babysit.instrument.trainings import Thread


class Loading:
    """Tells the probes of every batch, and the training how long it waited for them."""

    def __init__(
        self,
        calls: Calls,
        thread: Thread,
        bench: ProbeBench,
        losses: LossWatch,
        switches: Switches,
    ) -> None:
        self._calls, self._thread, self._bench = calls, thread, bench
        self._losses, self._switches = losses, switches

    def attach(self, patches: Patches) -> None:
        loader = torch.utils.data.dataloader._BaseDataLoaderIter
        patches.replace(loader, "__next__", self._wrap_next)

    def _wrap_next(self, original: Any) -> Any:
        @functools.wraps(original)
        def next_batch(loader: Any) -> Any:
            started = time.perf_counter()
            try:
                batch = original(loader)
            except StopIteration:
                self._thread.dataset = None  # what is evaluated now is not its data
                raise
            if self._calls.is_live():
                self._calls.timed(self._loaded, loader, batch, time.perf_counter() - started)
            return batch

        return transparent(next_batch)

    def _loaded(self, loader: Any, batch: Any, seconds: float) -> None:
        thread = self._thread
        thread.dataset = id(loader._dataset)
        thread.batch_rows = rows.num_rows(batch)
        self._bench.on_batch(loader, batch)
        if thread.dataset not in self._losses.training_datasets and not thread.pending:
            self._switches.may_evaluate()  # other data than the training's: an evaluation?
        if thread.last is not None:
            thread.last.data_seconds += seconds

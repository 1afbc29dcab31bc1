"""Whether the ranks of a distributed training agree on the weights and differ in the data."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from babysit.instrument.correspondence import Correspondence, is_distributed
from babysit.instrument.probe import Probe


class Ranks(Probe):
    """Corresponds with the other ranks, also from processes that the script forked."""

    sleeps = ("after_step",)

    def attach(self) -> None:
        """Where PyTorch was built with distributed training."""
        self._mail = Correspondence()
        self._is_on = torch.distributed.is_available()
        self._is_forked = False
        if self._is_on:
            self.watch(nn.parallel.DistributedDataParallel, "__init__", self._wrapped)
            self.watch(torch.distributed, "all_reduce", self._reduced)
            self.watch(torch.distributed, "init_process_group", self._began)

    def on_sampled_step(self, optimizer: Optimizer) -> None:
        """Look whether there are other ranks, however they were joined."""
        if self._is_on and torch.distributed.is_initialized():
            self.wake("after_step")

    def after_step(self, optimizer: Optimizer) -> None:
        """Note what a comparison with the other ranks says."""
        if not self._is_on or not torch.distributed.is_initialized():
            return
        try:
            comparisons = self._mail.see_step(optimizer)
        except Exception:  # a store that is gone or of another kind
            self._is_on = False
            self._mail.deafen()
            return
        for comparison in comparisons:
            if comparison.difference is not None:
                self.note("rank-difference", comparison.difference)
            if comparison.same_batch is not None:
                self.note("rank-batches-equal", float(comparison.same_batch))

    def finish(self) -> None:
        """Leave no hook behind."""
        self._mail.deafen()

    def on_fork(self) -> None:
        """In a forked child nothing is recorded: it may be a rank, and then it only posts."""
        if not self._is_on or self._is_forked or is_distributed():
            return
        self._is_forked = True
        self._mail = Correspondence()
        register_optimizer_step_post_hook(self._stepped_in_child)
        for owner, name, see in (
            (nn.parallel.DistributedDataParallel, "__init__", self._wrapped),
            (torch.distributed, "all_reduce", self._reduced),
            (torch.distributed, "init_process_group", self._began),
        ):
            setattr(owner, name, shown(getattr(owner, name), see))

    def _stepped_in_child(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if self._is_on and torch.distributed.is_initialized():
            try:
                self._mail.see_step(optimizer)
            except Exception:
                self._is_on = False
                self._mail.deafen()

    def _wrapped(self, args: Any, kwargs: Any, result: Any) -> None:
        self._mail.see_replica(args[0])

    def _reduced(self, args: Any, kwargs: Any, result: Any) -> None:
        tensor = args[0] if args else kwargs.get("tensor")
        group = args[2] if len(args) > 2 else kwargs.get("group")
        self._mail.see_reduction(tensor, group)

    def _began(self, args: Any, kwargs: Any, result: Any) -> None:
        self._mail.listen()


def shown(original: Callable[..., Any], see: Callable[..., None]) -> Callable[..., Any]:
    """The function, with its calls shown to ``see``, whose failures stay its own."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        try:
            see(args, kwargs, result)
        except Exception:  # the script's process must not notice
            return result
        return result

    return wrapper

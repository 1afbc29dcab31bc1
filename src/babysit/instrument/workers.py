"""Loader workers and randomness: generators that every worker copies in the same state."""

from __future__ import annotations

import dis
import random
import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, Final

import torch

MAX_ATTRIBUTES: Final = 200
MAX_DEPTH: Final = 3
# Names whose use in a worker_init_fn means that workers are told apart.
TELLING: Final = frozenset(
    {"get_worker_info", "initial_seed", "getpid", "urandom", "seed_seq", "time", "time_ns", "uuid4",
     "token_bytes", "randbits", "SystemRandom", "seed_worker", "worker_id", "id"}
)  # fmt: skip
SEEDING: Final = frozenset({"seed", "manual_seed", "default_rng", "RandomState", "seed_everything",
                            "set_seed", "Random", "set_state", "setstate"})  # fmt: skip


def describe_workers(loader: Any, dataset: Any) -> dict[str, Any]:
    """What the workers' randomness hangs on: generators copied, a worker_init_fn that seeds."""
    init = getattr(loader, "_worker_init_fn", None)
    found: dict[str, Any] = {"has_init": init is not None}
    if init is not None:
        found["seeds_alike"] = seeds_alike(init)
    copied = next(copied_generators(dataset), None)
    if copied is not None:
        found["generator"], found["kind"] = copied
    return found


def seeds_alike(init: Callable[..., Any]) -> bool:
    """Whether a worker_init_fn seeds without looking at its argument or anything like it."""
    code = getattr(init, "__code__", None)
    if not isinstance(code, CodeType):
        return False
    names = set(all_names(code))
    argument = code.co_varnames[0] if code.co_argcount else None
    reads = {i.argval for i in dis.get_instructions(code) if i.opname.startswith("LOAD")}
    paired = {one for pair in reads if isinstance(pair, tuple) for one in pair}
    reads_argument = argument is not None and (argument in reads or argument in paired)
    reads_argument = reads_argument or argument in code.co_cellvars
    return bool(names & SEEDING) and not reads_argument and not names & TELLING


def copied_generators(dataset: Any) -> Iterator[tuple[str, str]]:
    """Generators of random numbers held by a data set and used where it makes an example."""
    waiting: list[tuple[str, Any, int]] = [("", dataset, 0)]
    seen: set[int] = set()
    while waiting and len(seen) < MAX_ATTRIBUTES:
        path, holder, depth = waiting.pop(0)
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        used = names_used(holder)
        for name, value in attributes(holder):
            own = f"{path}.{name}" if path else name
            if is_generator(value):
                if name in used or isinstance(holder, (list, tuple)):
                    yield own, kind_of(value)
            elif depth < MAX_DEPTH and is_worth_a_look(value):
                waiting.append((own, value, depth + 1))


def attributes(holder: Any) -> list[tuple[str, Any]]:
    if isinstance(holder, (list, tuple)):
        return [(str(index), value) for index, value in enumerate(holder[:16])]
    return list(getattr(holder, "__dict__", {}).items())[:64]


def is_worth_a_look(value: Any) -> bool:
    """An object of the user's that may hold a generator: a transform, a wrapped data set."""
    if isinstance(value, (list, tuple)):
        return 0 < len(value) <= 16 and not isinstance(value[0], (int, float, str, torch.Tensor))
    plain = (int, float, str, bytes, bool, type(None), torch.Tensor, dict, set, type)
    return not isinstance(value, plain) and hasattr(value, "__dict__") and not callable_only(value)


def callable_only(value: Any) -> bool:
    return isinstance(value, type(is_worth_a_look)) or type(value).__module__ == "numpy"


def is_generator(value: Any) -> bool:
    """A generator with a state of its own, that a worker's copy begins with."""
    numpy = sys.modules.get("numpy")
    kinds: tuple[type, ...] = (random.Random, torch.Generator)
    if numpy is not None:
        kinds += (numpy.random.Generator, numpy.random.RandomState)
    return isinstance(value, kinds) and not isinstance(value, random.SystemRandom)


def kind_of(value: Any) -> str:
    return f"{type(value).__module__.split('.')[0]} {type(value).__name__}"


def names_used(holder: Any) -> frozenset[str]:
    """Names in the methods that make an example, and in the methods that these call."""
    kind = type(holder)
    waiting = ["__getitem__", "__call__", "__iter__", "forward", "__getitems__"]
    seen: set[str] = set()
    names: set[str] = set()
    while waiting and len(seen) < 64:
        method = waiting.pop()
        if method in seen:
            continue
        seen.add(method)
        code = getattr(getattr(kind, method, None), "__code__", None)
        if isinstance(code, CodeType):
            found = set(all_names(code))
            names |= found
            waiting += [name for name in found if callable(getattr(kind, name, None))]
    return frozenset(names)


def all_names(code: CodeType) -> Iterator[str]:
    """Global names and attributes that a function and those inside it read."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from all_names(constant)

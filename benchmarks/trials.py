"""Runs many programs, watched or otherwise, each in a process of its own that has torch loaded.

The processes are forked from a server that runs no threads and has only imported.
"""

from __future__ import annotations

import ast
import contextlib
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeGuard, TypeVar

from babysit import session, target
from babysit.session import Verdict
from babysit.settings import Settings
from benchmarks.cases import Case

Seen = TypeVar("Seen")
Read = TypeVar("Read")
Way = Callable[[Path, Callable[[Seen], None]], None]  # runs a program, hands over what was seen
WORKERS: Final = 2
PRELOADED: Final = ["benchmarks.trials", "sklearn.datasets", "torch"]
LONGEST_SECONDS: Final = 120
SEEDERS: Final = frozenset({"manual_seed", "seed", "default_rng", "RandomState", "Random"})
KEYWORDS: Final = frozenset({"random_state", "seed"})


def watched(program: Path, tell: Callable[[Verdict], None]) -> None:
    """The usual way to run a program: under babysit, which ends with a verdict."""
    session.run_script(
        target.resolve(str(program)), Settings(quiet=True), on_verdict=lambda seen, _: tell(seen)
    )


def run_all(
    cases: Sequence[Case], read: Callable[[Seen], Read], *, seed_offset: int = 0,
    way: Way[Seen] = watched,
) -> Iterator[tuple[Case, Read | None]]:  # fmt: skip
    """What ``read`` makes of what was seen of each program, in order; ``None`` where of nothing.

    Args:
        read: called in the program's own process; what it returns must be picklable.
        seed_offset: added to every seed that a program sets.
        way: how to run a program, and what is seen of it.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        one = partial(run_one, read=read, seed_offset=seed_offset, way=way)
        yield from zip(cases, pool.map(one, cases), strict=True)


def run_one(
    case: Case, read: Callable[[Seen], Read], seed_offset: int, way: Way[Seen] = watched
) -> Read | None:
    """Run one program in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    receiver, sender = context.Pipe(duplex=False)
    result = None
    folder = tempfile.mkdtemp()  # a TemporaryDirectory would be removed at the fork's exit as well
    program = Path(folder) / case.program.name
    program.write_text(reseeded(case.program.read_text(), seed_offset))
    process = context.Process(target=run_here, args=(program, way, read, sender))
    process.start()
    sender.close()
    with contextlib.suppress(EOFError):
        if receiver.poll(LONGEST_SECONDS):
            result = receiver.recv()
    process.kill()
    process.join()
    shutil.rmtree(folder)
    return result


def run_here(program: Path, way: Way[Seen], read: Callable[[Seen], Any], sender: Any) -> None:
    """In that process: run the program quietly and send what was read."""
    import torch

    torch.set_num_threads(1)
    os.chdir(program.parent)
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    way(program, lambda seen: sender.send(read(seen)))
    sys.stdout.flush()
    os._exit(0)


def reseeded(source: str, offset: int) -> str:
    """A program with all its seeds moved; every line stays where it is."""
    if not offset:
        return source
    lines = source.splitlines(keepends=True)
    found = [seed for node in ast.walk(ast.parse(source)) for seed in seeds_of(node)]
    numbers = {(n.lineno, n.col_offset): n for n in found if is_whole_number(n)}
    for (number, column), seed in sorted(numbers.items(), reverse=True):
        line = lines[number - 1].encode()  # columns count bytes
        moved = str(seed.value + offset).encode()
        lines[number - 1] = (line[:column] + moved + line[seed.end_col_offset :]).decode()
    return "".join(lines)


def is_whole_number(node: ast.expr) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and type(node.value) is int


def seeds_of(node: ast.AST) -> list[ast.expr]:
    """The expressions of a statement or call that set a seed."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        first = node.args[:1] if name in SEEDERS else []
        return [*first, *(word.value for word in node.keywords if word.arg in KEYWORDS)]
    if isinstance(node, ast.Assign):
        names = [getattr(one, "id", "") for one in node.targets]
        return [node.value] if any(name.lower() == "seed" for name in names) else []
    return []

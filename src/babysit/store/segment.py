"""The record on disk: one append-only file of events per run and rank.

Every event is one line of JSON, handed to the system with one ``write`` call for all events at
hand. A process that is killed loses at most what it had not handed over; a reader skips a last
line that was cut.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from babysit.errors import BabysitError
from babysit.run import SCHEMA, Run

RUNS: Final = "runs"
BLACK_BOX: Final = "blackbox"
SEGMENT: Final = "rank{rank}.jsonl"
_ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode


def new_id(script: str) -> str:
    """A run's name: when it began, what it ran, and four characters that make it unique."""
    stem = "".join(c if c.isalnum() else "-" for c in Path(script).stem)[:32].strip("-")
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{stem or 'run'}-{secrets.token_hex(2)}"


def new_path(folder: Path, script: str) -> Path:
    """Where a new run of a script is recorded."""
    return folder / RUNS / new_id(script) / SEGMENT.format(rank=0)


class Segment:
    """Appends events to one file, ``…/runs/NAME/rank0.jsonl``."""

    def __init__(self, path: Path) -> None:
        self.path, self.run_id = path, path.parent.name
        path.parent.mkdir(parents=True, exist_ok=True)
        ignore = next((one.parent for one in path.parents if one.name == RUNS), path.parent)
        if not (ignore / ".gitignore").exists():
            (ignore / ".gitignore").write_text("*\n", encoding="utf-8")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o644)

    def write(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Append events.

        Raises:
            OSError: the disk is full or the folder has gone.
        """
        os.write(self._file, "".join(_ENCODE(event) + "\n" for event in events).encode())

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a segment; a last line that was cut by a kill is left out.

    Raises:
        BabysitError: the record was written by a newer babysit.
    """
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.endswith("\n"):
                return
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if event.get("event") == "start" and event.get("schema", SCHEMA) > SCHEMA:
                raise BabysitError(
                    f"{path} has record schema {event['schema']}, this babysit reads up to "
                    f"{SCHEMA}. Upgrade babysit to read it."
                )
            yield event


def black_box(folder: Path, run_id: str) -> list[Path]:
    """The files of a run's black box.

    Raises:
        BabysitError: it has none.
    """
    files = sorted((folder / RUNS / run_id / BLACK_BOX).glob("*"))
    if not files:
        raise BabysitError(
            f"Run {run_id} has no black box: one is kept where a value became NaN or infinite, "
            "unless --no-blackbox or --no-store refused it."
        )
    return files


def load(folder: Path, run_id: str | None) -> tuple[str, Run]:
    """A stored run by its name or the unique beginning or end of it; the latest without one.

    Raises:
        BabysitError: there is no such run, or several.
    """
    names = sorted(p.parent.name for p in (folder / RUNS).glob(f"*/{SEGMENT.format(rank=0)}"))
    if not names:
        raise BabysitError(
            f"No run is stored in {folder}/. `babysit run SCRIPT` stores one in the folder it "
            "is called from."
        )
    found = [name for name in names if run_id in (None, name)]
    if not found and run_id is not None:
        found = [name for name in names if name.startswith(run_id) or name.endswith(run_id)]
    if not found:
        raise BabysitError(f"No run {run_id!r} in {folder}/; the latest is {names[-1]}.")
    if run_id is not None and len(found) > 1:
        raise BabysitError(f"{run_id!r} fits {len(found)} runs, such as {found[0]}. Give more.")
    path = folder / RUNS / found[-1] / SEGMENT.format(rank=0)
    run = Run.replay(read(path))
    run.is_cut = not run.ending
    return found[-1], run

"""What commands write: text on stdout, files that are checked before the work begins."""

from __future__ import annotations

import difflib
import io
import os
import sys
from pathlib import Path

from babysit.errors import BabysitError


def say(text: str) -> None:
    """Print text on stdout; signs that stdout cannot encode are replaced."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")
    sys.stdout.write(text)
    sys.stdout.flush()


def difference(before: Path, after: Path) -> list[str]:
    """The lines of a unified diff of two scripts."""
    old, new = (path.read_text(encoding="utf-8").splitlines() for path in (before, after))
    return list(difflib.unified_diff(old, new, before.name, after.name, n=1, lineterm=""))


# What a file of ours has among its first bytes, by the option that writes it.
MARKS = {"--json": b'"schema"', "--html": b"<!-- babysit report -->"}


def check_path(option: str, text: str) -> Path:
    """The absolute path of a file that an option may write.

    Raises:
        BabysitError: it cannot be written, or another file would be lost.
    """
    path = Path(text).absolute()
    if path.is_dir():
        example = Path(text) / f"diagnosis.{option.removeprefix('--')}"
        raise BabysitError(f"{option} {text} is a folder; give a file's path, such as {example}.")
    if not path.parent.is_dir():
        raise BabysitError(
            f"{option} {text} lies in a folder that does not exist; make it first with "
            f"`mkdir -p {Path(text).parent}`."
        )
    if not os.access(path if path.exists() else path.parent, os.R_OK | os.W_OK):
        raise BabysitError(f"{option} {text} may not be written by you; give another path.")
    if path.is_file() and not is_ours(path, MARKS[option]):
        raise BabysitError(
            f"{option} {text} exists and is no diagnosis of babysit, so it will not be "
            "overwritten; give another path."
        )
    return path


def is_ours(path: Path, mark: bytes) -> bool:
    """Whether a file is empty or begins as a diagnosis of ours does."""
    with path.open("rb") as file:
        start = file.read(200)
    return not start.strip() or mark in start


def write(path: Path, text: str) -> None:
    """Write a file at once: whoever reads it sees all of the old text or all of the new.

    Raises:
        OSError: the disk is full, or the folder has gone.
    """
    if path.exists() and not path.is_file():  # a pipe or a device cannot be replaced
        path.write_text(text, encoding="utf-8")
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

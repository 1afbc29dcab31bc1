"""What ``python`` could run; what it could not is said early and in one sentence."""

from __future__ import annotations

import difflib
import importlib.util
import pkgutil
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from babysit.errors import BabysitError


@dataclass(frozen=True, kw_only=True)
class Target:
    """What to run: a script, a folder or zip with a ``__main__.py``, or a module.

    Args:
        path: the script, folder or zip; ``None`` for a module.
        module: the name after ``-m``; ``None`` for a path.
        argv: ``sys.argv`` as python sets it at first: the path as the user wrote it, or ``-m``,
            and the program's own arguments.
    """

    path: Path | None
    module: str | None
    argv: tuple[str, ...]

    @property
    def label(self) -> str:
        """What the user typed, for messages."""
        return self.argv[0] if self.module is None else f"-m {self.module}"


def resolve(program: str, arguments: Sequence[str] = (), *, module: bool = False) -> Target:
    """Check, before anything is watched, that python could run this program.

    Args:
        program: a script, a folder or zip with ``__main__.py``; with ``module`` a module's name.
        arguments: the program's own.

    Raises:
        BabysitError: it cannot be run, and why. A syntax error in a ``.py`` file is not one of the
            reasons: it is shown as python shows it, when the program runs.
    """
    if module:
        _check_module(program)
        return Target(path=None, module=program, argv=("-m", *arguments))
    path = Path(program)
    if not path.exists():
        raise BabysitError(_missing(path))
    importer = pkgutil.get_importer(program)
    if importer is None:
        _check_file(path)
    elif importer.find_spec("__main__") is None:
        raise BabysitError(
            f"{program} has no __main__.py, so python cannot run it; "
            f"give a script inside it, such as {path / 'train.py'}."
        )
    return Target(path=path, module=None, argv=(program, *arguments))


def set_first_path(folder: Path | str, *, always: bool = False) -> None:
    """Put the program's folder where python has put ours, if it has (``-P`` forbids it)."""
    if not sys.flags.safe_path:
        sys.path[:1] = [str(folder)]
    elif always:
        sys.path.insert(0, str(folder))


def _missing(path: Path) -> str:
    folder = path.absolute().parent
    with suppress(OSError):
        names = [neighbour.name for neighbour in folder.iterdir()]
        for near in difflib.get_close_matches(path.name, names, n=1):
            return f"{path} does not exist; did you mean {near}, which {folder} has?"
    return f"{path} does not exist (seen from {Path.cwd()}); give the path of a Python script."


def _check_file(path: Path) -> None:
    if path.suffix == ".ipynb":
        raise BabysitError(
            f"{path} is a notebook, and python runs scripts; convert it with "
            f"'jupyter nbconvert --to script {path}' and run {path.with_suffix('.py')}."
        )
    if not path.is_file():
        return  # A pipe, as in `babysit run <(…)`, can be read but once, and that is to run it.
    try:
        with path.open("rb") as file:
            source = file.read(4096)
            if b"\0" not in source:  # Or it may be a checkpoint of many gigabytes.
                source += file.read()
    except OSError as error:
        raise BabysitError(
            f"{path} cannot be read ({error.strerror}); give a script that you may read."
        ) from None
    if path.suffix == ".pyc":
        _check_bytecode(path, source)
    else:
        _check_source(path, source)


def _check_bytecode(path: Path, bytecode: bytes) -> None:
    if not bytecode.startswith(importlib.util.MAGIC_NUMBER):
        raise BabysitError(
            f"{path} was not compiled by this Python, {sys.version.split()[0]}; "
            "run its source, or compile it again with this one."
        )


def _check_source(path: Path, source: bytes) -> None:
    if b"\0" in source:
        raise BabysitError(f"{path} is not a Python script but binary data; give a .py file.")
    try:
        importlib.util.decode_source(source)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise BabysitError(
            f"{path} cannot be read as text ({error}); save it as UTF-8, or name its encoding "
            "in its first line, such as '# coding: latin-1'."
        ) from None
    if path.suffix in (".py", ".pyw"):
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # They come when it runs, and once is enough.
            compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise BabysitError(
            f"{path} is not a Python script (line {error.lineno}: {error.msg}); "
            "give the .py file to run first, and its own arguments after it."
        ) from None


def _check_module(name: str) -> None:
    """Check what can be known without importing, for an import runs the user's code."""
    top, _, rest = name.partition(".")
    our_path = sys.path[:]
    set_first_path(Path.cwd())
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    finally:
        sys.path[:] = our_path
    if spec is None:
        raise BabysitError(
            f"There is no module named {top!r} in {Path.cwd()} or where Python looks for modules; "
            f"check the name, or give the path of a script instead of '-m {name}'."
        )
    if rest and spec.submodule_search_locations is None:
        raise BabysitError(
            f"'-m {name}' looks for {rest!r} inside {top!r}, which is a module, not a package; "
            f"use '-m {top}'" + (f", or '{name}' without -m." if rest == "py" else ".")
        )

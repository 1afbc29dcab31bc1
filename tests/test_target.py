"""A program that cannot be run is refused early, in one sentence that helps."""

from __future__ import annotations

import importlib.util
import py_compile
import sys
import zipfile
from pathlib import Path

import pytest

from babysit.errors import BabysitError
from babysit.target import resolve

REFUSALS: dict[str, tuple[str, bytes | None, str]] = {
    "a missing file": ("zzz", None, "zzz does not exist .* give the path"),
    "a misspelt file": ("trian.py", None, "did you mean train.py, which .* has"),
    "a folder without __main__.py": ("empty", None, "empty has no __main__.py.* empty/train.py"),
    "a zip without __main__.py": ("empty.zip", None, "empty.zip has no __main__.py"),
    "a notebook": ("a.ipynb", b"{}", "a.ipynb is a notebook.* nbconvert --to script .* run a.py"),
    "a checkpoint": ("model.pt", b"\x80\x02\0\0", "model.pt is not a Python script but binary"),
    "a script with null bytes": ("a.py", b"x = 1\0", "a.py is not a Python script but binary"),
    "a text in an unknown encoding": (
        "a.py",
        b"\n\nx = '\xe9'\n",
        "cannot be read as text .*UTF-8",
    ),
    "a configuration": ("a.yaml", b"lr: 0.1\nx y\n", r"a.yaml is not a Python script \(line 2: "),
    "bytecode of another Python": ("a.pyc", b"\x16\r\r\n", "not compiled by this Python"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_resolve_refuses(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").touch()
    Path("empty").mkdir()
    with zipfile.ZipFile("empty.zip", "w") as archive:
        archive.writestr("other.py", "")
    program, content, message = REFUSALS[case]
    if content is not None:
        Path(program).write_bytes(content)
    with pytest.raises(BabysitError, match=message):
        resolve(program)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module", "There is no module named 'no_such_module' in .* check the name"),
        ("train.py", "'train.py' without -m"),
        ("train.epoch", "'train', which is a module, not a package; use '-m train'"),
    ],
)
def test_resolve_refuses_a_module_without_importing_it(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("raise AssertionError('imported')")
    with pytest.raises(BabysitError, match=message):
        resolve(name, module=True)


def test_a_module_is_found_in_the_current_folder_and_sys_path_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("only_here.py").touch()
    before = sys.path[:]
    target = resolve("only_here", ["-x"], module=True)
    assert (target.module, target.argv, target.label) == (
        "only_here",
        ("-m", "-x"),
        "-m only_here",
    )
    assert sys.path == before


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.py", "this is no Python"),
        ("script_without_suffix", "print(1)"),
        ("latin.py", "# coding: latin-1\nx = '\xe9'"),
    ],
)
def test_resolve_accepts_what_python_would_run(name: str, source: str, tmp_path: Path) -> None:
    program = tmp_path / name
    program.write_text(source, encoding="latin-1")
    target = resolve(str(program), ["--lr", "1"])
    assert (target.path, target.argv) == (program, (str(program), "--lr", "1"))


def test_resolve_accepts_bytecode_of_this_python(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.touch()
    bytecode = tmp_path / "a.pyc"
    py_compile.compile(str(source), str(bytecode))
    assert bytecode.read_bytes().startswith(importlib.util.MAGIC_NUMBER)
    assert resolve(str(bytecode)).path == bytecode


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "a.py"
    program.touch()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BabysitError, match=r"cannot be read \(Permission denied\)"):
        resolve(str(program))

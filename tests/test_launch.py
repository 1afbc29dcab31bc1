"""A launched program cannot tell that it was not started by ``python``.

Each little program runs twice in the same folder, under ``python`` and launched; what it writes
and how it dies must be equal.
"""

from __future__ import annotations

import os
import py_compile
import re
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.launched import CRASHED, DYING, FACTS, FINISHED, HOOK, POOL

SRC = Path(__file__).parents[1] / "src"

LAUNCHER = """
import os, sys
from babysit import launch

def on_end(ending):
    with open(os.environ["ENDINGS"], "a") as file:
        error = type(ending.error).__name__
        print(ending.outcome, ending.exit_code, ending.signal, error, file=file)
    {on_end}

module = sys.argv[1] == "-m"
program, *arguments = sys.argv[2:] if module else sys.argv[1:]
launch.run(launch.resolve(program, arguments, module=module), on_end=on_end)
"""

Result = subprocess.CompletedProcess[str]


class Lab:
    """A folder with programs to run in both ways."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.endings = folder.with_name("endings")

    def write(self, name: str, source: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return path

    def execute(self, command: Sequence[str], **options: Any) -> Result:
        # Without what the environment may say to Python, such as to buffer nothing.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        environment = kept | {"PYTHONPATH": str(SRC), "ENDINGS": str(self.endings)}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.run(
            command,
            **(streams | options),
            cwd=self.folder,
            env=environment,
            encoding="utf-8",
            timeout=60,
        )

    def python(self, *arguments: str, flags: Sequence[str] = (), **options: Any) -> Result:
        return self.execute([sys.executable, *flags, *arguments], **options)

    def launch(
        self, *arguments: str, flags: Sequence[str] = (), on_end: str = "", **options: Any
    ) -> Result:
        launcher = LAUNCHER.format(on_end=on_end)
        return self.execute([sys.executable, *flags, "-c", launcher, *arguments], **options)

    def ending(self) -> str:
        """What the only call of ``on_end`` was told."""
        (line,) = self.endings.read_text().splitlines()
        self.endings.unlink()
        return line

    def compare(self, *arguments: str, **options: Any) -> Result:
        """Run the program in both ways, and assert that nobody can tell the difference."""
        plain = self.python(*arguments, **options)
        launched = self.launch(*arguments, **options)
        assert _normal(launched.stderr) == _normal(plain.stderr)
        assert _normal(launched.stdout) == _normal(plain.stdout)
        assert launched.returncode == plain.returncode
        return launched


def _normal(text: str) -> str:
    """Without addresses, and without the frames of runpy that ``python -m`` shows and we do not."""
    text = re.sub(r'  File "<frozen runpy>", line \d+, in \w+\n', "", text)
    return re.sub(r"\b0x[0-9a-f]+\b", "0x…", text)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    folder = tmp_path / "work"
    folder.mkdir()
    return Lab(folder)


@pytest.mark.parametrize("case", FINISHED)
def test_a_program_finishes_as_under_python_if_it(case: str, lab: Lab) -> None:
    lab.write("a.py", FINISHED[case])
    result = lab.compare("a.py", "--lr", "1e-3", "a b", input="one\ntwo\n")
    if case != "exits at once":
        assert lab.ending() == f"finished {result.returncode} None NoneType"


@pytest.mark.parametrize("case", CRASHED)
def test_a_program_crashes_as_under_python_if_it(case: str, lab: Lab) -> None:
    lab.write("a.py", CRASHED[case])
    lab.write("broken.py", "def f(): 1 / 0\nf()")
    result = lab.compare("a.py")
    outcome, exit_code, _, error = lab.ending().split()
    assert (outcome, int(exit_code)) == ("crashed", result.returncode)
    assert error != "NoneType"


@pytest.mark.parametrize("case", DYING)
def test_a_program_dies_of_the_same_signal_if_it(case: str, lab: Lab) -> None:
    source, signum = DYING[case]
    lab.write("a.py", source)
    assert lab.compare("a.py").returncode == -signum
    assert lab.ending().startswith(f"interrupted {128 + signum} {signum} ")
    if "log.txt" in source:
        assert (lab.folder / "log.txt").read_text() == "kept"


def test_ctrl_c_of_a_program_started_with_m_dies_by_sigint(lab: Lab) -> None:
    lab.write("a.py", "raise KeyboardInterrupt")
    assert lab.compare("-m", "a").returncode == -2


def test_a_signal_that_is_ignored_stays_ignored(lab: Lab) -> None:
    lab.write("a.py", "import os; os.kill(os.getpid(), 1); print('alive')")
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable]
    launched = lab.execute([*command, "-c", LAUNCHER.format(on_end=""), "a.py"])
    assert (launched.stdout, launched.returncode) == ("alive\n", 0)


@pytest.mark.parametrize("program", ["a.py", "./a.py", "sub/../a.py", "{folder}/a.py", "-m a"])
def test_the_program_sees_its_path_as_it_was_written(program: str, lab: Lab) -> None:
    lab.write("a.py", FACTS)
    (lab.folder / "sub").mkdir()
    lab.compare(*program.format(folder=lab.folder).split(), "x")


PACKAGE = FACTS + "from . import part\nfrom .part import x\nprint(x)\nclass A: pass\nprint(A)\n"


@pytest.mark.parametrize("arguments", ["-m pack", "-m pack.inner", "-m pack.imported", "-m fails"])
def test_a_package_runs_as_under_python(arguments: str, lab: Lab) -> None:
    lab.write("pack/__init__.py", "import sys; print('init', sys.argv); from . import imported")
    lab.write("pack/part.py", "x = 1")
    lab.write("pack/imported.py", "")
    lab.write("pack/__main__.py", PACKAGE)
    lab.write("pack/inner.py", PACKAGE + "1 / 0")
    lab.write("fails/__init__.py", "def f(): 1 / 0\nf()")
    lab.compare(*arguments.split(), "x")


@pytest.mark.parametrize("program", ["folder", "./folder/", "{folder}/folder", "a.zip"])
@pytest.mark.parametrize("flags", [[], ["-P"]])
def test_a_folder_or_zip_runs_as_under_python(program: str, flags: list[str], lab: Lab) -> None:
    lab.write("folder/part.py", "def f(): 1 / 0")
    main = lab.write("folder/__main__.py", FACTS + "import part\npart.f()")
    with zipfile.ZipFile(lab.folder / "a.zip", "w") as archive:
        archive.write(main, "__main__.py")
        archive.write(main.with_name("part.py"), "part.py")
    lab.compare(program.format(folder=lab.folder), "x", flags=flags)


def test_a_linked_script_finds_its_neighbours(lab: Lab) -> None:
    lab.write("real/a.py", FACTS + "import neighbour")
    lab.write("real/neighbour.py", "print('found')")
    (lab.folder / "real/link.py").symlink_to("a.py")
    (lab.folder / "link.py").symlink_to("real/link.py")
    assert lab.compare("link.py").returncode == 0


@pytest.mark.parametrize("name", ["mit Leerzeichen.py", "größe_模型.py", "no_suffix"])
def test_the_name_of_a_script_does_not_matter(name: str, lab: Lab) -> None:
    lab.write(name, FACTS + "1 / 0")
    lab.compare(name)


def test_bytecode_runs_as_under_python(lab: Lab) -> None:
    source = lab.write("a.py", FACTS + "def f(): 1 / 0\nf()")
    py_compile.compile(str(source), str(lab.folder / "a.pyc"))
    source.unlink()
    lab.compare("a.pyc")


def test_a_script_can_come_out_of_a_pipe(lab: Lab) -> None:
    read, write = os.pipe()
    os.write(write, b"print('piped')")
    os.close(write)
    result = lab.launch(f"/dev/fd/{read}", pass_fds=[read])
    os.close(read)
    assert (result.stdout, result.stderr, result.returncode) == ("piped\n", "", 0)


@pytest.mark.parametrize(
    "flags", ["-O", "-OO", "-W error", "-W ignore", "-P", "-X dev", "-u", "-B"]
)
def test_flags_of_the_interpreter_pass_through(flags: str, lab: Lab) -> None:
    lab.write(
        "a.py", '"""Doc."""\nassert __debug__' + FACTS + "import warnings\nwarnings.warn('w')"
    )
    lab.compare("a.py", flags=flags.split())


@pytest.mark.parametrize("arguments", [["a.py"], ["-m", "a"], ["folder"]])
@pytest.mark.parametrize("last", ["1 / 0", "sys.exit('message')", "raise KeyboardInterrupt", ""])
def test_both_streams_keep_their_order(arguments: list[str], last: str, lab: Lab) -> None:
    source = f"import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out')\n{last}"
    lab.write("a.py", source)
    lab.write("folder/__main__.py", source)
    plain = lab.python(*arguments, stderr=subprocess.STDOUT)
    launched = lab.launch(*arguments, stderr=subprocess.STDOUT)
    assert launched.stdout == _normal(plain.stdout)


@pytest.mark.parametrize("source", ["print('lost')", "print('lost'); 1 / 0", "raise SystemExit(3)"])
@pytest.mark.parametrize("stdout", ["exec 1>&-", "exec 1>/dev/full"])
def test_a_stdout_that_takes_nothing_is_told_as_under_python(
    source: str, stdout: str, lab: Lab
) -> None:
    lab.write("a.py", source)
    shell = ["sh", "-c", f'{stdout}; exec "$@"', "sh", sys.executable]
    plain = lab.execute([*shell, "a.py"])
    launched = lab.execute([*shell, "-c", LAUNCHER.format(on_end=""), "a.py"])
    assert (launched.stderr, launched.returncode) == (plain.stderr, plain.returncode)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("arguments", ["a.py", "-m pack.a"])
def test_workers_know_the_classes_of_main(arguments: str, method: str, lab: Lab) -> None:
    for name in ("a.py", "pack/a.py"):
        lab.write(name, POOL)
    result = lab.launch(*arguments.split(), method)
    assert (result.stdout, result.stderr) == ("[1, 4, 9]\n", "")
    assert lab.ending() == "finished 0 None NoneType"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_data_loader_know_the_dataset_of_main(method: str, lab: Lab) -> None:
    lab.write(
        "a.py",
        f"""
        import torch

        class Squares(torch.utils.data.Dataset):
            def __len__(self): return 4
            def __getitem__(self, i): return torch.tensor(i * i)

        if __name__ == "__main__":
            loader = torch.utils.data.DataLoader(
                Squares(), num_workers=2, multiprocessing_context="{method}"
            )
            print([int(x) for x in loader])
        """,
    )
    result = lab.launch("a.py")
    assert (result.stdout, result.returncode) == ("[0, 1, 4, 9]\n", 0)
    assert "Traceback" not in result.stderr  # a busy machine may have Python warn of semaphores
    assert lab.ending() == "finished 0 None NoneType"


# --- What is ours


def test_the_report_comes_after_everything_that_the_program_says(lab: Lab) -> None:
    lab.write("a.py", CRASHED["fails with threads and handlers"])
    result = lab.launch("a.py", on_end="print('report', file=sys.stderr)", stderr=subprocess.STDOUT)
    assert result.stdout.splitlines()[-3:] == ["late", "handler", "report"]


@pytest.mark.parametrize(
    ("source", "exit_code"),
    [
        ("", 1),
        ("raise SystemExit(3)", 1),
        ("1 / 0", 1),
        ("import os; os.kill(os.getpid(), 15)", -15),
    ],
)
def test_the_report_may_replace_the_exit_code_but_not_a_signal(
    source: str, exit_code: int, lab: Lab
) -> None:
    lab.write("a.py", source)
    assert lab.launch("a.py", on_end="return 1").returncode == exit_code


@pytest.mark.parametrize("failure", ["1 / 0", "sys.exit(9)"])
def test_a_failing_report_is_told_in_one_line_and_the_exit_code_stands(
    failure: str, lab: Lab
) -> None:
    lab.write("a.py", "raise SystemExit(3)")
    result = lab.launch("a.py", on_end=failure)
    assert result.returncode == 3
    assert re.fullmatch(
        r"babysit failed while reporting \(.*\); .* please report.*\n", result.stderr
    )


def test_ctrl_c_ends_a_report_without_a_traceback(lab: Lab) -> None:
    lab.write("a.py", "")
    result = lab.launch("a.py", on_end="raise KeyboardInterrupt")
    assert (result.stderr, result.returncode) == ("", -2)


def test_sigterm_ends_a_report_at_once(lab: Lab) -> None:
    lab.write("a.py", "")
    result = lab.launch("a.py", on_end="os.kill(os.getpid(), 15)")
    assert result.returncode == -15
    assert lab.ending() == "finished 0 None NoneType"


def test_stop_ends_a_training_cleanly(lab: Lab) -> None:
    lab.write(
        "a.py",
        """
        from babysit.launch import Stop
        try:
            raise Stop
        except Exception:
            print("held")
        finally:
            print("closed")
        """,
    )
    result = lab.launch("a.py")
    assert (result.stdout, result.stderr, result.returncode) == ("closed\n", "", 0)
    assert lab.ending() == "stopped 0 None NoneType"


@pytest.mark.parametrize(
    ("last", "frames"),
    [
        ("call(lambda: theirs(fail))", 4),
        ("raise KeyError from caught()", 3),
        ("try: call(fail)\nexcept ValueError: call(fail)", 4),
        ("raise ExceptionGroup('', [caught(), caught()])", 5),
    ],
)
def test_our_frames_are_in_no_traceback(last: str, frames: int, lab: Lab) -> None:
    lab.write("a.py", HOOK + last)
    stderr = lab.launch("a.py").stderr
    assert re.findall(r'File "(.*?)", line (\d+)', stderr).__len__() == frames
    assert "babysit" not in stderr.replace(str(lab.folder), "")
    assert stderr.count("<string>") == last.count("theirs")


def test_a_module_that_only_its_package_can_miss_is_refused_in_one_sentence(lab: Lab) -> None:
    lab.write("pack/__init__.py", "")
    result = lab.launch("-m", "pack.missing")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("babysit.errors.BabysitError: -m pack.missing cannot be run (No module")
    assert not lab.endings.exists()


def test_a_warning_under_a_transparent_wrapper_is_placed_at_the_caller(lab: Lab) -> None:
    lab.write("library.py", "import warnings\ndef old(): warnings.warn('old', stacklevel=2)")
    lab.write(
        "a.py",
        """
        import library
        from babysit.guard import transparent

        def wrap(function):
            @transparent
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)
            return wrapper

        library.old = wrap(wrap(library.old))
        library.old()  # line 12
        """,
    )
    assert f"{lab.folder / 'a.py'}:12: UserWarning: old" in lab.python("a.py").stderr

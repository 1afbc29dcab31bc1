"""The command line: what it says to its user, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from babysit import __version__, catalogue
from babysit.cli import COMMANDS, main
from babysit.cli.output import write

Result = subprocess.CompletedProcess[str]
Gold = Callable[[str, str], None]
CLINIC = Path(__file__).parents[1] / "clinic"

SICK = """
import sys
import torch

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Softmax(dim=1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(64, 4), torch.arange(64) % 3
for _ in range(40):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
print("arguments", sys.argv[1:])
"""
NO_TRAINING = "import sys\nprint('arguments', sys.argv[1:])\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, 80 columns without colours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return tmp_path


def babysit(*arguments: str, **variables: str) -> Result:
    """`babysit …` in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-m", "babysit", *arguments],
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1", **variables},
        capture_output=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    assert "failed while reporting" not in result.stderr
    return result


def script(source: str, name: str = "train.py") -> str:
    Path(name).write_text(textwrap.dedent(source))
    return name


class Here:
    """`babysit …` in this process, for commands that run no script."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            main(arguments)
        except SystemExit as leave:
            assert isinstance(leave.code, int)
            code = leave.code
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Here:
    return Here(capsys)


# -- misuse: one sentence, exit code 2, and nothing has run ---------------------------------

MISUSES = {
    "a missing script": (["run", "nothing.py"], "nothing.py does not exist"),
    "no script": (["run"], "Missing argument 'SCRIPT'. `babysit run --help` tells more."),
    "not a Python file": (["run", "notes.txt"], "notes.txt is not a Python script (line 1"),
    "a missing module": (["run", "-m", "nosuchmodule"], "There is no module named 'nosuchmodule'"),
    "an unknown option": (["run", "--stop", "3", "train.py"], "No such option '--stop'"),
    "a budget of nothing": (["run", "--budget", "0", "train.py"], "--budget is 0.0; it is the sh"),
    "a budget that is a word": (["run", "--budget", "low", "train.py"], "'low' is not a valid fl"),
    "no steps": (["run", "--steps", "0", "train.py"], "--steps is 0; it counts optimizer steps"),
    "a negative seed": (["run", "--seed", "-1", "train.py"], "--seed is -1; NumPy takes 0 to 429"),
    "an unknown level": (["run", "--fail-on", "all", "train.py"], "'all' is not one of 'error'"),
    "JSON into a missing folder": (
        ["run", "--json", "out/a.json", "train.py"],
        "--json out/a.json lies in a folder that does not exist; make it first with `mkdir -p o",
    ),
    "JSON into a folder": (
        ["run", "--json", ".", "train.py"],
        "--json . is a folder; give a file's path, such as diagnosis.json.",
    ),
    "JSON over another file": (
        ["run", "--json", "notes.txt", "train.py"],
        "--json notes.txt exists and is no diagnosis of babysit, so it will not be overwritten",
    ),
    "an unknown command": (["shwo"], "There is no command 'shwo'. Did you mean `babysit show`?"),
    "a forgotten run": (["train.py"], "To watch a script: `babysit run train.py`."),
    "an unknown rule": (
        ["explain", "softmax"],
        "There is no rule 'softmax'. Did you mean 'softmax-before-cross-entropy' or",
    ),
    "a word that is like no rule": (
        ["explain", "nonsense"],
        "There is no rule 'nonsense'. `babysit rules` lists them all.",
    ),
    "no stored runs": (["show"], "No run is stored in .babysit/. `babysit run SCRIPT` stores one"),
    "no such folder": (["show", "--folder", "x"], "No run is stored in x/."),
}


@pytest.mark.parametrize("arguments, words", MISUSES.values(), ids=MISUSES.keys())
def test_misuse_is_told_in_one_sentence_before_anything_runs(
    here: Here, folder: Path, arguments: list[str], words: str
) -> None:
    script("open('ran', 'w')")
    (folder / "notes.txt").write_text("this is no Python\n")
    code, out, err = here(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("babysit: ")
    assert words in err
    assert err.count("\n") == 1
    assert not (folder / "ran").exists()
    assert not (folder / ".babysit").exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_json_into_a_folder_without_permission_is_refused(here: Here, folder: Path) -> None:
    (folder / "locked").mkdir(mode=0o500)
    code, _, err = here("run", "--json", "locked/a.json", script(NO_TRAINING))
    assert (code, err) == (
        2, "babysit: --json locked/a.json may not be written by you; give another path.\n",
    )  # fmt: skip


def test_a_package_that_cannot_be_run_is_told_in_one_sentence() -> None:
    result = babysit("run", "--no-store", "-m", "xml")
    assert result.returncode == 2
    assert result.stderr.startswith("babysit: -m xml cannot be run")
    assert result.stderr.count("\n") == 1


def test_a_fault_of_ours_is_told_as_ours_without_a_traceback(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("babysit.catalogue.rule", lambda name: [][0])
    monkeypatch.delenv("BABYSIT_RAISE")
    code, out, err = here("explain", "dead-relu")
    assert (code, out) == (2, "")
    assert err.startswith("babysit: A fault of ours (IndexError: list index out of range, babysit ")
    assert err.count("\n") == 1


def test_a_full_disk_is_told_in_one_sentence(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("babysit.cli.rules.say", fail)
    assert here("rules") == (2, "", "babysit: [Errno 28] No space left on device.\n")


# -- help --------------------------------------------------------------------------------------


def test_babysit_alone_prints_its_help(here: Here) -> None:
    assert here() == here("--help")


def test_help_names_every_command_and_cuts_none_of_their_sentences(here: Here) -> None:
    code, out, _ = here("--help")
    assert code == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in out] == []
    assert "..." not in out.split("Commands:")[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help(here: Here, name: str) -> None:
    code, out, _ = here(name, "--help")
    assert code == 0
    assert f"Usage: babysit {name}" in out


def test_the_version_is_told(here: Here) -> None:
    assert here("--version") == (0, f"babysit {__version__}\n", "")


def test_help_loads_neither_torch_nor_numpy_nor_rich() -> None:
    program = "import sys\nfrom babysit.cli import main\nmain(['--help'])\nprint(list(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8")
    loaded = result.stdout.splitlines()[-1]
    assert [name for name in ("torch", "numpy", "rich") if f"'{name}'" in loaded] == []


# -- run: scripts without a training -------------------------------------------------------------


def test_all_after_the_script_is_the_script_s() -> None:
    result = babysit("run", "--no-store", script(NO_TRAINING), "--json", "x", "--", "-m", "--help")
    assert result.stdout == "arguments ['--json', 'x', '--', '-m', '--help']\n"
    assert result.returncode == 0


def test_a_module_is_run_with_all_that_stands_after_it() -> None:
    script(NO_TRAINING, "program.py")
    result = babysit("run", "--no-store", "-m", "program", "--steps", "x")
    assert result.stdout == "arguments ['--steps', 'x']\n"
    assert "━━ babysit ━━ -m program finished in" in result.stderr


def test_the_exit_code_is_the_script_s() -> None:
    result = babysit("run", "--fail-on", "warning", script("raise SystemExit(3)"))
    assert result.returncode == 3
    assert "train.py finished with exit code 3" in result.stderr


def test_an_error_of_the_script_is_shown_as_python_shows_it() -> None:
    result = babysit("run", "--no-store", script("def f():\n    1 / 0\nf()"))
    plain = subprocess.run([sys.executable, "train.py"], capture_output=True, encoding="utf-8")
    traceback, _, _ = result.stderr.partition("\n━━ babysit")
    assert traceback.replace(os.getcwd() + os.sep, "") == plain.stderr.replace(
        os.getcwd() + os.sep, ""
    )
    assert result.returncode == 1


def test_a_script_without_training_is_told_so_on_stderr() -> None:
    result = babysit("run", script(NO_TRAINING))
    assert "No training was seen." in result.stderr
    assert result.stdout == "arguments []\n"


def test_a_missing_torch_is_the_script_s_error_and_our_sentence() -> None:
    Path("torch").mkdir()
    script("raise ImportError(\"No module named 'torch'\")", "torch/__init__.py")
    result = babysit("run", script("import torch"), PYTHONPATH=os.getcwd())
    assert "ImportError: No module named 'torch'\n" in result.stderr
    assert "the script\n  crashed before it had imported torch" in result.stderr
    assert result.returncode == 1


def test_quiet_prints_nothing_of_ours() -> None:
    result = babysit("run", "--quiet", "--json", "a.json", script(NO_TRAINING))
    assert result.stderr == ""
    assert json.loads(Path("a.json").read_text())["findings"] == []


def test_a_script_that_changes_its_folder_still_gets_its_json_where_it_was_asked_for() -> None:
    result = babysit("run", "--json", "a.json", script("import os\nos.chdir('/')"))
    assert result.returncode == 0
    assert json.loads(Path("a.json").read_text())["script"] == "train.py"


def test_an_older_diagnosis_is_replaced() -> None:
    for _ in range(2):
        result = babysit("run", "--no-store", "--json", "a.json", script(NO_TRAINING))
    assert result.returncode == 0
    assert sorted(path.name for path in Path().iterdir()) == ["a.json", "train.py"]


def test_a_pipe_takes_the_json_too(folder: Path) -> None:
    result = babysit("run", "--quiet", "--json", "/dev/stderr", script(NO_TRAINING))
    assert json.loads(result.stderr)["outcome"] == "finished"


def test_writing_that_fails_leaves_the_older_file_and_no_draft(folder: Path) -> None:
    (folder / "a.json").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write(folder / "a.json", "\ud800")
    assert [path.name for path in folder.iterdir()] == ["a.json"]
    assert (folder / "a.json").read_text() == "old"


def test_a_killed_run_is_shown_as_cut(here: Here) -> None:
    killed = babysit("run", script("import os\nos.kill(os.getpid(), 9)"))
    code, out, _ = here("show")
    assert killed.returncode == -9
    assert code == 0
    assert "The record was cut: the process was killed, or it is still running." in out


# -- run: a sick training ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A sick training, watched once, with its folder."""
    folder = tmp_path_factory.mktemp("sick")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        options = ["--json", "a.json", "--fail-on", "error", "--steps", "30", "--seed", "1"]
        return folder, babysit("run", *options, script(SICK), "--lr", "1")


def test_a_sick_training_is_announced_and_reported_on_stderr(sick: tuple[Path, Result]) -> None:
    _, result = sick
    announced, _, report = result.stderr.partition("\n\n")
    assert announced.startswith("babysit: step 0: error softmax-before-cross-entropy: ")
    assert "\nERROR  softmax-before-cross-entropy  certain\n" in report
    assert "Stored: `babysit show " in report


def test_fail_on_turns_a_finding_into_exit_code_1(sick: tuple[Path, Result]) -> None:
    assert sick[1].returncode == 1


def test_steps_stops_the_training_cleanly(sick: tuple[Path, Result]) -> None:
    assert "train.py stopped as asked after 30 steps" in sick[1].stderr
    assert "Traceback" not in sick[1].stderr


def test_json_has_the_finding(sick: tuple[Path, Result]) -> None:
    report = json.loads((sick[0] / "a.json").read_text())
    assert report["findings"][0]["rule"] == "softmax-before-cross-entropy"
    assert (report["steps"], report["outcome"], report["argv"]) == (30, "stopped", ["--lr", "1"])


def test_show_equals_the_live_report(
    sick: tuple[Path, Result], here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sick[0])
    code, out, _ = here("show")
    assert code == 0
    assert out.startswith("\n━━ babysit ━━ train.py stopped")
    assert sick[1].stderr.endswith(out)


def test_show_writes_the_same_json(
    sick: tuple[Path, Result], here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sick[0])
    assert here("show", "--json", "-")[1] == Path("a.json").read_text()
    here("show", "--json", "b.json")
    assert Path("b.json").read_text() == Path("a.json").read_text()


def test_show_finds_a_run_by_the_end_of_its_name_and_in_another_folder(
    sick: tuple[Path, Result], here: Here
) -> None:
    store = sick[0] / ".babysit"
    (name,) = [path.name for path in (store / "runs").iterdir()]
    _, out, _ = here("show", name[-4:], "--folder", str(store))
    assert f"babysit show {name} --folder" in " ".join(out.split())


def test_show_names_the_latest_where_a_run_is_unknown(
    sick: tuple[Path, Result], here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sick[0])
    code, _, err = here("show", "zzzz")
    assert code == 2
    assert re.fullmatch(r"babysit: No run 'zzzz' in .babysit/; the latest is .*-train-.*\.\n", err)


# -- rules, explain, demo ------------------------------------------------------------------------


def test_rules_are_listed_by_family_with_one_sentence_each(here: Here, gold: Gold) -> None:
    code, out, _ = here("rules")
    assert code == 0
    gold("rules.txt", out)


def test_rules_as_json_are_all_there(here: Here) -> None:
    listed = json.loads(here("rules", "--json")[1])["rules"]
    assert {rule["name"] for rule in listed} == set(catalogue.rules())


def test_a_rule_is_explained_with_its_cure(here: Here, gold: Gold) -> None:
    code, out, _ = here("explain", "softmax-before-cross-entropy")
    assert code == 0
    gold("explain-softmax-before-cross-entropy.txt", out)


def test_a_rule_is_explained_with_what_chose_its_limits(here: Here) -> None:
    _, out, _ = here("explain", "Dead_ReLU")
    assert "Limits\n  `max_share` = 0.5 share of a layer's units\n      51 healthy programs" in out


def test_an_explanation_tells_its_remedies_and_introduces_its_prescription(here: Here) -> None:
    out = " ".join(here("explain", "data-not-shuffled")[1].split())
    assert "`shuffle`: Shuffle anew every epoch" in out
    assert "Prescription A program with this fault, and the same program cured: --- sick" in out


def test_what_was_measured_for_a_limit_says_of_what_and_under_which_conditions(here: Here) -> None:
    out = " ".join(here("explain", "weight-decay-too-strong")[1].split())
    assert "Measured: 1 healthy program, the rule's other conditions aside: 0.481." in out
    assert "Measured: a program with this fault: 1.37." in out


@pytest.mark.parametrize("name", catalogue.rules())
def test_no_rule_refers_to_a_command_that_does_not_exist(here: Here, name: str) -> None:
    named = re.findall(r"`babysit (\w+)", here("explain", name)[1])
    assert set(named) <= set(COMMANDS)


def test_a_rule_that_waits_for_experiments_says_so(here: Here) -> None:
    assert "needs experiments: `babysit checkup`" in here("explain", "label-noise")[1]


@pytest.mark.parametrize("name", catalogue.rules())
def test_every_rule_can_be_explained_within_80_columns(here: Here, name: str) -> None:
    code, out, _ = here("explain", name)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80


def test_the_demo_finds_three_faults_and_proves_their_cure(folder: Path) -> None:
    pytest.importorskip("sklearn")
    result = babysit("demo")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\nERROR  ") == 3
    assert "Clean: " in result.stdout
    before, after = re.findall(r"(\d+) % (?:before|after)", result.stdout)
    assert int(after) > int(before) + 20
    assert list(folder.iterdir()) == []


def test_the_demo_names_what_is_not_installed(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babysit.cli.demo.find_spec", lambda name: None)
    code, out, err = here("demo")
    assert (code, out) == (2, "")
    assert "torch and scikit-learn" in err
    assert "-m pip install torch scikit-learn`." in err

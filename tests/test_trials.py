"""Trials run in processes of their own, leave nothing behind, and a bad end is a result."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import pytest

from babysit.changes.data import HoldOut, KeepExamples, SetBatchSize
from babysit.changes.runs import Reseed
from babysit.errors import BabysitError
from babysit.instrument.warm import warm_up
from babysit.session.trying import live
from babysit.target import resolve
from babysit.trial import Trial
from babysit.trials.patients import ScriptPatient
from babysit.trials.pool import Pool
from babysit.trials.shadow import Shadow

SCRIPT = """
import torch
from pathlib import Path
from torch import nn

torch.manual_seed(0)
x = torch.randn(96, 4)
y = (x.sum(1) > 0).long()
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
Path("set-up.txt").write_text("made before the first step")
for step in range(60):
    rows = torch.randint(0, 96, (16,))
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    torch.save(net.state_dict(), "best.pt")
print("done", Path("set-up.txt").read_text())
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Writes a script into an empty folder, which becomes the current one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def write(text: str = SCRIPT) -> ScriptPatient:
        (folder / "train.py").write_text(textwrap.dedent(text))
        return ScriptPatient(resolve("train.py"))

    return write


def pool_for(patient, tmp_path, **options):
    warm_up()
    return Pool(tmp_path / "trials", partial(live, patient), workers=2, **options)


def lives(patient, tmp_path, *trials, **options):
    """The results of trials, one after the other."""
    pool = pool_for(patient, tmp_path, **options)
    results = []
    for trial in trials:
        pool.start(trial)
        results.append(pool.wait())
    return results


class TestAScriptAsPatient:
    def test_a_trial_of_no_changes_repeats_the_training(self, script, tmp_path):
        patient = script()
        first, second = lives(
            patient, tmp_path, Trial(name="a", max_steps=60), Trial(name="b", max_steps=60)
        )
        assert first.outcome == "stopped"
        assert len(first.losses) == 60
        assert first.losses.values.tolist() == second.losses.values.tolist()

    def test_steps_and_seconds_bound_it(self, script, tmp_path):
        patient = script(SCRIPT.replace("range(60)", "range(100_000)"))
        by_steps, by_time = lives(
            patient, tmp_path, Trial(name="steps", max_steps=7),
            Trial(name="time", max_steps=10**6, max_seconds=0.3),
        )  # fmt: skip
        assert by_steps.outcome == "stopped" and by_steps.run.steps == 7
        assert by_time.outcome == "stopped" and by_time.run.steps < 10**5
        assert by_steps.refusal is None
        assert by_time.refusal == (
            f"a trial was too slow: {by_time.run.steps} of 1000000 steps in its time"
        )

    def test_changes_are_applied_inside(self, script, tmp_path):
        [result] = lives(
            script(), tmp_path,
            Trial(name="keep", max_steps=60, changes=(HoldOut(share=0), KeepExamples(size=2))),
        )  # fmt: skip
        assert result.refusal is None
        assert result.noted("training-loss").last < 0.2 * result.noted("training-loss").first

    def test_another_seed_is_another_training_and_the_same_seed_the_same(self, script, tmp_path):
        trials = [
            Trial(name=name, max_steps=20, changes=(Reseed(seed=seed),))
            for name, seed in (("a", 1), ("b", 1), ("c", 2))
        ]
        one, same, other = lives(script(), tmp_path, *trials)
        assert one.losses.values.tolist() == same.losses.values.tolist()
        assert one.losses.values.tolist() != other.losses.values.tolist()

    def test_it_says_why_a_change_does_not_apply(self, script, tmp_path):
        [result] = lives(
            script(), tmp_path, Trial(name="size", max_steps=5, changes=(SetBatchSize(size=8),))
        )
        assert result.refusal == (
            "set-batch-size does not apply: no DataLoader was iterated for training"
        )

    def test_nothing_that_it_writes_reaches_the_disk(self, script, tmp_path):
        patient = script()
        Path("best.pt").write_text("the user's best")
        [result] = lives(patient, tmp_path, Trial(name="a", max_steps=60, is_watched=True))
        assert result.outcome in ("finished", "stopped")
        assert sorted(os.listdir()) == ["best.pt", "train.py"]
        assert Path("best.pt").read_text() == "the user's best"

    def test_what_the_set_up_wrote_is_there_for_later_trials(self, script, tmp_path):
        patient = script(
            SCRIPT.replace(
                'Path("set-up.txt").write_text(',
                'assert Path("set-up.txt").exists() or not Path("marker").exists()\n'
                'Path("marker").write_text("")\nPath("set-up.txt").write_text(',
            )
        )
        pool = pool_for(patient, tmp_path)
        pool.start(Trial(name="base", max_steps=10, is_watched=True))
        pool.share_set_up(pool.wait())
        pool.start(Trial(name="later", max_steps=10))
        assert pool.wait().has_ended

    def test_a_crash_is_a_result_with_its_last_words(self, script, tmp_path):
        [result] = lives(
            script("import torch\nraise ValueError('no data today')"), tmp_path,
            Trial(name="a", max_steps=5),
        )  # fmt: skip
        assert result.outcome == "crashed"
        assert result.refusal == "the trial crashed (ValueError: no data today)"

    def test_a_death_without_words_is_a_result(self, script, tmp_path):
        [result] = lives(
            script("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"), tmp_path,
            Trial(name="a", max_steps=5),
        )  # fmt: skip
        assert result.outcome == "crashed"

    def test_one_that_hangs_is_killed_with_its_children(self, script, tmp_path):
        patient = script(
            """
            import subprocess, sys, time
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            print(child.pid, flush=True)
            time.sleep(600)
            """
        )
        before = time.monotonic()
        pool = pool_for(patient, tmp_path, set_up_seconds=1.0)
        pool.start(Trial(name="a", max_steps=5, max_seconds=0.1))
        pool._running[0].deadline = time.monotonic() + 1.5
        result = pool.wait()
        assert result.outcome == "hanging"
        assert time.monotonic() - before < 30
        child = int(result.why.split()[0])
        with pytest.raises(ProcessLookupError):
            for _ in range(100):
                os.kill(child, 0)
                if Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
                    raise ProcessLookupError
                time.sleep(0.01)

    def test_one_that_takes_too_much_memory_is_ended_whichever_it_is(self, script, tmp_path):
        patient = script(
            """
            import random, time
            time.sleep(0.2)
            if random.random() < 0.5:  # by seed: the first is modest, the second greedy
                block = bytearray(400_000_000)
            time.sleep(60)
            """
        )
        pool = pool_for(patient, tmp_path)
        pool._memory = 200_000_000
        pool.start(Trial(name="modest", max_steps=5, seed=0))  # 0.84
        pool.start(Trial(name="greedy", max_steps=5, seed=1))  # 0.13
        result = pool.wait()
        assert (result.trial.name, result.outcome) == ("greedy", "out of memory")
        pool.cut_off()

    def test_what_runs_can_be_cut_off_and_keeps_what_it_knows(self, script, tmp_path):
        patient = script(SCRIPT.replace("range(60)", "range(10**9)"))
        pool = pool_for(patient, tmp_path)
        pool.start(Trial(name="a", max_steps=10**9))
        record = tmp_path / "trials" / "a" / "rank0.jsonl"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and "step" not in (
            record.read_text() if record.exists() else ""
        ):
            time.sleep(0.02)
        [result] = pool.cut_off()
        assert result.outcome == "cut off"
        assert not pool.running

    def test_a_budget_without_sense_is_refused_in_one_sentence(self):
        with pytest.raises(BabysitError, match="0 steps in 60"):
            Trial(name="a", max_steps=0)


IN_SHADOW = """
import json, os, shutil, sqlite3, sys, tempfile
from pathlib import Path
from babysit.trials.shadow import Shadow
Shadow(Path({own!r}) / "files", Path({own!r})).attach()
{code}
"""


def shadowed(tmp_path: Path, code: str) -> Path:
    """Run lines in a shadow; returns the folder they ran in, with two files of the user's."""
    folder = tmp_path / "user"
    folder.mkdir()
    (folder / "kept.txt").write_text("as it was")
    (folder / "sub").mkdir()
    (folder / "sub" / "deep.txt").write_text("deep")
    own = tmp_path / "own"
    own.mkdir()
    source = IN_SHADOW.format(own=str(own), code=textwrap.dedent(code))
    subprocess.run([sys.executable, "-c", source], cwd=folder, check=True, timeout=60)
    return folder


class TestTheShadow:
    @pytest.mark.parametrize(
        "code",
        [
            'open("new.txt", "w").write("x"); assert open("new.txt").read() == "x"',
            'open("kept.txt", "w").write("x"); assert open("kept.txt").read() == "x"',
            'open("kept.txt", "a").write("!"); assert open("kept.txt").read() == "as it was!"',
            'Path("kept.txt").write_text("x"); assert Path("kept.txt").read_text() == "x"',
            'f = open("kept.txt", "r+"); f.write("AS"); f.close(); '
            'assert open("kept.txt").read() == "AS it was"',
            'os.remove("kept.txt"); assert not os.path.exists("kept.txt")',
            'Path("kept.txt").unlink(); assert not Path("kept.txt").exists()',
            'os.rename("kept.txt", "moved.txt"); assert open("moved.txt").read() == "as it was"\n'
            'assert not os.path.exists("kept.txt")',
            'os.makedirs("a/b/c", exist_ok=True); open("a/b/c/d", "w").write("x")\n'
            'assert os.listdir("a/b/c") == ["d"] and Path("a/b").is_dir()\n'
            'os.makedirs("a/b/c", exist_ok=True)',
            'os.makedirs("sub", exist_ok=True); open("sub/more", "w").write("x")\n'
            'assert sorted(os.listdir("sub")) == ["deep.txt", "more"]',
            'shutil.rmtree("sub")',
            'os.makedirs("sub/x"); open("sub/x/y.pt", "w").close()\n'
            'assert sorted(p.name for p in Path("sub").rglob("*")) == ["deep.txt", "x", "y.pt"]',
            'shutil.copy("kept.txt", "copy.txt"); assert open("copy.txt").read() == "as it was"',
            'n = os.open("raw", os.O_WRONLY | os.O_CREAT); os.write(n, b"x"); os.close(n)\n'
            'assert open("raw").read() == "x"',
            'c = sqlite3.connect("runs.db"); c.execute("create table t (x)"); c.commit()',
            'tempfile.NamedTemporaryFile().write(b"x"); '
            'assert tempfile.gettempdir().startswith(str(Path.cwd().parent / "own"))',
            'os.chmod("kept.txt", 0o777)',
            'json.dump([1], open("log.json", "w"))',
            'open(os.devnull, "w").write("x")',
        ],
    )
    def test_whatever_is_written_stays_there_and_is_found_again(self, tmp_path, code):
        folder = shadowed(tmp_path, code)
        assert sorted(os.listdir(folder)) == ["kept.txt", "sub"]
        assert (folder / "kept.txt").read_text() == "as it was"
        assert (folder / "kept.txt").stat().st_mode & 0o111 == 0
        assert os.listdir(folder / "sub") == ["deep.txt"]

    def test_numpy_torch_and_pathlib_write_there_as_well(self, tmp_path):
        folder = shadowed(
            tmp_path,
            """
            import numpy as np, torch
            np.save("a.npy", np.ones(3)); assert np.load("a.npy").sum() == 3
            np.savez("b.npz", x=np.ones(3))
            Path("checkpoints").mkdir(exist_ok=True)
            """,
        )
        assert sorted(os.listdir(folder)) == ["kept.txt", "sub"]

    def test_a_lower_layer_is_read_but_not_written(self, tmp_path):
        own, beneath = tmp_path / "own", tmp_path / "beneath"
        own.mkdir()
        target = beneath / str(tmp_path / "data.txt").lstrip("/")
        target.parent.mkdir(parents=True)
        target.write_text("prepared")
        source = f"""
from pathlib import Path
from babysit.trials.shadow import Shadow
Shadow(Path({str(own)!r}) / "files", Path({str(own)!r}), (Path({str(beneath)!r}),)).attach()
path = Path({str(tmp_path / "data.txt")!r})
assert path.exists() and path.read_text() == "prepared"
path.write_text("changed")
assert path.read_text() == "changed"
"""
        subprocess.run([sys.executable, "-c", source], check=True, timeout=60)
        assert target.read_text() == "prepared"


def test_the_shadow_is_made_without_touching_this_process(tmp_path):
    before = (open, os.stat, os.mkdir, sqlite3.connect, json.dump)
    Shadow(tmp_path / "files", tmp_path)
    assert (open, os.stat, os.mkdir, sqlite3.connect, json.dump) == before

"""A checkup tries a training out, and says what is sound, what is not and what was not tried."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from benchmarks.cases import ROOT
from torch import nn

import babysit
from babysit import catalogue
from babysit.errors import BabysitError
from babysit.experiment import Answer, Experiment, Lab
from babysit.lab.bench import Bench
from babysit.lab.checkup import Means, experiments
from babysit.run import Run
from babysit.session.checkup import check_up_patient
from babysit.target import resolve
from babysit.trial import Result, Trial
from babysit.trials.patients import ScriptPatient

# What each rule that waits for experiments needs.
NEEDED = {
    "batch-mixing": "neighbours",
    "input-ignored": "without-inputs",
    "labels-carry-no-signal": "shuffled-labels",
    "label-noise": "label-noise",
    "seed-sensitive": "seed-spread",
    "cannot-overfit-small-batch": "overfit-small-batch",
    "gradient-mismatch": "custom-gradients",
}


def found_by(program: Path, *only: str) -> set[str]:
    """The rules that a checkup of a program finds, by these experiments alone."""
    verdict = check_up_patient(ScriptPatient(resolve(str(program))), Means(only=only), folder=None)
    answers = verdict.checkup.answers
    assert [answers[name].verdict for name in only] != ["not tried"], answers
    return {finding.rule for finding in verdict.diagnosis.findings}


@pytest.mark.parametrize("rule", NEEDED)
class TestEveryRuleThatNeedsExperiments:
    def test_finds_its_sickness(self, rule):
        program = ROOT / "clinic" / rule.replace("-", "_") / "sick.py"
        assert rule in found_by(program, NEEDED[rule])

    def test_is_silent_on_the_mended_twin(self, rule):
        program = ROOT / "clinic" / rule.replace("-", "_") / "healthy.py"
        assert rule not in found_by(program, NEEDED[rule])


def test_every_rule_that_needs_experiments_has_one():
    waiting = {name for name, rule in catalogue.rules().items() if rule.needs_checkup()}
    assert waiting == set(NEEDED)
    written = {signal for one in experiments() for signal in one.writes}
    needs = {need for name in waiting for need in catalogue.rules()[name].needs}
    assert needs <= written


def test_every_experiment_asks_a_question_and_says_what_it_does():
    for one in experiments():
        assert one.question.endswith("?"), one
        assert one.summary().endswith("."), one
    orders = [one.order for one in experiments()]
    assert len(set(orders)) == len(orders)


# -- the bench, with trials that cost nothing


class FakePool:
    """Gives each trial its result at once, one after the other."""

    workers, has_room = 2, True

    def __init__(self) -> None:
        self.running: list = []
        self.started: list[Trial] = []

    def start(self, trial):
        self.started.append(trial)
        self.running.append(type("Running", (), {"trial": trial}))
        self.has_room = len(self.running) < self.workers

    def wait(self, on_tick=None):
        trial = self.running.pop(0).trial
        self.has_room = True
        return Result(trial=trial, outcome="finished", seconds=0.1)

    def cut_off(self):
        return []


class Asks(Experiment):
    """Asks for the same trial as others do."""

    question, order, seconds = "?", 1, 0.1

    def __init__(self, name: str, seconds: float = 0.1) -> None:
        self._name, self.seconds = name, seconds

    def name(self) -> str:  # type: ignore[override]
        return self._name

    def cost(self, lab):
        return self.seconds

    def conduct(self, lab):
        [first] = yield [lab.trial("shared")]
        [second] = yield [lab.trial("own", seed=len(self._name))]
        return Answer(verdict="sound", text=f"{first.outcome}, {second.outcome}")


def a_lab(seconds: float = 10.0) -> Lab:
    run = Run()
    run.apply({"event": "training", "training": 1, "name": "t"})
    base = Result(trial=Trial(name="base", max_steps=10), outcome="finished", seconds=1, run=run)
    return Lab(base=base, training=run.trainings[1], tell=run.apply, max_steps=10, seconds=seconds)


class TestTheBench:
    def test_makes_a_trial_once_that_several_experiments_want(self):
        pool = FakePool()
        answers = Bench(pool, a_lab(), lambda _: None).conduct([Asks("a"), Asks("bb")])
        assert [trial.name for trial in pool.started].count("shared") == 1
        assert [answer.text for answer in answers.values()] == ["finished, finished"] * 2

    def test_opens_nothing_that_takes_longer_than_the_time_left(self):
        pool = FakePool()
        long = Asks("long", seconds=1000.0)
        answers = Bench(pool, a_lab(), lambda _: None).conduct([long, Asks("short")])
        assert answers["long"].verdict == "not tried"
        assert "s are left" in answers["long"].text
        assert answers["short"].verdict == "sound"

    def test_begins_no_further_trials_once_the_time_is_over(self):
        pool, lab = FakePool(), a_lab(seconds=0.2)
        waits = pool.wait

        def slow(on_tick=None):
            time.sleep(0.25)
            return waits()

        pool.wait = slow
        answers = Bench(pool, lab, lambda _: None).conduct([Asks("a")])
        assert answers["a"].text.startswith("the time was over")
        assert len(pool.started) == 1

    def test_keeps_what_is_known_when_it_is_interrupted(self):
        pool = FakePool()
        waits = pool.wait

        def interrupted(on_tick=None):
            if len(pool.started) > 2:
                raise KeyboardInterrupt
            return waits()

        pool.wait = interrupted
        bench = Bench(pool, a_lab(), lambda _: None)
        answers = bench.conduct([Asks("a"), Asks("bb"), Asks("ccc")])
        assert bench.is_cut_off
        assert {answer.verdict for answer in answers.values()} == {"not tried"}
        assert bench.results

    def test_shows_its_progress(self):
        seen = []
        Bench(FakePool(), a_lab(), lambda progress: seen.append(progress.busy)).conduct([Asks("a")])
        assert ("shared",) in seen


# -- a model with its loss and data


class TestAModel:
    def test_is_tried_as_a_script_is_and_stays_as_it_was(self):
        torch.manual_seed(0)
        x = torch.randn(256, 8)
        y = (x[:, 0] > 0).long()
        net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
        before = [parameter.clone() for parameter in net.parameters()]
        verdict = babysit.checkup(
            net, nn.CrossEntropyLoss(), (x, y), quiet=True, store=False, seconds=60,
            only=("neighbours", "overfit-small-batch", "shuffled-labels"),
        )  # fmt: skip
        answers = verdict.checkup.answers
        assert {answer.verdict for answer in answers.values()} <= {"sound", "told"}, answers
        assert answers["shuffled-labels"].verdict == "sound"
        assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))
        assert all(parameter.grad is None for parameter in net.parameters())

    def test_with_labels_that_mean_nothing_is_found_out(self):
        torch.manual_seed(0)
        x, y = torch.randn(400, 6), torch.randint(0, 2, (400,))
        net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 2))
        verdict = babysit.checkup(
            net, nn.functional.cross_entropy, (x, y), quiet=True, store=False,
            only=("shuffled-labels",), optimizer=lambda own: torch.optim.Adam(own, lr=1e-2),
        )  # fmt: skip
        assert "labels-carry-no-signal" in {one.rule for one in verdict.diagnosis.findings}

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("net", nn.MSELoss(), ()), "model is a str; checkup takes a torch.nn.Module."),
            ((nn.Linear(1, 1), 3, ()), "loss is a int; checkup takes a function or module."),
            (
                (nn.Linear(1, 1), nn.MSELoss(), (torch.ones(2, 1), torch.ones(3, 1))),
                "inputs and targets differ in length: 2 and 3 examples.",
            ),
            (
                (nn.Linear(1, 1), nn.MSELoss(), iter([])),
                "data is a list_iterator; it takes a DataLoader, a Dataset, (inputs, targets) as "
                "tensors, or an iterable of batches that can be gone through more than once.",
            ),
        ],
    )
    def test_that_cannot_be_tried_is_refused_in_a_sentence(self, arguments, said):
        with pytest.raises(BabysitError) as error:
            babysit.checkup(*arguments, quiet=True, store=False)
        assert str(error.value) == said


# -- the command

SCRIPT = """
import sys, time, torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, :2].sum(1) > 0).long()
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
print("printed by the script")
for step in range(80):
    rows = torch.randint(0, 256, (32,))
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
torch.save(net.state_dict(), "model.pt")
sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
"""


def checkup(folder: Path, *arguments: str, script: str = SCRIPT) -> subprocess.CompletedProcess:
    (folder / "train.py").write_text(textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, "-m", "babysit", "checkup", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
    )  # fmt: skip


class TestTheCommand:
    def test_tells_its_time_first_and_ends_with_questions_and_answers(self, tmp_path):
        only = (
            "--only",
            "neighbours",
            "--only",
            "overfit-small-batch",
            "--only",
            "batch-size-effect",
        )
        done = checkup(tmp_path, *only, "--json", "out.json", "--html", "out.html", "train.py")
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert "at most about 90 s" in lines[0]
        assert "3 experiments, about" in done.stderr
        assert "✓ Does it keep the examples of a batch apart?\n      yes" in done.stderr
        assert "batch-size-effect: no DataLoader" in " ".join(done.stderr.split())
        report = json.loads((tmp_path / "out.json").read_text())
        assert report["schema"] == 1
        verdicts = {one["name"]: one["verdict"] for one in report["checkup"]["answers"]}
        assert verdicts["neighbours"] == "sound"
        assert verdicts["batch-size-effect"] == "not tried"
        assert "batch-mixing" in report["examined"]
        assert "labels-carry-no-signal" in report["not_examined"]
        assert next(one["name"] for one in report["checkup"]["trials"]) == "base"
        assert "Does it keep the examples" in (tmp_path / "out.html").read_text()
        assert not (tmp_path / "model.pt").exists()
        shown = subprocess.run(
            [sys.executable, "-m", "babysit", "show"], cwd=tmp_path, capture_output=True, text=True
        )
        assert "Does it keep the examples of a batch apart?" in shown.stdout
        trials = subprocess.run(
            [sys.executable, "-m", "babysit", "show", "--trials"],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert "stopped after" in trials.stdout and ": as it is" in trials.stdout
        assert "keep-examples(size=10)" in trials.stdout

    def test_exits_as_the_script_does(self, tmp_path):
        done = checkup(tmp_path, "--only", "neighbours", "--quiet", "train.py", "3")
        assert (done.returncode, done.stderr) == (3, "")

    def test_says_what_a_script_that_crashes_said(self, tmp_path):
        done = checkup(tmp_path, "train.py", script="import torch\nopen('no such file')")
        assert done.returncode == 1
        assert "no experiment can be made: the trial crashed (FileNotFoundError" in done.stderr
        assert "Traceback" not in done.stderr

    def test_leaves_models_that_take_turns_alone(self, tmp_path):
        script = """
            import torch
            from torch import nn
            nets = [nn.Linear(4, 2), nn.Linear(4, 2)]
            optimizers = [torch.optim.SGD(net.parameters(), lr=0.1) for net in nets]
            for step in range(30):
                for net, optimizer in zip(nets, optimizers):
                    optimizer.zero_grad()
                    net(torch.randn(8, 4)).square().mean().backward()
                    optimizer.step()
            """
        done = checkup(tmp_path, "train.py", script=script)
        assert "several models train against or beside one another" in done.stderr

    def test_says_that_a_script_does_not_train(self, tmp_path):
        done = checkup(tmp_path, "train.py", script="print('hello')")
        assert done.returncode == 0
        assert "no experiment can be made: the script took no optimizer step" in done.stderr

    def test_ends_at_ctrl_c_with_what_is_known(self, tmp_path):
        (tmp_path / "train.py").write_text(SCRIPT.replace("range(80)", "range(10**9)"))
        process = subprocess.Popen(
            [sys.executable, "-m", "babysit", "checkup", "train.py"],
            cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "experiments, about" in line:
                break
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait() == 130
        assert "Experiments" in rest and "you ended the checkup before" in rest
        assert "Traceback" not in rest

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--only", "nonsense", "train.py"), "There is no experiment 'nonsense'; there are"),
            (("--seconds", "3", "train.py"), "--seconds is 3; a checkup needs 10 or more"),
            (("nowhere.py",), "nowhere.py does not exist"),
            ((), "Missing argument 'SCRIPT'."),
        ],
    )
    def test_refuses_misuse_in_a_sentence(self, tmp_path, arguments, said):
        done = checkup(tmp_path, *arguments)
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1

    def test_lists_the_experiments(self, tmp_path):
        done = checkup(tmp_path, "--list")
        assert [line.split()[0] for line in done.stdout.splitlines()] == [
            one.name() for one in experiments()
        ]

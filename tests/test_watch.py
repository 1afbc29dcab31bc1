"""``babysit.watch()``: it takes itself off, contains its faults, keeps its record."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import babysit
from babysit.errors import BabysitError
from babysit.instrument.names import Names
from babysit.store import segment

TRAIN = """
import os, sys, time, torch
from torch import nn
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(32, 4), torch.randint(0, 2, (32,))
for step in range(int(sys.argv[1])):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
    if step == 50:
        print("going", flush=True)
    if step >= 50:
        time.sleep(0.005)
"""


def train(steps: int = 10, lr: float = 0.1) -> list[float]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    x, y = torch.randn(32, 4), torch.randint(0, 2, (32,))
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def patched_places() -> dict[str, Any]:
    module = torch.nn.modules.module
    optimizer = sys.modules["torch.optim.optimizer"]
    return {
        "functions": [torch.autograd.backward, torch.autograd.grad, F.cross_entropy, F.mse_loss],
        "methods": [
            vars(torch.optim.Optimizer)["__init__"],
            vars(torch.Tensor).get("__eq__"),
            vars(torch.Tensor).get("eq"),
            vars(torch.amp.GradScaler)["scale"],
            vars(torch.utils.data.dataloader._BaseDataLoaderIter)["__next__"],
            vars(torch.autograd.graph.saved_tensors_hooks)["__enter__"],
            torch.nn.utils.clip_grad_norm_,
        ],
        "module hooks": [
            dict(module._global_forward_hooks),
            dict(module._global_forward_pre_hooks),
            dict(module._global_module_registration_hooks),
        ],
        "optimizer hooks": [
            dict(optimizer._global_optimizer_pre_hooks),
            dict(optimizer._global_optimizer_post_hooks),
        ],
        "anomaly": [torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()],
        "finders": list(sys.meta_path),
    }


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = patched_places()
    files = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    with babysit.watch(quiet=True):
        assert patched_places() != before
        train()
    assert patched_places() == before
    if files:
        assert set(os.listdir("/proc/self/fd")) <= files


def test_watching_again_and_again_is_possible_and_each_sees_its_own() -> None:
    for _ in range(3):
        with babysit.watch(quiet=True, store=False) as watching:
            train(7)
        assert watching.run.steps == 7


def test_a_second_watch_inside_the_first_watches_nothing_twice() -> None:
    with babysit.watch(quiet=True, store=False) as outer:
        with babysit.watch(quiet=True, store=False) as inner:
            train(6)
        assert inner.diagnosis is None
    assert outer.run.steps == 6


def test_results_are_the_same_to_the_bit_with_and_without() -> None:
    plain = train(40)
    with babysit.watch(quiet=True, store=False):
        assert train(40) == plain


def test_a_fault_of_ours_is_told_once_and_the_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BABYSIT_RAISE", raising=False)
    plain = train(20)

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("names are out")

    monkeypatch.setattr(Names, "add_root", broken)
    with babysit.watch(store=False) as watching:
        assert train(20) == plain
    said = capsys.readouterr().err
    assert said.count("a fault of ours") == 1
    assert "RuntimeError: names are out" in said
    assert "Please report it, with this line" in said
    assert watching.diagnosis is not None


def test_a_models_memory_is_given_back_while_the_watching_goes_on() -> None:
    def alive() -> int:
        gc.collect()
        return sum(type(thing) is nn.Parameter for thing in gc.get_objects())

    with babysit.watch(quiet=True, store=False):
        train(5)
        before = alive()
        for _ in range(6):
            train(5)
        assert alive() <= before + 2


def test_logged_metrics_become_signals_of_the_training_at_hand() -> None:
    with babysit.watch(quiet=True, store=False) as watching:
        babysit.log(early=1.0)
        train(5)
        babysit.log(val_f1=torch.tensor(0.5), epoch=1)
    logged = watching.run.trainings[1].places("logged")
    assert logged["val_f1"].values.tolist() == [0.5]
    assert logged["early"].values.tolist() == [1.0]


def test_logging_something_that_is_no_number_says_so() -> None:
    with pytest.raises(BabysitError, match=r"babysit\.log\(name=…\) got a str; it takes numbers"):
        babysit.log(name="high")  # type: ignore[arg-type]


def test_scalars_sent_to_a_summary_writer_are_picked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "tensorboardX"
    package.mkdir()
    (package / "__init__.py").write_text("from .writer import SummaryWriter\n")
    (package / "writer.py").write_text(
        "class SummaryWriter:\n"
        "    def add_scalar(self, tag, scalar_value, global_step=None):\n"
        "        self.last = tag\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with babysit.watch(quiet=True, store=False) as watching:
        import tensorboardX

        train(4)
        writer = tensorboardX.SummaryWriter()
        writer.add_scalar("Loss/val", 0.25, 4)
    assert writer.last == "Loss/val"
    assert watching.run.trainings[1].places("logged")["Loss/val"].values.tolist() == [0.25]
    assert tensorboardX.SummaryWriter.add_scalar.__module__ == "tensorboardX.writer"
    assert not hasattr(tensorboardX.SummaryWriter.add_scalar, "__wrapped__")


def test_trainings_in_two_threads_are_told_apart() -> None:
    def fit(size: int) -> None:
        model = nn.Linear(size, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(30):
            optimizer.zero_grad()
            F.cross_entropy(model(torch.randn(8, size)), torch.randint(0, 2, (8,))).backward()
            optimizer.step()

    with babysit.watch(quiet=True, store=False) as watching:
        threads = [threading.Thread(target=fit, args=(size,)) for size in (3, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(t.steps for t in watching.run.trainings.values()) == [30, 30]


def test_warnings_of_wrapped_functions_point_at_the_users_line() -> None:
    with babysit.watch(quiet=True, store=False), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        F.mse_loss(torch.zeros(4, 1), torch.zeros(4))
    assert caught[0].filename == __file__


def test_a_killed_run_can_be_read_up_to_its_last_record(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TRAIN)
    command = [sys.executable, "-m", "babysit", "run", "--quiet", str(script), "100000"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "going\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, run = segment.load(tmp_path / ".babysit", None)
    assert run.is_cut
    assert run.trainings[1].steps > 50
    assert len(run.trainings[1].series("loss")) == run.trainings[1].steps


@pytest.mark.parametrize("cut", [1, 5, 17])
def test_a_record_with_a_cut_last_line_loses_only_that_line(tmp_path: Path, cut: int) -> None:
    writer = segment.Segment(tmp_path / "runs" / "one" / "rank0.jsonl")
    for step in range(4):
        writer.write([{"event": "step", "training": 1, "step": step, "values": {"loss": 1.0}}])
    writer.close()
    text = writer.path.read_bytes()
    writer.path.write_bytes(text[:-cut])
    assert [event["step"] for event in segment.read(writer.path)] == [0, 1, 2]


def test_a_full_disk_is_told_once_and_the_watching_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with babysit.watch() as watching:
        monkeypatch.setattr(segment.Segment, "write", full)
        train(6)
    assert capsys.readouterr().err.count("cannot be stored") == 1
    assert watching.run.steps == 6


def test_a_last_step_by_hand_that_shows_at_the_end_stops_nothing(tmp_path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\n"
        "w = torch.zeros(3, requires_grad=True)\n"
        "for step in range(5):\n"
        "    loss = ((w - 1) ** 2).sum()\n"
        "    (gradient,) = torch.autograd.grad(loss, [w])\n"
        "    with torch.no_grad():\n"
        "        w -= 0.1 * gradient\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "babysit", "run", "--no-store", "--steps", "5", str(script)],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0
    assert "failed" not in done.stderr
    assert "after 5 steps" in done.stderr

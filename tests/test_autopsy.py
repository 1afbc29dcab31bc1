"""Autopsies: the birth of a bad value in each phase; copies of the process that harm nothing."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import babysit
from babysit import autopsy
from babysit.autopsy import Autopsy
from babysit.instrument import emitter, watcher
from babysit.instrument.pacing import Schedule
from babysit.instrument.vigilance import sizes_of
from babysit.run import Training
from babysit.stable_forms import stable_line

DATA = torch.randn(32, 5, generator=torch.Generator().manual_seed(0))


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))


def examined(train: Callable[[], object]) -> tuple[Autopsy, set[str]]:
    """The autopsy of a program, and the rules that found something."""
    with babysit.watch(quiet=True, store=False) as watching:
        train()
    assert watching.run is not None
    assert watching.diagnosis is not None
    found = autopsy.of(next(iter(watching.run.trainings.values())))
    assert found is not None
    return found, {finding.rule for finding in watching.diagnosis.findings}


def steps(loss_of: Callable[[nn.Module, int], Tensor], num: int = 6, lr: float = 0.05) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for step in range(num):
        optimizer.zero_grad()
        loss_of(model, step).backward()  # type: ignore[no-untyped-call]  # PyTorch's
        optimizer.step()


def test_a_logarithm_of_zero_is_found_with_what_made_the_zero() -> None:
    def loss_of(model: nn.Module, step: int) -> Tensor:
        p = torch.sigmoid(model(DATA) - (200 if step == 3 else 0))
        return -torch.log(p).mean()

    found, rules = examined(lambda: steps(loss_of))
    assert (found.op, found.phase, found.step) == ("log", "forward", 3)
    assert found.place is not None and found.place.code == "return -torch.log(p).mean()"
    assert found.key["value"] == 0 and found.birth["made_by"]["op"] == "sigmoid"
    assert found.is_exact and "non-finite-loss" in rules


def test_a_root_of_zero_is_found_in_the_backward_by_its_forward_line() -> None:
    def loss_of(model: nn.Module, step: int) -> Tensor:
        return (model(DATA) * (step < 2)).square().sum().sqrt()

    found, rules = examined(lambda: steps(loss_of))
    assert (found.op, found.phase, found.step) == ("sqrt", "backward", 2)
    assert found.place is not None and ".sqrt()" in str(found.place.code)
    assert "non-finite-gradient" in rules


def test_a_division_in_the_update_is_found_there() -> None:
    def train() -> None:
        weight = nn.Parameter(torch.tensor([1.0, 2.0]).half())
        optimizer = torch.optim.Adam([weight], lr=1e-3)
        for _ in range(3):
            optimizer.zero_grad()
            (weight * torch.tensor([0.0, 1.0]).half()).sum().backward()  # type: ignore[no-untyped-call]  # PyTorch's
            optimizer.step()

    found, rules = examined(train)
    assert found.phase == "optimizer" and found.step == 0
    assert "addcdiv" in found.op and "non-finite-parameter" in rules


def test_bad_data_are_found_with_the_examples_that_hold_them() -> None:
    data = DATA.clone()
    data[19, 2] = float("nan")
    loader = DataLoader(TensorDataset(data), batch_size=8)

    def train() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for (batch,) in loader:
            optimizer.zero_grad()
            model(batch).square().mean().backward()
            optimizer.step()

    found, rules = examined(train)
    assert found.arrived == "data" and 19 in found.birth["examples"]
    assert "(example 19)" in found.sentence and "non-finite-input" in rules


def test_a_softmax_over_a_masked_row_is_told_from_a_mask_that_leaves_something() -> None:
    def loss_of(model: nn.Module, step: int) -> Tensor:
        scores = (model(DATA) @ model(DATA).T)[:4, :4]
        mask = torch.ones(4, 4).triu(0 if step == 2 else 1).bool()
        return scores.masked_fill(mask, float("-inf")).softmax(1).square().sum()

    found, _ = examined(lambda: steps(loss_of))
    assert (found.op, found.step, found.key["value"]) == ("softmax", 2, float("-inf"))


def test_infinities_that_are_meant_are_no_event() -> None:
    def loss_of(model: nn.Module, step: int) -> Tensor:
        scores = (model(DATA) @ model(DATA).T)[:4, :4]
        mask = torch.ones(4, 4).triu(1).bool()
        return scores.masked_fill(mask, float("-inf")).softmax(1).square().sum()

    with babysit.watch(quiet=True, store=False) as watching:
        steps(loss_of)
        assert torch.tensor(float("inf")).item() > 0
    assert watching.run is not None
    training = next(iter(watching.run.trainings.values()))
    assert autopsy.of(training) is None


def test_a_value_that_is_nan_in_an_evaluation_only_is_found() -> None:
    def train() -> None:
        model = net()
        steps(lambda model, step: model(DATA).square().mean())
        with torch.no_grad():
            spread = (model(DATA) * 0).sum(0) / (DATA[:, 0] > 99).sum()
        assert spread.item() != 0

    found, rules = examined(train)
    assert (found.op, found.phase) == ("div", "evaluation")
    assert found.cause(Training()) == "division"
    assert "non-finite-loss" in rules


@pytest.mark.parametrize(
    ("code", "op", "better"),
    [
        ("loss = -torch.log(p).mean()", "log", "loss = -torch.log(p.clamp_min(1e-08)).mean()"),
        ("x = torch.log(torch.softmax(z, 1))", "log", "x = torch.log_softmax(z, 1)"),
        ("return x / x.norm()", "div", "return x / (x.norm() + 1e-08)"),
        ("d = ((a - b) ** 2).sum().sqrt()", "sqrt", "d = ((a - b) ** 2).sum().add(1e-12).sqrt()"),
        ("y = x.log() + z.log()", "log", None),
        ("if x > 0:", "log", None),
    ],
)
def test_a_line_is_mended_where_it_is_sure_what_to_mend(
    code: str, op: str, better: str | None
) -> None:
    assert stable_line(code, op) == better


# -- copies of the process ---------------------------------------------------------------

PROGRAM = """
    import atexit, os, sys, numpy, torch
    from pathlib import Path
    torch.manual_seed(0)
    source = open("lines.txt")
    log = open("log.txt", "a")
    counts = numpy.memmap("counts.dat", dtype="int8", mode="w+", shape=12)
    w = torch.ones(4, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    for step in range(12):
        log.write(f"{step} {source.readline().strip()}\\n")
        log.flush()
        counts[step] += 1
        Path(f"step{step}.txt").write_text(str(len(os.listdir("."))))
        torch.save(w, "w.pt")
        noise = torch.randn(4)
        loss = torch.log((w * noise).square() * (step != 7)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, loss.item(), torch.rand(1).item(), flush=True)
    print(source.read())
    atexit.register(lambda: print("bye", flush=True))
"""


def run(folder: Path, *options: str, watched: bool = True) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(textwrap.dedent(PROGRAM))
    (folder / "lines.txt").write_text("".join(f"line {number}\n" for number in range(40)))
    command = ["-m", "babysit", "run", *options, "train.py"] if watched else ["train.py"]
    return subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=True
    )


def test_a_second_life_leaves_no_trace_outside(tmp_path: Path) -> None:
    plain, watched = tmp_path / "plain", tmp_path / "watched"
    before, after = run(plain, watched=False), run(watched, "--no-store")
    assert "`log` at train.py:17 received 0" in after.stderr.replace("\n  ", " ")
    assert after.stdout == before.stdout
    for path in sorted(plain.iterdir()):
        assert (watched / path.name).read_bytes() == path.read_bytes(), path.name
    assert {p.name for p in watched.iterdir()} == {p.name for p in plain.iterdir()}


def test_the_black_box_makes_the_value_again_alone(tmp_path: Path) -> None:
    run(tmp_path)
    (box,) = tmp_path.glob(".babysit/runs/*/blackbox")
    assert json.loads((box / "event.json").read_text())["birth"]["op"] == "log"
    assert torch.load(box / "random.pt", weights_only=True)["torch"].numel() > 0
    again = subprocess.run(
        [sys.executable, str(box / "reproduce.py")], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert "-inf at (0,), 4 of 4 values" in again.stdout
    shown = subprocess.run(
        [sys.executable, "-m", "babysit", "show", "--blackbox"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert {Path(line).name for line in shown.stdout.split()} >= {"reproduce.py", "event.pt"}


def test_the_black_box_can_be_refused(tmp_path: Path) -> None:
    done = run(tmp_path, "--no-blackbox")
    assert "`log` at train.py:17" in done.stderr.replace("\n  ", " ")
    assert not list(tmp_path.glob(".babysit/runs/*/blackbox"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="copies are made on Linux only")
def test_copies_end_with_the_watch() -> None:
    before = children()
    with babysit.watch(quiet=True, store=False):
        steps(lambda model, step: model(DATA).square().mean())
        assert len(children()) > len(before)
    assert children() == before


def children() -> set[str]:
    """Processes that this one has started."""
    path = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return set(path.read_text().split())


def test_a_rate_that_is_nan_is_what_the_update_received() -> None:
    def train() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for step in range(6):
            optimizer.param_groups[0]["lr"] = 0.05 if step < 3 else float("nan")
            optimizer.zero_grad()
            model(DATA).square().mean().backward()
            optimizer.step()

    found, rules = examined(train)
    assert found.phase == "optimizer" and np.isnan(found.key["value"])
    assert found.remedies(Training()) == (autopsy.BAD_RATE,)
    assert "non-finite-parameter" in rules


def test_what_a_closure_computes_is_no_part_of_the_update() -> None:
    def train() -> None:
        model, calls = net(), [0]
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)

        def closure() -> Tensor:
            calls[0] += 1
            optimizer.zero_grad()
            loss = torch.log(model(DATA).square().mean() * (calls[0] < 5))
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
            return loss

        for _ in range(3):
            optimizer.step(closure)  # type: ignore[no-untyped-call]  # PyTorch's

    found, _ = examined(train)
    assert (found.op, found.phase) == ("log", "forward")


def test_a_whole_number_that_divides_is_an_operand() -> None:
    def train() -> None:
        steps(lambda model, step: model(DATA).square().mean())
        hits = (DATA > 9).sum(0) / torch.tensor([3, 0, 3, 3, 3])
        hits.mean().item()

    found, _ = examined(train)
    assert (found.op, found.key["value"], found.key["dtype"]) == ("div", 0, "float32")
    assert "to divide by 0" in found.sentence


def test_an_outlier_in_the_targets_is_no_matter_of_the_rate() -> None:
    target = torch.zeros(32, 1)
    target[3] = 1e25

    def loss_of(model: nn.Module, step: int) -> Tensor:
        return (model(DATA) - target * (step == 3)).square().mean()

    found, _ = examined(lambda: steps(loss_of))
    assert (found.step, found.cause(Training())) == (3, "data")
    assert found.remedies(Training()) == (autopsy.OUTLIERS,)


def test_of_two_trainings_the_one_at_fault_is_told_in_its_own_steps() -> None:
    models = net(), net()
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.05) for model in models]
    with babysit.watch(quiet=True, store=False) as watching:
        for step in range(12):
            for number, (model, optimizer) in enumerate(zip(models, optimizers, strict=True)):
                optimizer.zero_grad()
                is_bad = number == 0 and step == 7
                (model(DATA) * (not is_bad)).square().sum().sqrt().backward()
                optimizer.step()
    assert watching.run is not None
    first, second = watching.run.trainings[1], watching.run.trainings[2]
    found = autopsy.exact(first)
    assert found is not None and (found.op, found.step) == ("sqrt", 7)
    assert autopsy.of(second) is None


def test_a_copy_that_only_waits_is_given_up() -> None:
    """The thread that fills the queue did not come along; the first copy has one of its own."""

    def train() -> None:
        filled: queue.Queue[Tensor] = queue.Queue()
        go = threading.Event()

        def fill() -> None:
            for step in range(6):
                if step:
                    go.wait()
                    go.clear()
                filled.put(DATA * (step != 3))

        threading.Thread(target=fill, daemon=True).start()

        def loss_of(model: nn.Module, step: int) -> Tensor:
            batch = filled.get()
            go.set()
            return (torch.log(batch.abs().sum()) + model(batch).sum()).square()

        steps(loss_of)

    started = time.perf_counter()
    with babysit.watch(quiet=True, store=False) as watching:
        train()
    assert time.perf_counter() - started < 15  # else each of two copies has 20 s
    assert watching.run is not None and autopsy.of(watching.run.trainings[1]) is not None


def asks_before(loss: Tensor) -> bool:
    if torch.isnan(loss) | loss.isinf():
        return True
    loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
    return False


def asks_after(loss: Tensor) -> bool:
    loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
    return not torch.isfinite(loss)


@pytest.mark.parametrize("gives_up", [asks_before, asks_after])
def test_a_script_that_gives_up_at_such_a_loss_is_told_why(
    gives_up: Callable[[Tensor], bool],
) -> None:
    def train() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for step in range(6):
            optimizer.zero_grad()
            loss = torch.log(torch.sigmoid(model(DATA) - (200 if step == 3 else 0))).mean()
            if gives_up(loss):
                break
            optimizer.step()

    found, rules = examined(train)
    assert (found.op, found.is_exact) == ("log", True)
    assert "non-finite-loss" in rules


def test_the_chain_before_an_overflow_says_what_grew_since_when_and_under_which_rate() -> None:
    def train() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for step in range(400):
            optimizer.param_groups[0]["lr"] = 0.5 if step > 200 else 0.01
            loss = (model(DATA).square() - DATA[:, :1]).square().mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # PyTorch's
            if not torch.isfinite(loss):
                break
            optimizer.step()

    with babysit.watch(quiet=True, store=False) as watching:
        train()
    assert watching.run is not None and watching.diagnosis is not None
    (message,) = (
        f.message for f in watching.diagnosis.findings if f.rule == "non-finite-loss"
    )  # fmt: skip
    training = watching.run.trainings[1]
    losses, last = training.series("loss"), training.steps
    (began,) = re.findall(r"the loss had been growing since step (\d+)", message)
    before, after = losses.values[: int(began)], losses.values[int(began) :]
    assert 0 < int(began) < last and after[0] > 2 * np.median(before) >= before[-1]
    assert re.search(r"had grown since step \d+ to .* times its first size under", message)
    assert f"rate of {training.series('learning-rate', '0').last:.3g}"[:12] in message


def test_what_comes_before_a_crash_is_looked_at_step_by_step() -> None:
    """Sampling tightens once the loss leaps, weights grow or an operand comes near an edge."""
    schedule = Schedule()
    schedule.due = 1000
    for step in range(50):
        assert not schedule.heed(step, {"loss": 1.0 + step % 2, "weights": 0.1})
    assert schedule.heed(50, {"loss": 1.0, "weights": 0.3}) and schedule.due == 50
    assert schedule.heed(51, {"loss": 90.0}) and schedule.due == 51
    at_edge = sizes_of({"closest-operand": {"Exp 0": 70.0}, "half-peak": {"Mm 0": 9.0}})
    assert schedule.heed(52, at_edge)
    assert schedule.heed(53, sizes_of({"half-peak": {"Mm 0": 9000.0}}))
    assert not schedule.heed(54, sizes_of({"closest-operand": {"Exp 0": 7.0}}))
    alarms = sum(schedule.heed(55 + step, at_edge) for step in range(100))
    assert alarms < 20  # a program that always works near an edge is not slowed down for ever


@pytest.mark.skipif(not hasattr(torch.compiler, "set_stance"), reason="torch before 2.6")
def test_compiled_code_is_gone_through_as_it_was_written() -> None:
    def train() -> None:
        model = torch.compile(net(), backend="eager")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for step in range(6):
            optimizer.zero_grad()
            p = torch.sigmoid(model(DATA) - (200 if step == 3 else 0))
            torch.log(p).mean().neg().backward()  # type: ignore[no-untyped-call]  # PyTorch's
            optimizer.step()

    found, _ = examined(train)
    assert found.is_exact and (found.op, found.step) == ("log", 3)


def test_values_that_waited_on_their_device_are_asked_about_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a GPU: the loss stays a tensor, and steps are fetched in batches."""
    monkeypatch.setattr(emitter, "is_far", lambda tensor: True)
    monkeypatch.setattr(watcher.LossWatch, "value", lambda _, tensors: tensors[0].detach())
    monkeypatch.setattr(watcher, "is_bad", lambda value: False)

    def loss_of(model: nn.Module, step: int) -> Tensor:
        p = torch.sigmoid(model(DATA) - (200 if step == 13 else 0))
        return -torch.log(p).mean()

    found, rules = examined(lambda: steps(loss_of, num=50))
    assert (found.op, found.step, found.is_exact) == ("log", 13, True)
    assert "non-finite-loss" in rules


def test_a_norm_that_overflows_is_no_bad_gradient() -> None:
    def loss_of(model: nn.Module, step: int) -> Tensor:
        factor = 1e25 if step == 3 else 1.0
        return (factor * model(DATA)).mean()

    with babysit.watch(quiet=True, store=False) as watching:
        steps(loss_of, lr=1e-30)
    assert watching.run is not None
    (training,) = watching.run.trainings.values()
    assert np.isinf(training.series("gradient-norm").values).any()
    assert "autopsy" not in training.facts

"""What watching costs: step times side by side in one interleaved run; writes docs/cost.md.

In one process a training takes turns of a fraction of a second: plain (every hook and patch is
taken off), watched, plain, under detect_anomaly, plain. Each turn is compared with the mean of
the plain ones around it, so that a drift of the machine hits all alike; the table shows the
medians of these ratios. A few steps after each change are not counted: Python forgets what it had
learnt of methods when any is replaced. Copies of the process are too rare for a median to tell of
them: what one costs is measured alone, and its share of the time to the next one is added.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cost.md"
VARIANTS = ("watched", "detect_anomaly")
ROUNDS, TURN_SECONDS, WARM_UP_STEPS = 50, 0.25, 300
COPIES, STEPS_AFTER_COPY = 9, 10


class Toggle:
    """A watch that can be taken off and put back on, going on where it was."""

    def __init__(self) -> None:
        import babysit

        session: Any = babysit.watch(quiet=True)._session
        self._watcher = session._watcher
        self._off_since = 0.0

    def off(self) -> None:
        self._off_since = time.perf_counter()
        self._watcher.lens.disarm()
        self._watcher.active = False
        self._watcher._patches.undo()

    def on(self) -> None:
        """Put everything back; time without a watch does not add to its budget."""
        off = time.perf_counter() - self._off_since
        self._watcher.pacer.started += off
        self._watcher.inquest.snapshots.postpone(off)
        self._watcher.attach()
        self._watcher.lens.disarm()  # a first look is for a beginning, this goes on

    def share_of_copies(self, step: Callable[[], None]) -> float:
        """What copies of the process cost with the steps after them, as a share of the time."""
        snapshots, extra = self._watcher.inquest.snapshots, []
        for _ in range(COPIES):
            usual = turn(step, STEPS_AFTER_COPY)
            started = time.perf_counter()
            snapshots.take(0)
            turn(step, STEPS_AFTER_COPY)
            extra.append(time.perf_counter() - started - usual)
        return statistics.median(extra) / snapshots.pause


def turn(step: Callable[[], None], steps: int) -> float:
    started = time.perf_counter()
    for _ in range(steps):
        step()
    return time.perf_counter() - started


def settled(step: Callable[[], None], steps: int) -> float:
    """Seconds for so many steps, after some that are not counted."""
    turn(step, max(2, steps // 10))
    return turn(step, steps)


def measure(program: str) -> dict[str, float]:
    """Median plain step time in ms, and the medians of the ratios to it."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    toggle = Toggle()
    from benchmarks.programs import PROGRAMS

    step = PROGRAMS[program]()
    turn(step, 10)
    steps = max(2, int(TURN_SECONDS / (turn(step, 10) / 10)))
    turn(step, min(WARM_UP_STEPS, 8 * steps))
    toggle.off()
    plain = [settled(step, steps)]
    ratios: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for variant in VARIANTS * ROUNDS:
        if variant == "watched":
            toggle.on()
        torch.autograd.set_detect_anomaly(variant == "detect_anomaly")
        seconds = settled(step, steps)
        torch.autograd.set_detect_anomaly(False)
        if variant == "watched":
            toggle.off()
        plain.append(settled(step, steps))
        ratios[variant].append(2 * seconds / (plain[-2] + plain[-1]))
    medians = {variant: statistics.median(found) for variant, found in ratios.items()}
    toggle.on()
    medians["copies"] = toggle.share_of_copies(step)
    medians["watched"] += medians["copies"]
    return {"ms": 1000 * statistics.median(plain) / steps, **medians}


def peak_memory() -> float:
    """This process's peak memory in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def growth(watched: str, steps: int = 10_000) -> float:
    """Growth of the peak memory over so many steps, in MiB."""
    import babysit
    from benchmarks.programs import PROGRAMS

    if watched == "watched":
        babysit.watch(quiet=True)
    step = PROGRAMS["MLP, 2 ms"]()
    turn(step, 300)
    before = peak_memory()
    turn(step, steps)
    return peak_memory() - before


def in_child(function: str, argument: str) -> Any:
    """The result of one of this module's functions in a process and folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.cost", function, argument],
            cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    return json.loads(done.stdout)


def help_seconds() -> float:
    """Median wall time of `babysit --help`."""
    times = []
    for _ in range(7):
        started = time.perf_counter()
        command = [sys.executable, "-m", "babysit", "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def diagnosis_seconds(steps: int = 10_000) -> float:
    """Time of a diagnosis of a record of so many steps, ten layers, 250 samples."""
    from babysit.diagnosis import diagnose
    from babysit.run import Run

    run = Run()
    run.apply({"event": "training", "training": 1, "name": "training"})
    names = [f"layers.{index}.weight" for index in range(10)]
    parameters = [{"name": name, "shape": [64, 64], "layer": name[:-7]} for name in names]
    run.apply({"event": "parameters", "training": 1, "parameters": parameters})
    for step in range(steps):
        values = {"loss": 2.0 * 0.9997**step, "gradient-norm": 1.0, "step-seconds": 0.002}
        run.apply({"event": "step", "training": 1, "step": step, "values": values})
        if step % 40 == 0:
            by_place = {"weight-rms": 0.1, "gradient-rms": 1e-3, "update-rms": 1e-4}
            sample = {signal: dict.fromkeys(names, value) for signal, value in by_place.items()}
            run.apply({"event": "sample", "training": 1, "step": step, "values": sample})
    diagnose(run)
    started = time.perf_counter()
    diagnose(run)
    return time.perf_counter() - started


def circumstances() -> str:
    """When and on what the figures of a page were measured."""
    import torch

    return (
        f"Measured by `make bench` on {datetime.date.today()}: {platform.machine()}, "
        f"{os.cpu_count()} shared cores, Python {platform.python_version()}, torch "
        f"{torch.__version__}, one thread."
    )


def main() -> None:
    """Measure all, print the table as it grows, write the page."""
    from benchmarks.programs import PROGRAMS

    lines = [
        "# What watching costs",
        "",
        f"{circumstances()} Median of {ROUNDS} ratios, each of a turn to the plain ones before "
        "and after it, in one process and in steady state; the share of the copies of the "
        "process, that an autopsy goes on from, is measured alone and included.",
        "",
        "| training | plain step | watched | of that, copies | detect_anomaly |",
        "|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for program in PROGRAMS:
        found = in_child("measure", program)
        row = (
            f"| {program} | {found['ms']:.1f} ms | ×{found['watched']:.3f} "
            f"| {found['copies']:.2%} "
            f"| ×{found['detect_anomaly']:.2f} |"
        )
        print(row, flush=True)
        lines.append(row)
    watched, plain = in_child("growth", "watched"), in_child("growth", "plain")
    notes = [
        "",
        f"- Peak memory over 10,000 further steps grew by {watched:.1f} MiB watched, "
        f"{plain:.1f} MiB plain.",
        f"- `babysit --help`: {help_seconds():.2f} s.",
        f"- Diagnosis of 10,000 recorded steps: {diagnosis_seconds():.3f} s.",
    ]
    print("\n".join(notes))
    PAGE.write_text("\n".join([*lines, *notes]) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps({"measure": measure, "growth": growth}[sys.argv[1]](sys.argv[2])))
    else:
        main()

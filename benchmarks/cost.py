"""What watching costs: step times side by side in one interleaved run; writes docs/cost.md.

Every program runs in three processes, plain, watched and under detect_anomaly, which take turns
of a fraction of a second. Each round gives one ratio, so that a drift of the machine hits all
alike; the table shows the median of the ratios.
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
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cost.md"
VARIANTS = ("plain", "watched", "detect_anomaly")
ROUNDS, TURN_SECONDS, WARM_UP_STEPS = 15, 0.6, 60


def worker(program: str, variant: str) -> None:
    """Run turns as they are asked for: a line with a number of steps in, seconds out."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    if variant == "watched":
        import babysit

        babysit.watch(quiet=True)
    elif variant == "detect_anomaly":
        torch.autograd.set_detect_anomaly(True)
    from benchmarks.programs import PROGRAMS

    step = PROGRAMS[program]()
    for _ in range(WARM_UP_STEPS):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            step()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps([time.perf_counter() - started, memory]), flush=True)


class Worker:
    """A worker process and the way to ask it."""

    def __init__(self, program: str, variant: str, folder: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.cost", "--worker", program, variant],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self._pipe(self.process.stdout).readline()

    @staticmethod
    def _pipe(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream

    def turn(self, steps: int) -> tuple[float, float]:
        """Seconds for so many steps, and the process's peak memory in MiB."""
        print(steps, file=self._pipe(self.process.stdin), flush=True)
        seconds, memory = json.loads(self._pipe(self.process.stdout).readline())
        return seconds, memory

    def close(self) -> None:
        self._pipe(self.process.stdin).close()
        self.process.wait()


def measure(program: str) -> dict[str, float]:
    """Median step time and the medians of the ratios to the plain process."""
    with tempfile.TemporaryDirectory() as folder:
        workers = {variant: Worker(program, variant, folder) for variant in VARIANTS}
        steps = max(2, int(TURN_SECONDS / (workers["plain"].turn(20)[0] / 20)))
        ratios: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
        plain_ms = []
        for number in range(ROUNDS):
            order = VARIANTS if number % 2 else VARIANTS[::-1]
            seconds = {variant: workers[variant].turn(steps)[0] for variant in order}
            plain_ms.append(1000 * seconds["plain"] / steps)
            for variant in VARIANTS:
                ratios[variant].append(seconds[variant] / seconds["plain"])
        for one in workers.values():
            one.close()
    medians = {variant: statistics.median(ratios[variant]) for variant in VARIANTS}
    return {"ms": statistics.median(plain_ms), **medians}


def memory_growth(steps: int = 10_000) -> tuple[float, float]:
    """Growth of the peak memory over so many steps, in MiB: watched, and plain."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for variant in ("watched", "plain"):
            one = Worker("MLP, 2 ms", variant, folder)
            before = one.turn(200)[1]
            found[variant] = one.turn(steps)[1] - before
            one.close()
    return found["watched"], found["plain"]


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


def main() -> None:
    """Measure all, print the table as it grows, write the page."""
    import torch

    from benchmarks.programs import PROGRAMS

    lines = [
        "# What watching costs",
        "",
        f"Measured by `make bench` on {datetime.date.today()}: {platform.machine()}, "
        f"{os.cpu_count()} shared cores, Python {platform.python_version()}, torch "
        f"{torch.__version__}, one thread. Median of {ROUNDS} ratios of interleaved turns, in "
        "steady state (after the first 60 steps).",
        "",
        "| training | plain step | watched | detect_anomaly |",
        "|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for program in PROGRAMS:
        found = measure(program)
        row = (
            f"| {program} | {found['ms']:.1f} ms | ×{found['watched']:.3f} "
            f"| ×{found['detect_anomaly']:.2f} |"
        )
        print(row, flush=True)
        lines.append(row)
    watched, plain = memory_growth()
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
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:4])
    else:
        main()

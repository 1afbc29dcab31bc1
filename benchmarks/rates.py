"""`babysit lr` against a dense grid on twelve trainings, beside the rules of other finders.

Writes docs/learning-rate.md. The grid: 12 rates a factor of 2.15 apart, each trained to the end
under three seeds by the script as it is, unwatched. A suggestion is trained the same way, under
the same three seeds. `babysit lr` itself sees other seeds.

    python -m benchmarks.rates                 measure all, write the page
    python -m benchmarks.rates --keep FILE     keep results as they come, and go on from there
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before anything has threads

from babysit import target
from babysit.changes.rates import SetLearningRate, SweepLearningRate
from babysit.changes.runs import Reseed
from babysit.instrument.warm import warm_up
from babysit.lab import rates
from babysit.lab.finding_rate import Means
from babysit.learning_rate import Sweep
from babysit.session.lr import find_rate, run_all
from babysit.session.trying import live
from babysit.trial import Patient, Trial
from babysit.trials.child import OUTPUT
from babysit.trials.patients import ScriptPatient
from babysit.trials.pool import Pool
from benchmarks.cost import ROOT, circumstances

PAGE: Final = ROOT / "docs" / "learning-rate.md"
SCRIPTS: Final = {"mlp": "MLP", "cnn": "CNN", "lstm": "LSTM", "transformer": "transformer"}
HIGHEST: Final = {"sgd": 10.0, "momentum": 2.0, "adam": 0.2}
KINDS: Final = {"sgd": "SGD", "momentum": "SGD, momentum 0.9", "adam": "Adam(W)"}
NUM_RATES, PER_DECADE, SEEDS = 12, 3, (100, 101, 102)
FOREVER: Final = 10_000_000
CLOSE: Final = 1.1  # times the best of the grid: what counts as found
FASTAI, LIGHTNING = (1e-7, 10.0), (1e-8, 1.0)
RULES: Final[Mapping[str, tuple[tuple[float, float], Callable[[Sweep], float | None]]]] = {
    "fastai valley": (FASTAI, rates.valley),
    "fastai steepest": (FASTAI, rates.steepest),
    "fastai minimum/10": (FASTAI, rates.minimum_tenth),
    "Lightning ≤ 2.5.2": (LIGHTNING, rates.lightning),
    "Lightning ≥ 2.5.3": (LIGHTNING, partial(rates.lightning, by_rate=True)),
}
Data = dict[str, Any]

TEXT: Final = """# Finding a learning rate

`babysit lr train.py` tries a training again at many rates and answers with one, a range, the curve
and the reason. It changes nothing: every trial is a process of its own.

1. The training as it is: how long it takes, whether it evaluates itself.
2. Range tests under several seeds: the rate grows over 100 steps until the loss explodes.
3. The border: from there the rate is divided by 3 until 100 steps bring no NaN (A2).
4. A race of constant rates, times the script's own schedule: from where the range tests point on
   by factors of 3 until the best has worse ones on both sides, then between them, then the best
   four under more seeds. It is as long as the training where the time (`--seconds`) suffices, else
   as long as it allows. Rates are compared by the script's own evaluation, else by examples held
   out of its batches, else by the training loss.
5. The answer is the lowest point of a bowl through the means over seeds, not above the best rate
   tried; where they make no bowl, the lowest rate that is as good but for luck. It is never within
   a factor of 2 of one that diverged. Where no rate brings the loss clearly below what it is
   without learning there is no number, and it says so. After a short race the rate is lowered
   where longer ones preferred lower rates, and the confidence is lower.

The range holds the rates whose loss is within 10 % of the best, read between those tried. The
confidence is `high` where rates raced to the training's end under three seeds or more and lower
and higher ones were worse, `medium` where one of these is missing, else `low`. One rate is no
answer where several optimizers train: there is no number. `--json` writes `lr`, `low`, `high`,
`confidence`, `curve` and more; `lr` is `null` where there is none, and the exit code 1.

## Against a dense grid

{circumstances} Four scripts (`benchmarks/tasks/`) under three optimizers each: an MLP and a CNN
with batch norm on scikit-learn's digits, an LSTM on synthetic waves with clipped gradients, a
transformer on Python's docstrings; constant rates, a cosine, a warm-up with decay. The truth is
the last validation loss that the script prints, at 12 rates a factor of 2.15 apart, each trained
to the end under 3 seeds, unwatched. A suggestion is trained in the same way and judged by its
median over those seeds, relative to the best median of the grid. babysit searches under other
seeds, but by the same validation examples, which the script evaluates on anyway; the other rules,
written from their descriptions, see the training loss of one range test of 100 steps, a
suggestion for each of the 3 seeds. The best of a grid is the luckiest of 12, which favours the
grid: at its best rates the three seeds lie {spread:.0%} apart in the middle. How babysit
chooses was settled while the first five tasks were measured; the other seven came after and
changed nothing.

{table}

Each figure: loss at the suggested rate / best of the grid; in brackets the suggested rate (for
other finders their middle one). ✗: the loss is no number, or above where training began.

{summary}

babysit takes more time for it: {cost}. A range test alone takes seconds.
"""


def unwatched(patient: Patient, trial: Trial, _: Path) -> None:
    """A trial that nothing watches: its output is all that is left of it."""
    import torch

    from babysit.instrument.levers.levers import Levers

    torch.set_num_threads(1)
    levers = Levers()
    levers.attach(trial.changes)
    patient.train(lambda *_: levers.detach())


def patient_of(task: str) -> ScriptPatient:
    script, kind = task.split("-")
    path = ROOT / "benchmarks" / "tasks" / f"{script}.py"
    return ScriptPatient(target.resolve(str(path), ["--optimizer", kind]))


def final_losses(task: str, wanted: Sequence[tuple[float, int]]) -> list[float]:
    """The last validation loss that the script prints, for each rate and seed."""
    with tempfile.TemporaryDirectory() as folder:
        pool = Pool(Path(folder), partial(unwatched, patient_of(task)))
        trials = [
            Trial(
                name=str(number), changes=(SetLearningRate(rate=rate), Reseed(seed=seed)),
                max_steps=FOREVER, max_seconds=120,
            )
            for number, (rate, seed) in enumerate(wanted)
        ]  # fmt: skip
        run_all(trials, pool, lambda: None)
        printed = [(Path(folder) / trial.name / OUTPUT).read_text() for trial in trials]
    found = [re.findall(r"validation loss (\S+)", text) for text in printed]
    return [float(losses[-1]) if losses else math.nan for losses in found]


def grid(task: str) -> list[float]:
    highest = HIGHEST[task.split("-")[1]]
    return [highest * 10 ** (-number / PER_DECADE) for number in range(NUM_RATES)]


def truth(task: str) -> Data:
    """The grid: three losses for each rate."""
    wanted = [(rate, seed) for rate in grid(task) for seed in SEEDS]
    losses = final_losses(task, wanted)
    return {"losses": [losses[i : i + len(SEEDS)] for i in range(0, len(losses), len(SEEDS))]}


def others(task: str) -> Data:
    """What each rule suggests for each seed, and where that leads."""
    suggested: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for low, high in (FASTAI, LIGHTNING):
            pool = Pool(Path(folder), partial(live, patient_of(task)))
            change = SweepLearningRate(low=low, high=high, steps=100)
            trials = [
                Trial(name=f"{low}-{seed}", changes=(change, Reseed(seed=seed)), max_steps=100)
                for seed in SEEDS
            ]
            for result in run_all(trials, pool, lambda: None):
                noted, losses = result.noted("learning-rate").values, result.losses.values
                sweep = rates.read_sweep(noted.tolist()[: len(losses)], losses.tolist())
                for name, (span, rule) in RULES.items():
                    if span == (low, high):
                        suggested.setdefault(name, []).append(rule(sweep) or low)
    wanted = [(rate, s) for all_ in suggested.values() for rate, s in zip(all_, SEEDS, strict=True)]
    losses = iter(final_losses(task, wanted))
    return {
        name: {"rates": found, "losses": [next(losses) for _ in found]}
        for name, found in suggested.items()
    }


def ours(task: str, seconds: float) -> Data:
    """What babysit answers, and where that leads."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        found = find_rate(patient_of(task), Path(folder), Means(seconds=seconds), lambda _: None)
        took = time.monotonic() - started
    losses = final_losses(task, [(found.lr, s) for s in SEEDS]) if found.lr else [math.nan]
    told = {key: value for key, value in found.to_json().items() if key != "sweeps"}
    return {"rates": [found.lr or math.nan], "losses": losses, "seconds": took, "answer": told}


def best(one: Data) -> float:
    """The lowest median of the grid."""
    return min(ratio_free(losses) for losses in one["truth"]["losses"])


def ratio_free(losses: Sequence[float]) -> float:
    """The median, with no number above all numbers."""
    return statistics.median(loss if math.isfinite(loss) else math.inf for loss in losses)


def seed_spread(one: Data) -> float:
    """How far the seeds lie apart at the best rate of the grid, relative to their median."""
    losses = min(one["truth"]["losses"], key=ratio_free)
    return (max(losses) - min(losses)) / ratio_free(losses)


def untrained(one: Data) -> float:
    """About where training begins: the loss at the lowest rate of the grid."""
    return ratio_free(one["truth"]["losses"][-1])


def diverges(one: Data, losses: Sequence[float]) -> bool:
    return any(not math.isfinite(loss) or loss > 1.2 * untrained(one) for loss in losses)


def cell(one: Data, said: Data) -> str:
    ratio = ratio_free(said["losses"]) / best(one)
    rate = rates.geometric_median(said["rates"]) if all(map(math.isfinite, said["rates"])) else 0
    shown = "✗" if diverges(one, said["losses"]) else f"{ratio:.2f}"
    return f"{'**' if ratio <= CLOSE else ''}{shown}{'**' if ratio <= CLOSE else ''} ({rate:.2g})"


def page(found: Mapping[str, Data], names: Sequence[str]) -> str:
    lines = [f"| task | best of the grid | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for task, one in found.items():
        script, kind = task.split("-")
        medians = [ratio_free(losses) for losses in one["truth"]["losses"]]
        rate = grid(task)[medians.index(min(medians))]
        cells = [cell(one, one["said"][name]) for name in names]
        start = f"| {SCRIPTS[script]}, {KINDS[kind]} | {min(medians):.3g} ({rate:.2g}) | "
        lines.append(start + " | ".join(cells) + " |")
    took = [one["said"]["babysit lr"]["seconds"] for one in found.values()]
    cost = f"{statistics.median(took):.0f} s in the middle here, {max(took):.0f} s at most"
    return TEXT.format(
        circumstances=circumstances().replace("make bench", "python -m benchmarks.rates"),
        spread=statistics.median(map(seed_spread, found.values())),
        table="\n".join(lines), summary=summary(found, names), cost=cost,
    )  # fmt: skip


def summary(found: Mapping[str, Data], names: Sequence[str]) -> str:
    lines = ["| | within 10 % | within 25 % | over twice | diverged | median ratio | worst |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for name in names:
        said = [(one, one["said"][name]["losses"]) for one in found.values()]
        ratios = [ratio_free(losses) / best(one) for one, losses in said]
        num = [sum(ratio <= most for ratio in ratios) for most in (CLOSE, 1.25)]
        lines.append(
            f"| {name} | {num[0]} of {len(ratios)} | {num[1]} | {sum(r > 2 for r in ratios)} | "
            f"{sum(diverges(one, losses) for one, losses in said)} | "
            f"{statistics.median(ratios):.2f} | {max(ratios):.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure what is not kept yet, and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, help="a file for results as they come")
    parser.add_argument("--seconds", type=float, default=120.0, help="given to babysit lr")
    options = parser.parse_args()
    warm_up()
    import sklearn.datasets  # noqa: F401  # loaded before forking

    kept = options.keep is not None and options.keep.exists()
    found: dict[str, Data] = json.loads(options.keep.read_text()) if kept else {}
    for script in SCRIPTS:
        for kind in KINDS:
            task = f"{script}-{kind}"
            one = found.setdefault(task, {})
            one.setdefault("said", {})
            if "truth" not in one:
                one["truth"] = truth(task)
            if "babysit lr" not in one["said"]:
                one["said"]["babysit lr"] = ours(task, options.seconds)
            if not RULES.keys() <= one["said"].keys():
                one["said"] |= others(task)
            print(task, *(cell(one, said) for said in one["said"].values()), flush=True)
            if options.keep is not None:
                options.keep.write_text(json.dumps(found))
    PAGE.write_text(page(found, ["babysit lr", *RULES]))


if __name__ == "__main__":
    main()

"""Reading rates off curves, and `babysit lr`: with plain numbers, and once with a script."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from babysit.changes.rates import SetLearningRate, SweepLearningRate
from babysit.changes.runs import Reseed
from babysit.errors import BabysitError
from babysit.lab import rates
from babysit.lab.experiments import learning_rate_range
from babysit.lab.finding_rate import Means, RateFinder
from babysit.learning_rate import Lane, RateAnswer, Sweep
from babysit.page import Page
from babysit.reports.rate_html import RateHtml
from babysit.reports.rate_terminal import RateTerminal
from babysit.run import Run
from babysit.trial import Result, Trial

# -- curves --------------------------------------------------------------------------------


def sweep_of(loss: Callable[[float], float], num: int = 100) -> Sweep:
    found = [1e-7 * 1e8 ** (index / (num - 1)) for index in range(num)]
    return rates.read_sweep(found, [loss(rate) for rate in found])


def usual(rate: float) -> float:
    """Falls between 1e-4 and 1e-1, explodes from 1 on."""
    fall = 1 / (1 + (rate / 1e-2) ** 1.5)
    return 0.3 + 2 * fall + (rate / 0.5) ** 4


def test_a_moving_average_is_corrected_for_its_start() -> None:
    assert rates.smooth([3.0, 3.0, 3.0]) == pytest.approx([3.0, 3.0, 3.0])


def test_a_sweep_ends_where_its_loss_explodes() -> None:
    sweep = sweep_of(usual)
    assert sweep.blow_up is not None and 0.5 < sweep.blow_up < 10
    assert max(sweep.rates) < sweep.blow_up


def test_a_sweep_ends_at_a_loss_that_is_no_number() -> None:
    sweep = rates.read_sweep([0.1, 0.2, 0.4], [1.0, 0.9, math.nan])
    assert sweep.blow_up == 0.4 and len(sweep.rates) == 2


def test_a_flat_sweep_has_no_blow_up_and_no_fall() -> None:
    sweep = sweep_of(lambda _: 2.3)
    assert sweep.blow_up is None and sweep.fall == pytest.approx(0.0)


@pytest.mark.parametrize("rule", [rates.valley, rates.steepest, rates.lightning])
def test_rules_of_finders_point_into_the_fall(rule: Callable[[Sweep], float]) -> None:
    assert 1e-4 < rule(sweep_of(usual)) < 0.5


def test_the_minimum_rule_is_a_tenth_of_the_rate_at_the_lowest_loss() -> None:
    sweep = sweep_of(usual)
    lowest = sweep.rates[sweep.losses.index(min(rates.inner(sweep).losses))]
    assert rates.minimum_tenth(sweep) == pytest.approx(lowest / 10)


def test_lightning_by_rate_suggests_the_smallest_rates() -> None:
    noisy = sweep_of(lambda rate: usual(rate) + 0.05 * math.sin(1e3 * math.log(rate)))
    by_rate, by_step = rates.lightning(noisy, by_rate=True), rates.lightning(noisy)
    assert by_rate is not None and by_step is not None and by_rate < by_step / 100


def test_the_hint_is_a_median_over_rules_and_seeds() -> None:
    hint = rates.hint([sweep_of(usual)] * 3)
    assert hint is not None and 1e-3 < hint < 0.3


# -- the race ------------------------------------------------------------------------------


def lanes_of(losses: dict[float, list[float]]) -> list[Lane]:
    return [Lane(rate, dict(enumerate(scores))) for rate, scores in losses.items()]


def test_the_best_median_is_chosen() -> None:
    lanes = lanes_of({0.01: [1.0, 1.1, 1.0], 0.03: [0.5, 0.5, 0.6], 0.1: [0.9, 0.2, 0.9]})
    choice = rates.choose(lanes)
    assert choice is not None and choice.rate == 0.03 and choice.is_bracketed


def test_of_equals_the_lower_rate_is_chosen() -> None:
    choice = rates.choose(lanes_of({0.01: [1.0], 0.1: [0.504], 0.3: [0.5], 1.0: [2.0]}))
    assert choice is not None and choice.rate == 0.1


def test_a_rate_that_diverged_under_any_seed_is_out() -> None:
    choice = rates.choose(lanes_of({0.01: [0.6, 0.6], 0.1: [0.1, math.inf]}))
    assert choice is not None and choice.rate == 0.01


def test_no_answer_lies_within_a_factor_of_2_of_what_diverged() -> None:
    lanes = lanes_of({0.1: [0.6], 0.6: [0.5], 1.0: [math.inf]})
    choice = rates.choose(lanes)
    assert choice is not None and choice.rate == 0.1
    again = rates.choose(lanes[:2], border=1.0)
    assert again is not None and again.rate == 0.1


def test_where_all_diverged_nothing_is_chosen() -> None:
    assert rates.choose(lanes_of({0.1: [math.inf], 1.0: [math.inf]})) is None


def test_negative_losses_are_compared_by_what_was_gained() -> None:
    choice = rates.choose(lanes_of({0.01: [-1.0], 0.1: [-5.0], 1.0: [-3.0]}), untrained=1.0)
    assert choice is not None and choice.rate == 0.1 and choice.low > 0.01


def test_the_range_holds_what_is_nearly_as_good() -> None:
    choice = rates.choose(lanes_of({0.01: [1.0], 0.1: [0.5], 1.0: [0.52], 10.0: [2.0]}))
    assert choice is not None and 0.05 < choice.low < 0.1 and choice.high > 1.0


def test_the_first_rates_lie_around_the_hint_and_below_the_border() -> None:
    assert rates.coarse(3.0, 1e-2) == pytest.approx([0.03, 0.01, 0.01 / 3])
    assert rates.coarse(3.0, 2.0) == pytest.approx([1.0, 1 / 3, 1 / 9])
    assert rates.coarse(3.0, None) == pytest.approx([1.0, 1 / 3, 1 / 9])


def test_a_best_rate_at_an_end_asks_for_rates_beyond() -> None:
    low = rates.further(lanes_of({0.1: [0.5], 0.3: [0.6]}), 1.0, 1e-4)
    assert low == pytest.approx([0.1 / 3, 0.1 / 9])
    high = rates.further(lanes_of({0.1: [0.7], 0.3: [0.6]}), 1.0, 1e-4)
    assert high == pytest.approx([0.9])
    assert not rates.further(lanes_of({0.1: [0.7], 0.3: [0.6], 0.9: [2.0]}), 1.0, 1e-4)


def test_a_gap_beside_the_best_rate_is_filled() -> None:
    found = rates.further(lanes_of({0.001: [0.5], 0.1: [0.9]}), 1.0, 5e-4)
    assert found == pytest.approx([0.003])


def test_an_explosion_is_a_loss_that_is_no_number_or_far_above_the_start() -> None:
    assert rates.has_exploded([1.0, math.inf], 1.0)
    assert rates.has_exploded([1.0, 50.0, 60.0], 1.0)
    assert not rates.has_exploded([1.0, 9.0, 1.2], 1.0)


def test_learning_is_a_loss_clearly_below_what_ignorance_reaches() -> None:
    assert rates.has_learnt(0.5, [0.7, 0.69], 0.01)
    assert not rates.has_learnt(0.68, [0.75, 0.69], 0.01)
    assert not rates.has_learnt(0.6, [0.69], 0.05)


def test_a_short_race_is_corrected_downwards_only_and_by_3_at_most() -> None:
    assert rates.looks_ahead(1.7, 10) == 1.0
    assert rates.looks_ahead(0.5, 4) == pytest.approx(0.5)
    assert rates.looks_ahead(0.1, 1000) == pytest.approx(1 / 3)


def test_the_end_of_a_curve_is_the_mean_of_its_last_tenth() -> None:
    assert rates.tail(range(1, 101), [0.0] * 90 + [1.0] * 10, 100) == 1.0
    assert rates.tail([50, 100], [2.0, 1.0], 60) == 2.0
    assert rates.tail([50], [2.0], 10) is None


def test_an_own_rate_is_judged_by_where_range_tests_fall_and_explode() -> None:
    sweeps = [sweep_of(usual)] * 2
    assert learning_rate_range.judged(sweeps, 0.01).verdict == "sound"
    assert learning_rate_range.judged(sweeps, 5.0).verdict == "unsound"
    assert learning_rate_range.judged(sweeps, 1e-6).verdict == "unsound"
    flat = learning_rate_range.judged([sweep_of(lambda _: 2.3)], 0.01)
    assert flat.verdict == "told" and "no range test" in flat.text


# -- the protocol, with trainings that are formulas ------------------------------------------


class Script:
    """A training whose held-out loss at the end is a function of its rate."""

    def __init__(
        self, loss: Callable[[float], float], *, own: float = 0.01, steps: int = 200,
        explodes_at: float = 1.0,
    ) -> None:  # fmt: skip
        self.loss, self.own, self.steps, self.explodes_at = loss, own, steps, explodes_at

    def live(self, trial: Trial) -> Result:
        num = min(trial.max_steps, self.steps)
        run = Run()
        run.apply({"event": "training", "training": 1, "name": "training"})
        rate, notes = self.own, []
        for change in trial.changes:
            if isinstance(change, SetLearningRate):
                rate = change.rate
        sweep = next((one for one in trial.changes if isinstance(one, SweepLearningRate)), None)
        num = min(num, sweep.steps) if sweep else num
        seed = next((one.seed for one in trial.changes if isinstance(one, Reseed)), 0)
        for step in range(num):
            if sweep is not None:
                rate = sweep.low * (sweep.high / sweep.low) ** (step / (sweep.steps - 1))
                notes.append((step, "learning-rate", rate))
            loss = 2.0 + (self.loss(rate) - 2.0) * (step + 1) / num if step else 2.0
            loss *= 1 + 0.01 * ((seed * 7919 + step) % 3 - 1)
            loss = math.nan if rate >= self.explodes_at and step > 3 else loss
            notes.append((step, "held-out-loss", loss))
            values = {"loss": loss, "learning-rate": {"0": rate}}
            run.apply({"event": "step", "training": 1, "step": step, "values": values})
        run.apply({"event": "trial", "notes": notes, "set_up_seconds": 0.1})
        whole = trial.max_steps > self.steps
        return Result(
            trial=trial, outcome="finished" if whole else "stopped", run=run,
            seconds=0.1 + 0.001 * num,
        )  # fmt: skip


def answer_for(script: Script, **means: Any) -> RateAnswer:
    finder = RateFinder("train.py", Means(**means), workers=2, clock=lambda: 0.0)
    stages = finder.conduct()
    results: list[Result] | None = None
    try:
        while True:
            trials = next(stages) if results is None else stages.send(results)
            assert len({trial.name for trial in trials}) == len(trials)
            results = [script.live(trial) for trial in trials]
    except StopIteration:
        return finder.answer()


def bowl(best: float) -> Callable[[float], float]:
    """A loss that is lowest at a rate, and 2 far from it."""
    return lambda rate: 2.0 - 1.5 * math.exp(-(math.log10(rate / best) ** 2))


@pytest.mark.parametrize("best", [3e-4, 1e-2, 0.2])
def test_the_best_rate_of_a_formula_is_found(best: float) -> None:
    answer = answer_for(Script(bowl(best), own=1e-3))
    assert answer.lr is not None and best / 2 < answer.lr < best * 2
    assert answer.low is not None and answer.high is not None
    assert answer.low <= answer.lr <= answer.high
    assert answer.confidence == "high" and answer.is_whole


def test_a_best_rate_near_the_border_is_kept_away_from_it() -> None:
    answer = answer_for(Script(bowl(0.9)))
    assert answer.lr is not None and answer.border is not None
    assert answer.lr <= answer.border / 2


def test_where_no_curve_falls_there_is_no_number() -> None:
    answer = answer_for(Script(lambda _: 1.99))
    assert answer.lr is None and answer.confidence is None
    assert "falls at no rate" in answer.reason


def test_where_every_rate_explodes_there_is_no_number() -> None:
    answer = answer_for(Script(bowl(0.01), explodes_at=0.0))
    assert answer.lr is None and answer.reason


def test_little_time_makes_for_short_lanes_and_less_confidence() -> None:
    answer = answer_for(Script(bowl(0.01), steps=100_000), seconds=5)
    assert not answer.is_whole and answer.confidence != "high"


def test_an_end_by_the_user_keeps_what_is_known() -> None:
    finder = RateFinder("train.py", Means(), clock=lambda: 0.0)
    script, stages = Script(bowl(0.01)), finder.conduct()
    trials = next(stages)
    for _ in range(5):
        trials = stages.send([script.live(trial) for trial in trials])
    assert finder.answer().lr is not None
    assert RateFinder("train.py", Means()).answer().lr is None


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"seconds": math.nan}, {"seeds": 0}])
def test_means_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BabysitError, match="such as"):
        Means(**wrong)


# -- reports ---------------------------------------------------------------------------------


def test_reports_show_rate_range_reason_and_curve() -> None:
    answer = answer_for(Script(bowl(0.01), own=1e-3))
    page = Page()
    RateTerminal().draw(page, answer)
    text = page.text()
    assert "learning rate 0.0" in text and "range" in text and "█" in text
    assert max(map(len, text.splitlines())) <= 80
    html = RateHtml().render(answer)
    assert "<svg" in html and 'class="race"' in html and "http" not in html
    assert json.loads(json.dumps(answer.to_json()))["schema"] == 1


def test_reports_without_a_number_say_why() -> None:
    page = Page()
    answer = answer_for(Script(lambda _: 1.99))
    RateTerminal().draw(page, answer)
    assert "No number would be honest" in page.text()
    assert "<svg" in RateHtml().render(answer)
    assert answer.to_json()["lr"] is None


# -- the command -----------------------------------------------------------------------------

SCRIPT = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(256, 8)
y = x @ torch.randn(8, 1)
model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
for step in range(120):
    rows = torch.randint(0, 256, (32,))
    loss = nn.functional.mse_loss(model(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("the script's own output")
open("left-behind.txt", "w").write("x")
"""


def test_a_script_that_takes_no_step_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\nraise ValueError('no data here')\n")
    done = subprocess.run(
        [sys.executable, "-m", "babysit", "lr", "--seconds", "5", "train.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "no optimizer steps" in done.stderr
    assert "no data here" in done.stderr and "Traceback" not in done.stderr


def test_the_command_finds_a_rate_and_leaves_no_files(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "babysit", "lr", "--seconds", "20", "--seeds", "2",
         "--json", "rate.json", "--html", "rate.html", "train.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not done.stdout and "about 20 s" in done.stderr
    found = json.loads((tmp_path / "rate.json").read_text())
    assert 3e-3 < found["lr"] < 0.5 and found["low"] <= found["lr"] <= found["high"]
    assert found["current"] == pytest.approx(1e-4)
    assert {path.name for path in tmp_path.iterdir()} == {"train.py", "rate.json", "rate.html"}

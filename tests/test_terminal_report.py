"""The report on a terminal says what is wrong, where, how sure, what to do; or that all is well."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from babysit.diagnosis import NOT_TRAINED, Diagnosis
from babysit.findings import Evidence, Finding, Place, Remedy
from babysit.page import shorten, shorten_path
from babysit.reports.terminal import TerminalReport, announcement, duration, proof, sureness
from babysit.run import Parameter, Run, Training
from babysit.signal import CHECKUP

Gold = Callable[[str, str], None]

SCRIPT = """\
class Net(nn.Module):
    def forward(self, x):
        x = torch.relu(self.hidden(x))
        return self.head(x).softmax(dim=1)


model = Net()
"""
SOFTMAX = Finding(
    rule="softmax-before-cross-entropy",
    severity="error",
    confidence=0.99,
    message="softmax is applied twice: the output of `head` is already a softmax, and "
    "cross-entropy applies log-softmax to it again",
    where=Place(
        layer="head", op="Softmax", file="train.py", line=4,
        code="return self.head(x).softmax(dim=1)",
    ),
    evidence=(Evidence(signal="wiring", value="Softmax → LogSoftmax", steps=(0,)),),
    remedies=(Remedy(name="remove-softmax", text="Remove it: the loss wants raw scores."),),
)  # fmt: skip
DEAD = Finding(
    rule="dead-relu",
    confidence=0.9,
    message="70 % of the ReLU units after `hidden` are dead since about step 97",
    where=Place(layer="hidden", op="Relu"),
    evidence=(Evidence(signal="dead-share", value=0.7, limit=0.5, steps=(97, 289)),),
    remedies=(
        Remedy(name="lower-lr", text="Divide the learning rate by 3."),
        Remedy(name="replace-activation", text="Or use nn.LeakyReLU(0.01).", verified=True),
    ),
)
STUCK = Finding(
    rule="loss-not-decreasing",
    confidence=0.85,
    message="the loss does not fall: 2.3 over the first 28 steps, 2.27 over the last",
    because_of="softmax-before-cross-entropy",
)
FOUND = Diagnosis(
    findings=(SOFTMAX, DEAD, STUCK),
    examined=(SOFTMAX.rule, DEAD.rule, STUCK.rule, "non-finite-loss"),
    not_examined={"overfitting": "no evaluation was seen"},
)
CLEAN = Diagnosis(
    examined=(SOFTMAX.rule, DEAD.rule, STUCK.rule),
    not_examined={"overfitting": "no evaluation was seen", "vanishing-gradients": "too shallow"},
)
NO_TRAINING = Diagnosis(not_examined={SOFTMAX.rule: NOT_TRAINED})


def run_of(
    *, steps: int = 280, outcome: str = "finished", torch: bool = True, exit_code: int = 0
) -> Run:
    """A run as it is after so many steps; without steps no training was seen."""
    run = Run(header={"script": "train.py"})
    run.ending = {
        "outcome": outcome, "exit_code": exit_code, "seconds": 3.127, "torch": torch,
        "overhead": {"seconds": 0.0512, "share": 0.01637},
    }  # fmt: skip
    if steps:
        run.trainings[1] = Training(name="training 1 (Net)")
        run.trainings[1].steps = steps
    return run


def text_of(diagnosis: Diagnosis, run: Run, width: int = 80) -> str:
    report = TerminalReport(width=width, again="babysit show 20261121-073330-train-1348")
    return report.render(diagnosis, run)


@pytest.fixture(autouse=True)
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


def test_findings_are_told_with_place_evidence_remedy_and_consequences(gold: Gold) -> None:
    gold("report-found.txt", text_of(FOUND, run_of()))


def test_a_clean_training_is_called_clean(gold: Gold) -> None:
    gold("report-clean.txt", text_of(CLEAN, run_of()))


def test_a_script_without_training_is_told_what_was_looked_for(gold: Gold) -> None:
    gold("report-no-training.txt", text_of(NO_TRAINING, run_of(steps=0, torch=False)))


def test_a_script_that_imports_torch_and_does_not_train_is_not_told_to_import_it() -> None:
    text = text_of(NO_TRAINING, run_of(steps=0))
    assert "No training was seen." in text
    assert "PyTorch" not in text


def test_a_crash_before_torch_was_imported_points_to_the_environment() -> None:
    text = text_of(NO_TRAINING, run_of(steps=0, torch=False, outcome="crashed", exit_code=1))
    assert "If torch is\n  in another environment, install babysit there." in text


def test_a_crash_in_a_training_without_findings_points_to_the_script_s_own_error() -> None:
    text = text_of(CLEAN, run_of(outcome="crashed", exit_code=1))
    assert "train.py crashed after 280 steps in 3.1 s" in text
    assert "nothing found. The script's own error stands above." in text


def test_a_training_too_short_to_judge_is_not_called_clean() -> None:
    text = text_of(Diagnosis(not_examined={"dead-relu": "the model has no ReLU"}), run_of(steps=1))
    assert "Too little was seen to judge this training." in text
    assert "Clean" not in text


@pytest.mark.parametrize(
    ("outcome", "exit_code", "words"),
    [
        ("finished", 0, "train.py finished after 280 steps in 3.1 s"),
        ("finished", 3, "train.py finished with exit code 3 after 280 steps"),
        ("stopped", 0, "train.py stopped as asked after 280 steps"),
        ("interrupted", 130, "train.py was interrupted after 280 steps"),
    ],
)
def test_the_first_line_says_how_it_ended(outcome: str, exit_code: int, words: str) -> None:
    assert words in text_of(CLEAN, run_of(outcome=outcome, exit_code=exit_code))


def test_a_killed_run_is_told_as_cut() -> None:
    run = run_of()
    run.ending, run.is_cut = {}, True
    text = text_of(CLEAN, run)
    assert "train.py was cut after 280 steps" in text
    assert "The record was cut: the process was killed, or it is still running." in text


def test_a_run_killed_before_any_training_does_not_guess_about_torch() -> None:
    run = run_of(steps=0)
    run.ending, run.is_cut = {}, True
    assert "torch imported" not in text_of(NO_TRAINING, run)


def test_a_run_interrupted_before_any_training_does_not_guess_about_torch() -> None:
    text = text_of(NO_TRAINING, run_of(steps=0, torch=False, outcome="interrupted", exit_code=130))
    assert "in this process before the script was interrupted." in " ".join(text.split())
    assert "torch imported" not in text


def test_an_error_that_a_warning_explains_is_counted_in_the_summary() -> None:
    folded = replace(SOFTMAX, because_of=DEAD.rule)
    text = text_of(Diagnosis(findings=(DEAD, folded), examined=(DEAD.rule, folded.rule)), run_of())
    assert "Found 1 warning, which explains 1 error; 0 of 2 rules found nothing." in text


def test_a_layer_without_a_name_is_shown_with_its_class() -> None:
    run = run_of()
    weight = Parameter(name="0.weight", layer="0", kind="Linear", shape=(8, 4))
    run.trainings[1].parameters = {"0.weight": weight}
    finding = replace(DEAD, where=Place(layer="0", op="Relu"))
    text = text_of(Diagnosis(findings=(finding,), examined=(finding.rule,)), run)
    assert "where     layer `0` (Linear 4→8), operation Relu" in text


WAITING = {f"waiting-{index}": CHECKUP for index in range(7)}
MANY = Diagnosis(
    examined=(SOFTMAX.rule,),
    not_examined=WAITING | {f"rule-{index}": f"reason {index}" for index in range(5)},
)


def test_rules_that_wait_for_experiments_are_counted_with_the_command_that_makes_them() -> None:
    text = " ".join(text_of(MANY, run_of()).split())
    assert "Not examined: 7 rules that need experiments: `babysit checkup` and 5 that do" in text


def test_why_lists_all_rules_that_did_not_examine() -> None:
    text = TerminalReport(tells_why=True).render(MANY, run_of())
    assert [name for name in MANY.not_examined if name not in text] == []
    assert " more" not in text


def test_without_a_stored_run_the_report_names_the_option_that_lists_the_rules() -> None:
    text = " ".join(TerminalReport().render(MANY, run_of()).split())
    assert "; `babysit run --json PATH` lists them." in text


@pytest.mark.parametrize(
    ("seconds", "share", "is_explained"), [(4.6, 0.16, True), (4.6, 0.01, False), (60, 0.03, False)]
)
def test_a_short_run_is_told_why_watching_cost_more(
    seconds: float, share: float, is_explained: bool
) -> None:
    run = run_of()
    run.ending |= {"seconds": seconds, "overhead": {"seconds": share * seconds, "share": share}}
    text = " ".join(text_of(CLEAN, run).split())
    told = (
        "Every run is examined closely at first, by a fixed allowance, which shows in short ones."
    )
    assert (told in text) == is_explained


def test_several_trainings_are_told_apart() -> None:
    run = run_of()
    run.trainings[2] = Training(name="training 2 (Critic)", number=2)
    run.trainings[2].steps = 20
    finding = replace(SOFTMAX, training="training 2 (Critic)")
    text = text_of(Diagnosis(findings=(finding,), examined=(finding.rule,)), run)
    assert "2 trainings: training 1 (Net): 280 steps and training 2 (Critic): 20 steps" in text
    assert "certain, in training 2 (Critic)" in text


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_line_is_longer_than_the_width(width: int) -> None:
    file = "/home/someone/" + "deeply/nested/" * 12 + "train.py"
    place = replace(SOFTMAX.where or Place(), file=file, code="x = " + "very_long_name + " * 20)
    word = "an_identifier_without_any_blank_" * 6
    long = replace(SOFTMAX, where=place, message=f"the layer `{word}` is at fault in {file}")
    run = run_of()
    run.header["script"] = file
    text = text_of(replace(FOUND, findings=(long, STUCK)), run, width)
    assert max(map(len, text.splitlines())) <= width


def test_the_excerpt_is_the_recorded_line_when_the_file_has_changed(script: Path) -> None:
    script.write_text("# another beginning\n" + SCRIPT)
    text = text_of(FOUND, run_of())
    assert "    > 4  return self.head(x).softmax(dim=1)" in text
    assert "torch.relu" not in text


def test_the_excerpt_is_the_recorded_line_when_the_file_has_gone(script: Path) -> None:
    script.unlink()
    assert "    > 4  return self.head(x).softmax(dim=1)" in text_of(FOUND, run_of())


def test_a_report_is_plain_unless_it_is_for_a_terminal() -> None:
    report = TerminalReport.for_stream(io.StringIO())
    assert "\x1b" not in report.render(FOUND, run_of())
    assert report.width == 80


def test_a_report_for_a_closed_or_missing_stream_is_plain() -> None:
    closed = io.StringIO()
    closed.close()
    assert not TerminalReport.for_stream(closed).colour
    assert not TerminalReport.for_stream(None).colour


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("variable", "value", "colour"), [("NO_COLOR", "1", False), ("TERM", "dumb", False),
                                      ("TERM", "xterm", True)],
)  # fmt: skip
def test_a_terminal_shows_colours_unless_the_user_forbids_them(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, colour: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr("os.get_terminal_size", lambda number: type("Size", (), {"columns": 92}))
    report = TerminalReport.for_stream(FakeTerminal())
    assert report.width == 92
    assert ("\x1b" in report.render(FOUND, run_of())) == colour


def test_an_announcement_on_a_terminal_is_one_short_line_with_its_place() -> None:
    long = replace(SOFTMAX, message="the loss is\nNaN " + "and stays so " * 30)
    line = announcement(long, 1234, is_short=True)
    assert line.startswith("babysit: step 1,234: error softmax-before-cross-entropy: the loss is N")
    assert line.endswith(" … (train.py:4)")
    assert len(line) <= 160
    assert "\n" not in line


def test_an_announcement_on_a_terminal_is_cut_between_clauses() -> None:
    line = announcement(SOFTMAX, 0, is_short=True)
    assert line.endswith("softmax is applied twice: the output of `head` is already a softmax …"
                         " (train.py:4)")  # fmt: skip


def test_an_announcement_for_a_file_is_whole() -> None:
    line = announcement(replace(SOFTMAX, message="a\n" + "b, " * 99), 0, is_short=False)
    assert line.endswith(f"cross-entropy: a {('b, ' * 99).strip()} (train.py:4)")


@pytest.mark.parametrize("is_short", [True, False])
def test_the_path_of_an_announcement_can_be_clicked(is_short: bool) -> None:
    file = "/home/someone/" + "deeply/nested/" * 12 + "train.py"
    line = announcement(replace(SOFTMAX, where=Place(file=file, line=4)), 0, is_short=is_short)
    assert line.endswith(f" ({file}:4)")
    assert "softmax is applied twice" in line


def test_an_announcement_without_a_place_has_no_parentheses() -> None:
    assert announcement(STUCK, 3, is_short=True).endswith("2.27 over the last")


def test_what_a_finding_explains_is_told_to_its_end() -> None:
    text = text_of(FOUND, run_of(), width=60)
    told = f"explains loss-not-decreasing: {STUCK.message}"
    assert told in " ".join(text.split())


@pytest.mark.parametrize(
    ("confidence", "word"),
    [(1.0, "certain"), (0.95, "certain"), (0.9, "very likely"), (0.75, "likely"),
     (0.5, "possible")],
)  # fmt: skip
def test_sureness_is_told_in_words(confidence: float, word: str) -> None:
    assert sureness(confidence) == word


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (Evidence(signal="loss", value=float("nan"), limit="finite", steps=(63,)),
         "loss: NaN, expected finite (step 63)"),
        (Evidence(signal="dead-share", value=0.7, limit=0.5, steps=(10, 2000)),
         "share of units that are dead: 0.7, limit 0.5 (steps 10 to 2,000)"),
        (Evidence(signal="gradient-spread", value=3), "gradient spread: 3"),
        (Evidence(signal="samples without gradient", value=8, limit=0),
         "steps looked at in which it got no gradient: 8, expected 0"),
        (Evidence(signal="wiring", value="Addmm → batch norm"),
         "operations: linear layer → batch norm"),
        (Evidence(signal="shape", value="(32, 1)"), "shape: (32, 1)"),
    ],
)  # fmt: skip
def test_evidence_shows_the_value_beside_its_limit(evidence: Evidence, words: str) -> None:
    assert proof(evidence) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.001, "under 0.01 s"), (0.05, "0.05 s"), (3.127, "3.1 s"), (42.4, "42 s"), (700, "12 min"),
     (7500, "2 h 5 min")],
)  # fmt: skip
def test_times_are_told_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_long_path_loses_its_beginning_and_a_long_sentence_its_end() -> None:
    assert shorten_path("/home/me/projects/digits/train.py", 20) == "…/digits/train.py"
    assert shorten("the loss is NaN, from step 63 on", 19) == "the loss is NaN …"

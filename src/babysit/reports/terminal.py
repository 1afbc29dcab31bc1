"""The report on a terminal: what is wrong, where, how sure, what to do; or that all is well."""

from __future__ import annotations

import linecache
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Final

from babysit import catalogue, labels
from babysit.diagnosis import Diagnosis
from babysit.findings import SEVERITIES, Evidence, Finding, Place
from babysit.page import SEVERITY_STYLES, WIDTH, Page, clauses, shorten_path, terminal
from babysit.reports.experiments import draw_checkup
from babysit.run import Run
from babysit.signal import CHECKUP
from babysit.text import count, listing, number, percent

SURENESS: Final = ((0.95, "certain"), (0.85, "very likely"), (0.7, "likely"), (0.0, "possible"))
NOUNS: Final = {"error": "error", "warning": "warning", "advice": "suggestion"}
ANNOUNCEMENT_WIDTH: Final = 160
MIN_MESSAGE: Final = 60
CONTEXT: Final = 1
SHORT_SECONDS: Final = 20
ALLOWANCE_NOTE: Final = (
    "Every run is examined closely at first, by a fixed allowance, which shows in short ones."
)
MAX_REASONS: Final = 4
MAX_NAMES: Final = 6


class TerminalReport:
    """A diagnosis as text for people.

    Args:
        width: columns; no line is longer.
        colour: whether to use terminal colours.
        again: the command that shows this report again; ``None`` when nothing is stored.
        tells_why: whether to list all that was not examined, and why, however long the list.
    """

    def __init__(
        self,
        *,
        width: int = WIDTH,
        colour: bool = False,
        again: str | None = None,
        tells_why: bool = False,
    ) -> None:
        self.width, self.colour, self.again = width, colour, again
        self.tells_why = tells_why

    @classmethod
    def for_stream(cls, stream: IO[str] | None, *, run_id: str | None = None) -> TerminalReport:
        """The report that suits a stream: plain and 80 columns wide unless it is a terminal."""
        width, colour = terminal(stream)
        return cls(width=width, colour=colour, again=run_id and f"babysit show {run_id}")

    def render(self, diagnosis: Diagnosis, run: Run) -> str:
        """The whole report as text."""
        page = Page(width=self.width, colour=self.colour)
        page.blank()
        self.draw(page, diagnosis, run)
        return page.text().rstrip("\n")

    def draw(self, page: Page, diagnosis: Diagnosis, run: Run) -> None:
        """Put the report on a page."""
        self._header(page, run)
        page.blank()
        if not run.has_trained:
            self._no_training(page, run)
        else:
            self._judged(page, diagnosis, run)
        if run.checkup:
            draw_checkup(page, run.checkup)
        page.divider()
        self._footer(page, diagnosis, run)

    # -- the parts, from top to bottom -----------------------------------------------------

    def _header(self, page: Page, run: Run) -> None:
        words = ending(run)
        script = str(run.header.get("script", "the program"))
        room = self.width - len(words) - len("━━ babysit ━━ ") - 3
        page.headline("babysit", f"{shorten_path(script, max(room, 12))} {words}")
        if len(run.trainings) > 1:
            names = (f"{t.name}: {count(t.steps, 'step')}" for t in run.trainings.values())
            page.paragraph(f"{count(len(run.trainings), 'training')}: {listing(names, most=4)}")
        if run.is_cut:
            page.paragraph("The record was cut: the process was killed, or it is still running.")

    def _judged(self, page: Page, diagnosis: Diagnosis, run: Run) -> None:
        for finding in diagnosis.roots:
            self._finding(page, finding, diagnosis, run)
        if not diagnosis.roots:
            page.paragraph(clean(diagnosis, run), style="bold green" if is_clean(diagnosis) else "")
            page.blank()

    def _finding(self, page: Page, finding: Finding, diagnosis: Diagnosis, run: Run) -> None:
        page.parts(
            (finding.severity.upper(), SEVERITY_STYLES[finding.severity]),
            (f"  {finding.rule}", "bold"),
            (f"  {sureness(finding.confidence)}", "dim"),
            (f", in {finding.training}" if finding.training else "", "dim"),
        )
        page.paragraph(sentence(finding.message), indent=2)
        page.blank()
        if finding.where is not None:
            self._place(page, finding.where, layer_title(finding, run))
        for index, evidence in enumerate(finding.evidence):
            page.entry("" if index else "evidence", proof(evidence))
        for index, remedy in enumerate(finding.remedies):
            proven = " (proven by trials)" if remedy.verified else ""
            page.entry("" if index else "to do", remedy.text + proven)
        why = reason(finding.rule)
        if why:
            page.entry("why", why)
        for index, other in enumerate(diagnosis.consequences(finding)):
            page.entry("" if index else "explains", f"{other.rule}: {other.message}")
        page.blank()

    def _place(self, page: Page, place: Place, layer: str) -> None:
        words = spoken(place, layer, self.width - 14)
        if words:
            page.entry("where", words)
        lines = list(excerpt(place))
        if lines and place.line is not None:
            page.excerpt(lines, place.line)
            page.blank()

    def _footer(self, page: Page, diagnosis: Diagnosis, run: Run) -> None:
        if diagnosis.roots:
            page.paragraph(tally(diagnosis))
        if run.has_trained:
            self._skipped(page, skipped(diagnosis))
        cost, seconds = run.ending.get("overhead"), run.ending.get("seconds")
        if cost and seconds and run.has_trained:
            spent = f"{duration(cost['seconds'])} of {duration(seconds)}"
            felt = seconds < SHORT_SECONDS and cost["share"] > run.header.get("budget", 0.02)
            note = f" {ALLOWANCE_NOTE}" if felt else ""
            page.paragraph(f"Watching cost {spent} ({percent(cost['share'])}).{note}", hang=2)
        if self.again:
            page.paragraph(f"Stored: `{self.again}` shows this again.")
        page.paragraph(f"Next: {following(diagnosis, run)}", hang=2)

    def _skipped(self, page: Page, reasons: Mapping[str, Sequence[str]]) -> None:
        if len(reasons) > MAX_REASONS and not self.tells_why:
            page.paragraph(self._in_short(reasons), hang=2)
            return
        if len(reasons) > 1:
            page.paragraph("Not examined:")
        for why, rules in reasons.items():
            names = listing(rules, most=len(rules) if self.tells_why else MAX_NAMES)
            if len(reasons) > 1:
                page.paragraph(f"{names}: {why}", indent=2, hang=2)
            else:
                page.paragraph(f"Not examined: {names} ({why}).", hang=2)

    def _in_short(self, reasons: Mapping[str, Sequence[str]]) -> str:
        """How many rules did not examine, and where to read why."""
        total = sum(len(rules) for rules in reasons.values())
        waiting = len(reasons.get(CHECKUP, ()))
        noun, verb = (
            ("rule", CHECKUP) if waiting == 1 else ("rules", CHECKUP.replace("needs", "need"))
        )
        parts = [f"{waiting} {noun} that {verb}"] if waiting else []
        parts.append(f"{total - waiting} that do not apply to this training")
        command = f"{self.again} --why" if self.again else "babysit run --json PATH"
        return f"Not examined: {' and '.join(parts)}; `{command}` lists them."

    def _no_training(self, page: Page, run: Run) -> None:
        page.paragraph("No training was seen.", style="bold yellow")
        page.paragraph(unseen(run), indent=2)
        page.blank()


def announcement(finding: Finding, step: int, *, is_short: bool) -> str:
    """One line on a finding, to be read while the training runs.

    Args:
        step: the last one taken, counted from 0.
        is_short: whether the message may lose its last clauses; the path is always whole.
    """
    place, message = finding.where, " ".join(finding.message.split())
    where = f" ({place.file}:{place.line})" if place is not None and place.file is not None else ""
    start = f"babysit: step {step:,}: {finding.severity} {finding.rule}: "
    room = max(ANNOUNCEMENT_WIDTH - len(start) - len(where), MIN_MESSAGE)
    return start + (clauses(message, room) if is_short else message) + where


# -- wording ---------------------------------------------------------------------------------


def ending(run: Run) -> str:
    """How the program ended, after how much: ``finished after 280 steps in 3.1 s``."""
    known, code = run.ending, run.ending.get("exit_code")
    words = {"stopped": "stopped as asked", "interrupted": "was interrupted"}
    outcome = known.get("outcome", "was cut")
    did = words.get(outcome, outcome)
    if outcome == "finished" and code:
        did += f" with exit code {code}"
    steps = count(run.steps, "step") if run.has_trained else ""
    time = f"in {duration(known['seconds'])}" if known.get("seconds") is not None else ""
    amount = " ".join(filter(None, (steps, time)))
    return f"{did} after {amount}" if steps else f"{did} {amount}".rstrip()


def duration(seconds: float) -> str:
    """A time as people say it: ``0.05 s``, ``3.1 s``, ``12 min``, ``2 h 5 min``."""
    if seconds < 0.01:
        return "under 0.01 s"
    if seconds < 60:
        return f"{seconds:.{2 if seconds < 1 else 1 if seconds < 10 else 0}f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def sureness(confidence: float) -> str:
    """How sure a finding is, in words."""
    return next(word for least, word in SURENESS if confidence >= least)


def sentence(text: str) -> str:
    """A message as a sentence."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")


def layer_title(finding: Finding, run: Run) -> str:
    """The layer of a finding, with its class where it has but a number; empty without one."""
    layer = finding.where.layer if finding.where is not None else None
    known = (t for t in run.trainings.values() if finding.training in (None, t.name))
    training = next(known, None)
    return training.layer_title(layer) if layer and training is not None else ""


def spoken(place: Place, title: str, room: int) -> str:
    """Layer, file and line, as far as they are known."""
    line = "" if place.line is None else f":{place.line}"
    layer = f"layer {title}" if title else ""
    if place.file is not None:
        left = room - len(line) - (len(layer) + 2 if layer else 0)
        return ", ".join(filter(None, (layer, shorten_path(place.file, max(left, 16)) + line)))
    op = f"operation {place.op}" if place.op else ""
    return ", ".join(filter(None, (layer, op)))


def excerpt(place: Place) -> Iterator[tuple[int, str]]:
    """The line and its neighbours from the file; the line alone if the file has changed since."""
    if place.file is None or place.line is None:
        return
    linecache.checkcache(place.file)
    lines = [line.rstrip("\n").expandtabs(4) for line in linecache.getlines(place.file)]
    known = lines[place.line - 1].strip() if place.line <= len(lines) else None
    if known is None or place.code not in (None, known):
        if place.code:
            yield place.line, place.code
        return
    near = range(max(1, place.line - CONTEXT), min(len(lines), place.line + CONTEXT) + 1)
    wanted = [n for n in near if n == place.line or lines[n - 1].strip()]
    yield from ((n, lines[n - 1]) for n in wanted)


def proof(evidence: Evidence) -> str:
    """A measured value beside its limit, and when: ``loss: NaN, expected finite (step 63)``.

    Quantities are called by their labels; a limit of nothing is what was expected.
    """
    value, limit = quantity(evidence.value), evidence.limit
    beside = ""
    if isinstance(limit, str) or limit == 0:
        beside = f", expected {quantity(limit)}"
    elif limit is not None:
        beside = f", limit {number(limit)}"
    steps = evidence.steps
    when = ""
    if len(steps) == 1 or len(set(steps)) == 1:
        when = f" (step {steps[0]:,})"
    elif steps:
        when = f" (steps {steps[0]:,} to {steps[-1]:,})"
    return f"{labels.label(evidence.signal)}: {value}{beside}{when}"


def quantity(value: float | str) -> str:
    return labels.plain(value) if isinstance(value, str) else number(value)


def reason(rule: str) -> str:
    """Why a sickness matters: the first sentence of that section of its rule's docstring."""
    known = catalogue.rules().get(rule)
    section = known.sections().get("Why it matters", "") if known else ""
    return re.split(r"(?<=[.!?])\s", section.replace("``", "`"), maxsplit=1)[0]


def is_clean(diagnosis: Diagnosis) -> bool:
    return bool(diagnosis.examined) and not diagnosis.findings


def clean(diagnosis: Diagnosis, run: Run) -> str:
    """What to say of a training in which nothing was found."""
    if not diagnosis.examined:
        return "Too little was seen to judge this training."
    crashed = run.ending.get("outcome") == "crashed"
    but = " The script's own error stands above." if crashed else ""
    return f"Clean: {count(len(diagnosis.examined), 'rule')} examined, nothing found.{but}"


def tally(diagnosis: Diagnosis) -> str:
    """How many findings of each severity, folded ones where graver; how many rules are silent."""
    amounts = Counter(finding.severity for finding in diagnosis.roots)
    found = listing(count(amounts[s], NOUNS[s]) for s in SEVERITIES if amounts[s])
    worst = diagnosis.worst()
    if worst is not None and not amounts[worst]:  # what --fail-on goes by is folded
        folded = sum(finding.severity == worst for finding in diagnosis.findings)
        verb = "explains" if len(diagnosis.roots) == 1 else "explain"
        found += f", which {verb} {count(folded, NOUNS[worst])}"
    guilty = {finding.rule for finding in diagnosis.findings}
    silent = len([name for name in diagnosis.examined if name not in guilty])
    return f"Found {found}; {silent} of {count(len(diagnosis.examined), 'rule')} found nothing."


def skipped(diagnosis: Diagnosis) -> dict[str, list[str]]:
    """Rules that did not examine, by their reason."""
    reasons: dict[str, list[str]] = {}
    for rule, why in diagnosis.not_examined.items():
        reasons.setdefault(why, []).append(rule)
    return reasons


def unseen(run: Run) -> str:
    """What was looked for in vain, and what that says."""
    looked = "Nothing called backward() or torch.autograd.grad in this process"
    crashed = run.ending.get("outcome") == "crashed"
    if run.is_cut:
        why = " before the record was cut."
    elif run.ending.get("outcome") == "interrupted":
        why = " before the script was interrupted."
    elif run.ending.get("torch"):
        why = " before the script crashed: its own error stands above." if crashed else "."
    elif crashed:
        why = (
            ": the script crashed before it had imported torch; its own error stands above. If "
            "torch is in another environment, install babysit there."
        )
    else:
        why = ", nor was torch imported, and babysit watches trainings in PyTorch."
    return f"{looked}{why} Processes that the script starts are not watched."


def following(diagnosis: Diagnosis, run: Run) -> str:
    """The next command to type."""
    if diagnosis.roots:
        return f"`babysit explain {diagnosis.roots[0].rule}`"
    if run.has_trained:
        return "`babysit rules` tells what was looked for."
    return (
        "`babysit run SCRIPT ARGS…` with the program and the arguments that train; "
        "`babysit demo` shows it at work."
    )

"""`babysit show`: the diagnosis of a stored run, again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from babysit.change import written
from babysit.cli.output import check_path, say, write
from babysit.errors import BabysitError
from babysit.settings import STORE_FOLDER
from babysit.text import count

if TYPE_CHECKING:
    from babysit.run import Run


@click.command()
@click.argument("name", required=False, metavar="[RUN]")
@click.option("--json", "json_path", metavar="PATH", help="Write it as JSON, too; - for stdout.")
@click.option("--why", is_flag=True, help="List all rules that did not examine, and why.")
@click.option("--trials", is_flag=True, help="List the trials of a checkup instead.")
@click.option("--blackbox", is_flag=True, help="Tell where the black box of a NaN lies.")
@click.option(
    "--folder", default=STORE_FOLDER, show_default=True, metavar="PATH",
    help="Where runs are stored.",
)  # fmt: skip
def command(
    *, name: str | None, json_path: str | None, why: bool, trials: bool, blackbox: bool, folder: str
) -> None:  # fmt: skip
    """Show the diagnosis of a stored run again.

    RUN is its name, or the beginning or end of it; without one it is the latest.

    \b
    babysit show
    babysit show 8f3a
    babysit show --json - | jq .findings
    """
    from babysit.diagnosis import diagnose
    from babysit.reports.json import JsonReport
    from babysit.reports.terminal import TerminalReport
    from babysit.store.segment import black_box, load

    path = check_path("--json", json_path) if json_path not in (None, "-") else None
    run_id, run = load(Path(folder), name)
    if blackbox:
        say("\n".join(map(str, black_box(Path(folder), run_id))) + "\n")
        return
    if trials:
        say(list_trials(run_id, run))
        return
    diagnosis = diagnose(run)
    if json_path is not None:
        text = JsonReport().render(diagnosis, run)
        if path is None:
            say(text)
            return
        write(path, text)
    report = TerminalReport.for_stream(sys.stdout, run_id=run_id)
    report.tells_why = why
    if folder != STORE_FOLDER:
        report.again = f"{report.again} --folder {folder}"
    say(report.render(diagnosis, run) + "\n")


def list_trials(run_id: str, run: Run) -> str:
    """A line for each trial of a checkup: how it was changed and how it ended.

    Raises:
        BabysitError: the run was no checkup.
    """
    tried = run.checkup.get("trials")
    if not tried:
        raise BabysitError(f"Run {run_id} has no trials; `babysit checkup SCRIPT` makes some.")
    lines = []
    for one in tried:
        changes = ", ".join(written(change) for change in one["changes"]) or "as it is"
        end = f"{one['outcome']} after {count(one['steps'], 'step')} in {one['seconds']:.1f} s"
        why = f" ({one['refusal']})" if one["refusal"] else ""
        lines.append(f"{one['name']:20} {end}: {changes}{why}\n")
    return "".join(lines)

"""`babysit show`: the diagnosis of a stored run, again."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from babysit.cli.output import check_path, say, write
from babysit.settings import STORE_FOLDER


@click.command()
@click.argument("name", required=False, metavar="[RUN]")
@click.option("--json", "json_path", metavar="PATH", help="Write it as JSON, too; - for stdout.")
@click.option("--why", is_flag=True, help="List all rules that did not examine, and why.")
@click.option("--blackbox", is_flag=True, help="Tell where the black box of a NaN lies.")
@click.option(
    "--folder", default=STORE_FOLDER, show_default=True, metavar="PATH",
    help="Where runs are stored.",
)  # fmt: skip
def command(
    name: str | None, json_path: str | None, why: bool, blackbox: bool, folder: str
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

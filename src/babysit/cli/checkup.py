"""`babysit checkup`: short experiments on a script as it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from babysit.cli.output import check_path
from babysit.cli.run import LEVELS, write_reports

if TYPE_CHECKING:
    from babysit.lab.checkup import Means
    from babysit.session.checkup import CheckupVerdict
    from babysit.settings import Level
    from babysit.target import Target

SECONDS = 90.0
THOROUGH_SECONDS = 900.0


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-m", "is_module", is_flag=True, help="SCRIPT is a module's name, as for python -m.")
@click.option("--json", "json_path", metavar="PATH", help="Write the diagnosis as JSON, too.")
@click.option("--html", "html_path", metavar="PATH", help="Write the report as one HTML file, too.")
@click.option(
    "--seconds", type=float, metavar="N",
    help=f"What all may take (default: {SECONDS:.0f}, with --thorough {THOROUGH_SECONDS:.0f}).",
)  # fmt: skip
@click.option("--thorough", is_flag=True, help="More seeds and longer trials.")
@click.option(
    "--only", multiple=True, metavar="NAME", help="Make this experiment only; may be repeated."
)
@click.option("--list", "lists", is_flag=True, help="List the experiments, and do nothing else.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N",
              help="Trials at a time (default: one for each core).")  # fmt: skip
@click.option(
    "--fail-on", type=LEVELS, default="never", metavar="LEVEL",
    help="Exit with 1 if findings remain: error, warning or never (the default).",
)  # fmt: skip
@click.option("--no-store", is_flag=True, help="Keep no record below .babysit/.")
@click.option("--quiet", is_flag=True, help="Print nothing.")
@click.argument("script", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]…")
def command(
    *, is_module: bool, json_path: str | None, html_path: str | None, seconds: float | None,
    thorough: bool, only: tuple[str, ...], lists: bool, workers: int | None, fail_on: Level,
    no_store: bool, quiet: bool, script: str | None, arguments: tuple[str, ...],
) -> Callable[[], None] | None:  # fmt: skip
    """Try a training script out by short experiments.

    Can it learn ten examples? Does it use its inputs, do the labels belong to them, does it mix
    examples up, does the seed decide? SCRIPT runs again and again, each time a little changed
    from outside, in processes of its own: what it prints and what files it writes stay there.
    The answers and the diagnosis go to stderr.

    \b
    babysit checkup train.py --epochs 3
    babysit checkup --thorough train.py
    babysit checkup --only shuffled-labels train.py

    Exits as the script does; with 1 where --fail-on applies; with 2 for a misuse. Ctrl-C ends it
    and shows what is known by then.
    """
    from babysit.lab.checkup import Means, experiments
    from babysit.launch import resolve
    from babysit.settings import STORE_FOLDER

    if lists:
        from babysit.cli.output import say

        say("".join(f"{one.name():24}{one.question}\n" for one in experiments()))
        return None
    if script is None:
        raise click.UsageError("Missing argument 'SCRIPT'.", click.get_current_context())
    seconds = seconds or (THOROUGH_SECONDS if thorough else SECONDS)
    means = Means(seconds=seconds, is_thorough=thorough, only=only, workers=workers)
    options = {"--json": json_path, "--html": html_path}
    paths = {option: check_path(option, text) for option, text in options.items() if text}
    target = resolve(script, arguments, module=is_module)
    folder = None if no_store else Path(STORE_FOLDER)
    return partial(check, target, means, folder=folder, paths=paths, quiet=quiet, fail_on=fail_on)


def check(
    target: Target, means: Means, *, folder: Path | None, paths: Mapping[str, Path], quiet: bool,
    fail_on: Level,
) -> None:  # fmt: skip
    """Make the checkup, show it and leave as it asks."""
    from babysit.cli.progress import Teller
    from babysit.session.checkup import check_up_patient
    from babysit.session.watching import reaches
    from babysit.trials.patients import ScriptPatient

    teller = Teller(sys.stderr, label=target.label, means=means, is_quiet=quiet)
    try:
        verdict = check_up_patient(ScriptPatient(target), means, folder=folder, watching=teller)
    finally:
        teller.close()
    show(verdict, paths, quiet=quiet)
    worst = [finding.severity for finding in verdict.diagnosis.findings]
    code = verdict.checkup.run.ending.get("exit_code") or 0
    if any(reaches(severity, fail_on) for severity in worst):
        code = 1
    if verdict.checkup.is_cut_off:
        code = 130
    if code:
        raise SystemExit(code)


def show(verdict: CheckupVerdict, paths: Mapping[str, Path], *, quiet: bool) -> None:
    """Write the reports where they are wanted."""
    from babysit.reports.terminal import TerminalReport

    report = TerminalReport.for_stream(sys.stderr, run_id=verdict.run_id)
    write_reports(paths, report, verdict.diagnosis, verdict.checkup.run)
    if not quiet:
        print(report.render(verdict.diagnosis, verdict.checkup.run), file=sys.stderr, flush=True)

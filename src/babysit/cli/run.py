"""`babysit run`: watch a training script and diagnose it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from babysit.cli.output import check_path, write

if TYPE_CHECKING:
    from babysit.diagnosis import Diagnosis
    from babysit.report import Report
    from babysit.reports.terminal import TerminalReport
    from babysit.run import Run
    from babysit.session import Session, Verdict
    from babysit.settings import Level

LEVELS = click.Choice(["error", "warning", "never"])


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-m", "is_module", is_flag=True, help="SCRIPT is a module's name, as for python -m.")
@click.option("--json", "json_path", metavar="PATH", help="Write the diagnosis as JSON, too.")
@click.option("--html", "html_path", metavar="PATH", help="Write the report as one HTML file, too.")
@click.option("--steps", type=int, metavar="N", help="Stop cleanly after N optimizer steps.")
@click.option(
    "--stop-on",
    type=LEVELS,
    default="never",
    metavar="LEVEL",
    help="Stop cleanly at a certain finding: error, warning or never (the default).",
)
@click.option(
    "--fail-on",
    type=LEVELS,
    default="never",
    metavar="LEVEL",
    help="Exit with 1 if findings remain: error, warning or never (the default).",
)
@click.option(
    "--budget",
    type=float,
    default=0.02,
    metavar="SHARE",
    help="The share of the time that watching may cost (default: 0.02).",
)
@click.option("--seed", type=int, metavar="N", help="Seed Python, NumPy and PyTorch.")
@click.option("--no-store", is_flag=True, help="Keep no record below .babysit/.")
@click.option("--no-blackbox", is_flag=True, help="Keep no batch and no weights after a NaN.")
@click.option("--quiet", is_flag=True, help="Print nothing of ours: no announcement, no report.")
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]…")
def command(
    *, is_module: bool, json_path: str | None, html_path: str | None, steps: int | None,
    stop_on: Level, fail_on: Level, budget: float, seed: int | None, no_store: bool, quiet: bool,
    no_blackbox: bool,    script: str, arguments: tuple[str, ...],
) -> Callable[[], None]:  # fmt: skip
    """Watch a training script as it is, and say what is wrong.

    SCRIPT runs as under python: with its own arguments, output, exit code. Options for babysit
    stand before it; all that stands after it belongs to the script. The report goes to stderr.

    \b
    babysit run train.py --epochs 3
    babysit run --steps 200 --fail-on error train.py
    babysit run -m mypackage.train --epochs 3

    Exits as the script does; with 1 where --fail-on applies; with 2 for a misuse.
    """
    from babysit.launch import resolve
    from babysit.session import run_script
    from babysit.settings import STORE_FOLDER, Settings

    settings = Settings(
        budget=budget, max_steps=steps, stop_on=stop_on, fail_on=fail_on, seed=seed, quiet=quiet,
        keeps_black_box=not no_blackbox,
        folder=None if no_store else Path(STORE_FOLDER),
    )  # fmt: skip
    options = {"--json": json_path, "--html": html_path}
    paths = {option: check_path(option, text) for option, text in options.items() if text}
    target = resolve(script, arguments, module=is_module)
    return partial(run_script, target, settings, on_verdict=partial(report, paths))


def report(paths: Mapping[str, Path], verdict: Verdict, session: Session) -> None:
    """Write the diagnosis where it is wanted; what can be lost, the files, come first."""
    from babysit.reports.terminal import TerminalReport

    shown = TerminalReport.for_stream(sys.stderr, run_id=verdict.run_id)
    write_reports(paths, shown, verdict.diagnosis, verdict.run)
    if not session.settings.quiet:
        session.tell(shown.render(verdict.diagnosis, verdict.run))


def write_reports(
    paths: Mapping[str, Path], shown: TerminalReport, diagnosis: Diagnosis, run: Run
) -> None:
    """Write a diagnosis to files, by option; one that fails is told."""
    from babysit.reports.html import HtmlReport
    from babysit.reports.json import JsonReport

    writers: dict[str, Report] = {"--json": JsonReport(), "--html": HtmlReport(again=shown.again)}
    for option, path in paths.items():
        try:
            write(path, writers[option].render(diagnosis, run))
        except OSError as error:
            print(f"babysit: {option} {path} could not be written ({error}).", file=sys.stderr)

"""`babysit run`: watch a training script and diagnose it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from babysit.cli.output import check_json_path, write

if TYPE_CHECKING:
    from babysit.session import Session, Verdict
    from babysit.settings import Level

LEVELS = click.Choice(["error", "warning", "never"])


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-m", "is_module", is_flag=True, help="SCRIPT is a module's name, as for python -m.")
@click.option("--json", "json_path", metavar="PATH", help="Write the diagnosis as JSON, too.")
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
@click.option("--quiet", is_flag=True, help="Print nothing of ours: no announcement, no report.")
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]…")
def command(
    *, is_module: bool, json_path: str | None, steps: int | None, stop_on: Level, fail_on: Level,
    budget: float, seed: int | None, no_store: bool, quiet: bool, script: str,
    arguments: tuple[str, ...],
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
        folder=None if no_store else Path(STORE_FOLDER),
    )  # fmt: skip
    path = check_json_path(json_path) if json_path is not None else None
    target = resolve(script, arguments, module=is_module)
    return partial(run_script, target, settings, on_verdict=partial(report, path))


def report(path: Path | None, verdict: Verdict, session: Session) -> None:
    """Write the diagnosis where it is wanted; what can be lost, the file, comes first."""
    from babysit.reports.json import JsonReport
    from babysit.reports.terminal import TerminalReport

    if path is not None:
        try:
            write(path, JsonReport().render(verdict.diagnosis, verdict.run))
        except OSError as error:
            print(f"babysit: --json {path} could not be written ({error}).", file=sys.stderr)
    if not session.settings.quiet:
        shown = TerminalReport.for_stream(sys.stderr, run_id=verdict.run_id)
        session.tell(shown.render(verdict.diagnosis, verdict.run))

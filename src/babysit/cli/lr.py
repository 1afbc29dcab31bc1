"""`babysit lr`: find a learning rate for a script as it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from babysit.cli.output import check_path, write

if TYPE_CHECKING:
    from babysit.lab.finding_rate import Means
    from babysit.learning_rate import RateAnswer
    from babysit.target import Target

SECONDS = 120.0
NONE_FOUND, CUT_OFF = 1, 130


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("-m", "is_module", is_flag=True, help="SCRIPT is a module's name, as for python -m.")
@click.option("--json", "json_path", metavar="PATH", help="Write the answer as JSON, too.")
@click.option("--html", "html_path", metavar="PATH", help="Write it as one HTML file, too.")
@click.option(
    "--seconds", type=float, default=SECONDS, metavar="N",
    help=f"What all may take (default: {SECONDS:.0f}).",
)  # fmt: skip
@click.option(
    "--seeds", type=int, default=3, metavar="N", help="Under how many the best race (default: 3)."
)
@click.option("--quiet", is_flag=True, help="Print nothing.")
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]…")
def command(
    *, is_module: bool, json_path: str | None, html_path: str | None, seconds: float, seeds: int,
    quiet: bool, script: str, arguments: tuple[str, ...],
) -> Callable[[], None]:  # fmt: skip
    """Find a learning rate for a training script as it is.

    SCRIPT trains again and again at other rates, in processes of its own: what it prints and what
    files it writes stay there. Range tests find where the loss explodes; below, constant rates
    race under the script's own schedule and warm-up, as long as the training where the time
    suffices. The answer, its range, the curve and the reason go to stderr.

    \b
    babysit lr train.py --epochs 3
    babysit lr --seconds 600 --json rate.json train.py
    babysit lr -m mypackage.train

    Exits with 0 where a rate was found, with 1 where no number is honest, and with 2 for a misuse.
    Ctrl-C ends it and shows what is known by then.
    """
    from babysit.lab.finding_rate import Means
    from babysit.launch import resolve

    options = {"--json": json_path, "--html": html_path}
    paths = {option: check_path(option, text) for option, text in options.items() if text}
    target = resolve(script, arguments, module=is_module)
    return partial(find, target, Means(seconds=seconds, seeds=seeds), paths=paths, quiet=quiet)


def find(target: Target, means: Means, *, paths: Mapping[str, Path], quiet: bool) -> None:
    """Find the rate, show it and leave as it asks."""
    from babysit.cli.rate_progress import RateTeller
    from babysit.session.lr import find_rate_of_script

    teller = RateTeller(None if quiet else sys.stderr, target.label, means)
    try:
        answer = find_rate_of_script(target, means, teller.show)
    finally:
        teller.close()
    show(answer, paths, quiet=quiet)
    if answer.lr is None:
        raise SystemExit(CUT_OFF if answer.is_cut_off else NONE_FOUND)


def show(answer: RateAnswer, paths: Mapping[str, Path], *, quiet: bool) -> None:
    """Write the answer where it is wanted; what can be lost, the files, come first."""
    from babysit.page import Page
    from babysit.reports.json import strict
    from babysit.reports.rate_html import RateHtml
    from babysit.reports.rate_terminal import RateTerminal

    writers: dict[str, Callable[[], str]] = {
        "--json": lambda: strict(answer.to_json()),
        "--html": lambda: RateHtml().render(answer),
    }
    for option, path in paths.items():
        try:
            write(path, writers[option]())
        except OSError as error:
            print(f"babysit: {option} {path} could not be written ({error}).", file=sys.stderr)
    if not quiet:
        page = Page.for_stream(sys.stderr)
        RateTerminal().draw(page, answer)
        print(page.text(), file=sys.stderr, end="", flush=True)

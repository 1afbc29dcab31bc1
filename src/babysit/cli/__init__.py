"""The command line: `babysit COMMAND`. One module a command, loaded when it is called."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from babysit import __version__
from babysit.errors import BabysitError
from babysit.faults import PLEASE_REPORT, RAISE_VARIABLE

COMMANDS: Final = ("run", "checkup", "lr", "show", "rules", "explain", "demo")
MISUSE: Final = 2
INTERRUPTED: Final = 130


class Commands(click.Group):
    """Finds a command by its module, and suggests the nearest where there is none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"babysit.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            raise click.UsageError(unknown(name), ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="babysit %(version)s")
def babysit() -> None:
    """Watch a neural network train: what is wrong, where, why, and what to do.

    \b
    babysit run train.py --epochs 3    watch a script as it is, and diagnose it
    babysit checkup train.py           try it out by short experiments
    babysit show                       see the last diagnosis again
    babysit demo                       see it at work in 20 seconds
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """What `babysit` does on the command line.

    A command that runs a user's program only prepares it and gives it back as a function: it is
    called here, after click has returned, so that click sees none of the program's exceptions.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    result = prepare(given or ["--help"])
    if callable(result):
        try:
            result()
        except BabysitError as error:
            refuse(str(error))
    elif isinstance(result, int) and result:
        raise SystemExit(result)


def prepare(arguments: list[str]) -> object:
    """Let click do a command, or prepare it; a user's mistake is told in one sentence."""
    try:
        return babysit.main(arguments, prog_name="babysit", standalone_mode=False)
    except BabysitError as error:
        refuse(str(error))
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "babysit"
        refuse(f"{ended(error.format_message())} `{where} --help` tells more.")
    except click.ClickException as error:
        refuse(error.format_message())
    except click.Abort:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        refuse(f"{error}.")
    except Exception as error:
        if os.environ.get(RAISE_VARIABLE) == "1":
            raise
        fault = f"{type(error).__name__}: {error}"
        refuse(f"A fault of ours ({fault}, babysit {__version__}). {PLEASE_REPORT}")


def refuse(message: str) -> NoReturn:
    """End with one sentence on stderr, as for every misuse."""
    print(f"babysit: {message}", file=sys.stderr)
    raise SystemExit(MISUSE)


def unknown(name: str) -> str:
    """What to say where there is no such command."""
    said = f"There is no command {name!r}."
    if name.endswith((".py", ".ipynb")) or Path(name).exists():
        return f"{said} To watch a script: `babysit run {name}`."
    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    return f"{said} Did you mean `babysit {near[0]}`?" if near else said


def ended(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."

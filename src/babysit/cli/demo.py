"""`babysit demo`: a training with three faults, its diagnosis, and its cure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click

from babysit.cli.output import difference, say
from babysit.errors import BabysitError
from babysit.page import Page
from babysit.text import percent

FOLDER: Final = Path(__file__).parents[1] / "demo"
FAULTY, MENDED = "faulty.py", "mended.py"
NEEDS: Final = {"torch": "torch", "sklearn": "scikit-learn"}

BEGINNING: Final = (
    "A small network learns to read handwritten digits. Its script is an ordinary one that knows "
    "nothing of babysit. It raises no error, and the loss falls. It has three faults."
)
MIDDLE: Final = "Each finding names the line and the cure. All three together:"
END: Final = "Unseen digits read rightly: {before} before, {after} after."
NEXT: Final = "Next: `babysit run YOUR_SCRIPT.py`"


@click.command()
def command() -> None:
    """See babysit at work: three faults of a training, found and cured.

    It takes some 20 seconds, needs torch and scikit-learn but no network, and leaves no files.
    """
    missing = [package for module, package in NEEDS.items() if find_spec(module) is None]
    if missing:
        raise BabysitError(
            f"The demo trains with {' and '.join(missing)}, which this Python lacks; install with "
            f"`{sys.executable} -m pip install {' '.join(missing)}`."
        )
    with TemporaryDirectory(prefix="babysit-demo-") as folder:
        for script in (FAULTY, MENDED):
            shutil.copy(FOLDER / script, folder)
        narrate(BEGINNING)
        before = train(FAULTY, folder)
        narrate(MIDDLE, diff=difference(FOLDER / FAULTY, FOLDER / MENDED))
        after = train(MENDED, folder)
    narrate(END.format(before=percent(before), after=percent(after)), NEXT)


def narrate(*paragraphs: str, diff: Sequence[str] = ()) -> None:
    """Say what is going on between the runs."""
    page = Page.for_stream(sys.stdout)
    page.blank()
    for paragraph in paragraphs:
        page.paragraph(paragraph)
        page.blank()
    if diff:
        page.diff(diff)
        page.blank()
    say(page.text())


def train(script: str, folder: str) -> float:
    """Run a script under `babysit run`, shown as it goes; the last accuracy that it prints."""
    say(f"$ babysit run {script}\n")
    # The network is so small that a second thread would only cost time.
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONUNBUFFERED": "1"}
    lines = []
    with subprocess.Popen(
        [sys.executable, "-m", "babysit", "run", "--no-store", script],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=sys.stdout, text=True,
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            say(line)
            lines.append(line)
    accuracies = re.findall(r"accuracy (\d\.\d+)", "".join(lines))
    if process.returncode or not accuracies:
        raise BabysitError("The demo's training failed; its own error stands above.")
    return float(accuracies[-1])

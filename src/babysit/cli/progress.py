"""What a long command shows while it works: a bar on a terminal, else a line now and then."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from babysit.page import is_terminal
from babysit.session.checkup import Watching

if TYPE_CHECKING:
    from babysit.lab.bench import Progress
    from babysit.lab.checkup import Means
    from babysit.trial import Result

SIGNS = {"sound": "yes", "unsound": "NO", "told": "told", "not tried": "not tried"}


class Teller(Watching):
    """Tells how a checkup goes."""

    def __init__(self, stream: IO[str], *, label: str, means: Means, is_quiet: bool) -> None:
        self._stream, self._is_quiet = stream, is_quiet
        self._bar: Any = None
        self._task: Any = None
        self._told: set[str] = set()
        self._workers = means.workers
        self._say(
            f"checkup of {label}: first the training as it is, cut short, then experiments; "
            f"at most about {means.seconds:.0f} s and the script's own set-up"
        )

    def on_base(self, base: Result, why: str | None) -> None:
        """The training as it is has been seen."""
        took = f"{base.run.steps} steps in {base.seconds:.1f} s"
        self._say(f"the training as it is: {took}, {base.set_up_seconds:.1f} s of it set-up")
        if why is not None:
            self._say(f"no experiment can be made: {why}")
            if base.outcome == "crashed":
                self._say(base.why.strip().splitlines()[-1] if base.why.strip() else "")

    def on_plan(self, seconds: float, number: int) -> None:
        """It is known how long the experiments will take."""
        self._say(f"{number} experiments, about {seconds:.0f} s (Ctrl-C shows what is known)")

    def show(self, progress: Progress) -> None:
        """Draw the bar, or tell what is newly answered."""
        if self._is_quiet:
            return
        if is_terminal(self._stream):
            self._draw(progress)
            return
        for name, answer in progress.answers.items():
            if name not in self._told:
                self._told.add(name)
                self._say(f"{name}: {SIGNS[answer.verdict]}")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _say(self, text: str) -> None:
        if not self._is_quiet and text:
            self.close()
            print(f"babysit: {text}", file=self._stream, flush=True)

    def _draw(self, progress: Progress) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        if self._bar is None:
            self._bar = Bar(
                BarColumn(bar_width=24), TimeElapsedColumn(), TextColumn("{task.description}"),
                console=Console(file=self._stream, stderr=True), auto_refresh=False, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()
        done = min(progress.done, progress.expected)
        self._bar.update(
            self._task, completed=done / max(progress.expected, 1e-6),
            description=", ".join(progress.busy) or "…",
        )  # fmt: skip
        self._bar.refresh()

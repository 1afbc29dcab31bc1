"""What `babysit lr` shows while it works: a bar on a terminal, else a line for each phase."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from babysit.page import is_terminal
from babysit.text import count

if TYPE_CHECKING:
    from babysit.lab.finding_rate import Means, RateFinder


class RateTeller:
    """Tells how the search for a rate goes. It starts no thread, since trials are forked.

    Args:
        stream: ``None`` to say nothing.
    """

    def __init__(self, stream: IO[str] | None, label: str, means: Means) -> None:
        self._stream = stream
        self._bar: Any = None
        self._task: Any = None
        self._phase, self._knows_length = "", False
        self._say(
            f"looking for a learning rate of {label}: it takes about {means.seconds:.0f} s at most "
            "(Ctrl-C shows what is known)"
        )

    def show(self, finder: RateFinder) -> None:
        """Something has changed, or a moment has passed."""
        if self._stream is None:
            return
        if finder.is_racing and not self._knows_length:
            self._knows_length = True
            self._say(length(finder))
        if is_terminal(self._stream):
            self._draw(finder)
        elif finder.phase != self._phase:
            self._phase = finder.phase
            self._say(f"{finder.phase} ({finder.elapsed:.0f} s)")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _say(self, text: str) -> None:
        if self._stream is not None:
            self.close()
            print(f"babysit: {text}", file=self._stream, flush=True)

    def _draw(self, finder: RateFinder) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        if self._bar is None:
            self._bar = Progress(
                BarColumn(bar_width=24), TimeElapsedColumn(), TextColumn("{task.description}"),
                console=Console(file=self._stream, stderr=True), auto_refresh=False, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()
        self._bar.update(self._task, completed=finder.share_done, description=finder.phase)
        self._bar.refresh()


def length(finder: RateFinder) -> str:
    """How long the training is, and what that means for the race."""
    known = finder.known
    step = f"{1e3 * finder.pace.step_seconds:.3g} ms a step"
    if known.is_whole and known.whole:
        return f"the training has {count(known.whole, 'step')}, {step}: all are raced to the end"
    whole = f"{count(known.whole, 'step')}" if known.whole else "more steps than were seen"
    return (
        f"the training has {whole}, {step}: rates race over {count(known.steps, 'step')} "
        "(--seconds gives more)"
    )

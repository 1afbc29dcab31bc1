"""Text laid out for a terminal: wrapped to its width, styled where styles can be seen."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.text import Text

WIDTH: Final = 80
MAX_WIDTH: Final = 100
MIN_WIDTH: Final = 40
LABEL: Final = 10
CODE: Final = r"`[^`]+`"
SEVERITY_STYLES: Final = {"error": "bold red", "warning": "bold yellow", "advice": "bold blue"}
COLOURS: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
DIFF_STYLES: Final = {"+": "green", "-": "red", "@": "cyan"}


def terminal(stream: IO[str] | None) -> tuple[int, bool]:
    """The width to write to a stream in, and whether it shows colours.

    Other than a terminal it is 80 columns without colours; ``NO_COLOR`` is honoured.
    """
    if stream is None or not is_terminal(stream):
        return WIDTH, False
    try:
        width = os.get_terminal_size(stream.fileno()).columns or WIDTH
    except (OSError, ValueError, AttributeError):  # a stand-in for a stream
        return WIDTH, False
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return max(MIN_WIDTH, min(width, MAX_WIDTH)), not plain


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether somebody looks at a stream, rather than a file or a program."""
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError, AttributeError):  # closed, or a stand-in for a stream
        return False


class Page:
    """Collects blocks of text from top to bottom; :meth:`text` gives them all.

    `Code` between backticks stands out. No line is longer than the width.
    """

    def __init__(self, *, width: int = WIDTH, colour: bool = False) -> None:
        from rich.console import Console

        self.width = width
        self._buffer = io.StringIO()
        self._console = Console(
            file=self._buffer, width=width, height=25, force_terminal=colour, force_jupyter=False,
            color_system="standard" if colour else None, no_color=not colour, highlight=False,
            markup=False, emoji=False, legacy_windows=False, _environ={},
        )  # fmt: skip

    @classmethod
    def for_stream(cls, stream: IO[str] | None) -> Page:
        width, colour = terminal(stream)
        return cls(width=width, colour=colour)

    def text(self) -> str:
        return self._buffer.getvalue()

    def html(self) -> str:
        """The text as HTML: escaped, styles as classes ``r-bold``, ``r-red`` and so on."""
        from html import escape

        from rich.ansi import AnsiDecoder

        lines = []
        for line in AnsiDecoder().decode(self.text()):
            parts = []
            for segment in line.render(self._console):
                style = segment.style
                names = [n for n in ("bold", "dim") if style is not None and getattr(style, n)]
                if style is not None and style.color is not None and style.color.number:
                    names.append(COLOURS[style.color.number % 8])
                classes = " ".join(f"r-{name}" for name in names)
                text = escape(segment.text.rstrip("\n"))
                parts.append(f'<span class="{classes}">{text}</span>' if classes else text)
            lines.append("".join(parts))
        return "\n".join(lines)

    def blank(self) -> None:
        self._console.print()

    def headline(self, title: str, rest: str = "", *, style: str = "bold") -> None:
        """A line across the page that begins with a title."""
        room = self.width - len(title) - 8
        line = self._styled("").append("━━ ", "dim").append(title, style).append(" ")
        if rest:
            line.append("━━ ", "dim").append(shorten(rest, room)).append(" ")
        self._print(line.append("━" * max(0, self.width - line.cell_len), "dim"))

    def divider(self) -> None:
        self._print(self._styled("─" * self.width, "dim"))

    def section(self, title: str) -> None:
        """A heading within the page."""
        self.blank()
        self._print(self._styled(title, "bold"))

    def paragraph(self, text: str, *, indent: int = 0, hang: int = 0, style: str = "") -> None:
        """Wrapped text; lines after the first are indented by ``hang`` more."""
        self._wrap(self._styled(text, style), " " * indent, " " * (indent + hang))

    def entry(self, label: str, text: str, *, indent: int = 2) -> None:
        """Wrapped text beside a label in a narrow column; an empty label continues the last."""
        first = self._styled(" " * indent).append(f"{label:<{LABEL}}", "dim")
        self._wrap(self._styled(text), first, " " * (indent + LABEL))

    def parts(self, *parts: tuple[str, str], indent: int = 0) -> None:
        """One line of (text, style) parts, wrapped if it must be."""
        line = self._styled("")
        for text, style in parts:
            line.append(text, style)
        self._wrap(line, " " * indent, " " * (indent + 2))

    def excerpt(self, lines: Iterable[tuple[int, str]], marked: int, *, indent: int = 4) -> None:
        """Numbered source lines without their common indentation; the one meant is marked."""
        rows = list(lines)
        margin = min((len(c) - len(c.lstrip()) for _, c in rows if c.strip()), default=0)
        digits = len(str(max(number for number, _ in rows)))
        for number, code in rows:
            style = "bold" if number == marked else "dim"
            sign = ">" if number == marked else " "
            line = self._styled(f"{' ' * indent}{sign} {number:>{digits}}  ", style)
            self._print(line.append(code[margin:].rstrip(), style))

    def diff(self, lines: Iterable[str], *, indent: int = 2) -> None:
        """A unified diff."""
        for line in lines:
            style = "bold" if line[:3] in ("---", "+++") else DIFF_STYLES.get(line[:1], "")
            self._print(self._styled(" " * indent).append(line.rstrip("\n"), style))

    def _styled(self, text: str, style: str = "") -> Text:
        from rich.text import Text

        made = Text(text, style=style)
        made.highlight_regex(CODE, "cyan")
        return made

    def _wrap(self, text: Text, first: str | Text, rest: str) -> None:
        from rich.text import Text

        room = max(self.width - len(rest), 10)
        start = first if isinstance(first, Text) else Text(first)
        for index, line in enumerate(text.wrap(self._console, room)):
            line.rstrip()
            self._print((start if index == 0 else Text(rest)).append_text(line))

    def _print(self, line: Text) -> None:
        """One line as it is, cut where it is too long."""
        line.rstrip()
        line.truncate(self.width, overflow="ellipsis")
        self._console.print(line, soft_wrap=True)


def shorten(text: str, room: int) -> str:
    """A sentence that fits: it loses its end.

    >>> shorten("the loss is NaN from step 63 on", 20)
    'the loss is NaN …'
    """
    if len(text) <= room:
        return text
    return text[: room - 2].rsplit(" ", 1)[0].rstrip(" ,;:") + " …"


def clauses(text: str, room: int) -> str:
    """The first clauses of a sentence that fit; of a clause too long, what does.

    >>> clauses("the loss is NaN from step 63 on, after a leap to 8e+30 at step 60", 40)
    'the loss is NaN from step 63 on …'
    """
    if len(text) <= room:
        return text
    ends = [match.start() for match in re.finditer(r"[,;:] ", text) if match.start() <= room - 2]
    return f"{text[: ends[-1]]} …" if ends else shorten(text, room)


def shorten_path(path: str, room: int) -> str:
    """A path that fits: it loses its beginning.

    >>> shorten_path("/home/me/projects/digits/train.py", 20)
    '…/digits/train.py'
    """
    if len(path) <= room:
        return path
    tail = path[len(path) - room + 1 :]
    return "…" + tail[max(0, tail.find(os.sep)) :]

"""A diagnosis as one HTML file: the terminal's report for a browser, without any network."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

from babysit.diagnosis import Diagnosis
from babysit.page import Page
from babysit.reports.terminal import TerminalReport
from babysit.run import Run

WIDTH: Final = 80
# Filled by str.format: braces of the style sheet are doubled.
TEMPLATE: Final = """<!doctype html>
<!-- babysit report -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; padding: 1.5rem; background: light-dark(#fff, #16181d); }}
pre {{ color: light-dark(#1b1f24, #d8dde5); font: 0.9rem/1.5 ui-monospace, Menlo, Consolas,
  "DejaVu Sans Mono", monospace; white-space: pre-wrap; max-width: 80ch; margin: 0 auto; }}
.r-red {{ color: light-dark(#b3261e, #ff8a80); }}
.r-yellow {{ color: light-dark(#8a5a00, #ffca5c); }}
.r-blue {{ color: light-dark(#1f5fbf, #8ab4f8); }}
.r-cyan {{ color: light-dark(#00696f, #6fd7dc); }}
.r-green {{ color: light-dark(#1e6b34, #7bd88f); }}
.r-dim {{ opacity: 0.65; }} .r-bold {{ font-weight: 700; }}
</style>
</head>
<body><main><pre>{body}</pre></main></body>
</html>
"""


@dataclass(frozen=True, kw_only=True)
class HtmlReport:
    """A diagnosis as a self-contained page, light or dark as the reader's system is.

    Args:
        again: the command that shows this report again; ``None`` when nothing is stored.
    """

    again: str | None = None

    def render(self, diagnosis: Diagnosis, run: Run) -> str:
        """The whole page."""
        page = Page(width=WIDTH, colour=True)
        TerminalReport(width=WIDTH, again=self.again, tells_why=True).draw(page, diagnosis, run)
        title = f"babysit: {run.header.get('script', 'a run')}"
        return TEMPLATE.format(title=escape(title), body=page.html().rstrip())

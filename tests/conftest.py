"""What all tests share: our own faults raise, and gold files that are rewritten on demand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

GOLD = Path(__file__).parent / "gold"

os.environ["BABYSIT_RAISE"] = "1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-gold", action="store_true", help="Rewrite the files below tests/gold/; read them."
    )


@pytest.fixture
def gold(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with a file below tests/gold/, or rewrites the file."""

    def compare(name: str, text: str) -> None:
        path = GOLD / name
        if request.config.getoption("--update-gold"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{path} differs; see --update-gold"

    return compare

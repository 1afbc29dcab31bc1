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


# Tests whose trainings last milliseconds: what is sampled must not hang on how busy the machine is.
SAMPLED_FULLY = (
    "test_fed_data", "test_numerics_and_resources", "test_modes", "test_schedules", "test_reach",
    "test_criteria", "test_readings_of_values",
)  # fmt: skip


@pytest.fixture(autouse=True)
def sampling_without_a_clock(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if request.module.__name__.rpartition(".")[2] in SAMPLED_FULLY:
        monkeypatch.setattr("babysit.instrument.pacing.Pacer.affords", lambda self, seconds: True)

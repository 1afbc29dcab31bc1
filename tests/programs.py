"""Running the programs of clinic, ward and field with and without watching."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cases import ROOT


@dataclass(frozen=True)
class Outcome:
    """What a program printed, how it ended, and the digest of its training."""

    stdout: str
    stderr: str
    exit_code: int
    digest: dict[str, Any]


def run(program: Path, folder: Path, *watcher: str) -> Outcome:
    """Run a program in ``folder``, with ``python`` and whatever watches it before its name."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "digest.json"
    environment = {
        **os.environ,
        "DIGEST_OUTPUT": str(output),
        "PYTHONPATH": str(ROOT / "tests" / "digest"),
        "OMP_NUM_THREADS": "1",
        "BABYSIT_RAISE": "1",
    }
    environment.pop("DIGEST_TAKEN", None)
    done = subprocess.run(
        [sys.executable, *watcher, str(program)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    digest = json.loads(output.read_text()) if output.exists() else {}
    return Outcome(done.stdout, done.stderr, done.returncode, digest)


def run_watched(program: Path, folder: Path) -> tuple[Outcome, dict[str, Any]]:
    """Run a program through the real command; its outcome and the diagnosis as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "report.json"
    outcome = run(program, folder, "-m", "babysit", "run", "--quiet", "--json", str(report))
    return outcome, json.loads(report.read_text())

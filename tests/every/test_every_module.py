"""What holds for every module because it exists."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "babysit"
MODULES = sorted(SOURCE.rglob("*.py"))
each_module = pytest.mark.parametrize(
    "module", MODULES, ids=[str(m.relative_to(SOURCE)) for m in MODULES]
)


@each_module
def test_it_says_what_it_is_for_and_stays_small(module: Path) -> None:
    text = module.read_text()
    tree = ast.parse(text)
    is_rule = {"rules", "experiments"} & set(module.parts) and module.name != "__init__.py"
    assert ast.get_docstring(tree) or is_rule or "demo" in module.parts
    assert len(text.splitlines()) <= 400


@each_module
def test_its_functions_stay_short(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.FunctionDef):
            body = node.end_lineno - node.lineno + 1
            documentation = ast.get_docstring(node, clean=False) or ""
            assert body - documentation.count("\n") <= 42, f"{node.name} has {body} lines"


@pytest.mark.parametrize("module", ["babysit", "babysit.cli"])
def test_importing_it_loads_no_framework(module: str) -> None:
    code = (
        f"import sys, {module}; print([m for m in ('torch', 'numpy', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

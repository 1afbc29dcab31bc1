# Everything works from a fresh clone, also from a path with spaces in it: only relative names.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test test-every check bench scores calibration docs new-rule clean

help:  ## Say what the targets do
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(RUN) pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch .venv/.ready

demo: .venv/.ready  ## Diagnose a faulty training on handwritten digits, then the mended one
	$(RUN) babysit demo

test: .venv/.ready  ## Run all tests
	$(RUN) pytest -n 2 --dist worksteal

test-every: .venv/.ready  ## Run all tests, on every program below clinic/ (an hour)
	BABYSIT_EVERY_PROGRAM=1 $(RUN) pytest -n 2 --dist worksteal

check: .venv/.ready  ## Format, lint, types, floors, generated pages
	$(RUN) ruff format --check src tests benchmarks clinic
	$(RUN) ruff check src tests benchmarks
	$(RUN) mypy
	$(BIN)/python -c 'from importlinter.cli import lint_imports_command as run; run()' --no-logo
	$(RUN) benchmarks.pages --check

bench: .venv/.ready  ## Measure cost and autopsies; writes docs/cost.md and docs/numerics.md
	$(RUN) benchmarks.cost
	$(RUN) benchmarks.anomaly

scores: .venv/.ready  ## Judge the rules on all programs under six seeds (an hour)
	$(RUN) benchmarks.scores --seeds 0 1 2 3 4 5

calibration: .venv/.ready  ## Measure all thresholds on all programs (ten minutes)
	$(RUN) benchmarks.calibration

docs: .venv/.ready  ## Write the generated pages (docs/rules/)
	$(RUN) benchmarks.pages

new-rule: .venv/.ready  ## Make the skeleton of a rule: make new-rule NAME=wiring/my-rule
	$(RUN) benchmarks.new_rule "$(NAME)"

clean:  ## Remove the virtual environment and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

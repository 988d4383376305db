# Four verbs, the same on a workstation and in CI. Each installs what it lacks.
.DEFAULT_GOAL := help
ARGS ?=
PYTHON := .venv/bin/python

.PHONY: help setup run test check bench package clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## Make the virtual environment with everything in it
	@scripts/setup

run: setup  ## Start the demo: sample CRM, server, tray (ARGS="--role ceo")
	@scripts/system-packages run
	@.venv/bin/crmtray demo $(ARGS)

# Most tests wait for processes and desktops more than they work: more at a time than a small machine has cores.
test: setup  ## Run all tests (ARGS="tests/server -k feed")
	@scripts/system-packages test
	@$(PYTHON) -m pytest -n 3 --dist loadfile $(ARGS)

check: setup  ## Lint, types, layers
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

bench: setup  ## Measure, each figure beside a reference of the same run
	@$(PYTHON) -m tests.bench $(ARGS)
	@$(PYTHON) -m tests.bench.center
	@$(PYTHON) -m tests.bench.detection
	@scripts/system-packages test
	@$(PYTHON) -m tests.bench.tray

package: setup  ## Make the bundle and the .deb, in dist/
	@scripts/package linux

clean:  ## Remove what the other verbs made
	rm -rf .venv node_modules tests/e2e/js/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

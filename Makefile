# `make` prints what there is to make.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
BIN := .venv/bin

.PHONY: help setup demo test lint type bench bench-live bench-dashboards bench-alerts docs screenshots

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: .venv/.installed ## make .venv and install oeeflow with everything to develop it

.venv/.installed: pyproject.toml
	@for python in python3.12 python3.11 python3; do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && break; \
	    python=; \
	done; \
	if [ -z "$$python" ]; then echo "oeeflow needs Python 3.11 or 3.12; neither was found" >&2; exit 1; fi; \
	[ -x $(BIN)/python ] || "$$python" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: setup ## a living plant on this machine: broker, engine, dashboard; Ctrl-C ends it
	$(BIN)/oeeflow demo

test: setup ## all tests
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: setup ## style and layers
	$(BIN)/ruff check .
	$(BIN)/lint-imports

type: setup ## strict types
	$(BIN)/mypy

bench: setup ## speed and memory, written to benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks.engine

bench-live: setup ## the running engine under load, written to benchmarks/RESULTS-live.md
	$(BIN)/python -m benchmarks.live

bench-dashboards: setup ## pages on a year of 100 machines, and fifty viewers; benchmarks/RESULTS-dashboards.md
	$(BIN)/python -m benchmarks.dashboards

bench-alerts: setup ## what a thousand rules cost, how soon one is told; benchmarks/RESULTS-alerts.md
	$(BIN)/python -m benchmarks.alerts

docs: setup ## write the generated pages anew
	$(BIN)/python -m kpis.catalogue > docs/kpis.md
	$(BIN)/python -m storage.dictionary > docs/data-dictionary.md

screenshots: setup ## pictures of every page of the dashboard, for the documentation
	$(BIN)/python -m tests.browser.screenshots docs/screenshots

# Everything a newcomer types. Each target sets up what it needs; a second run does nothing twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STUDY ?= synthetic
RESULTS ?= results
WORKERS ?= 2

.PHONY: setup data run study test test-all chaos check format bench help

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.installed  ## create .venv and install the project into it

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"Python >= 3.11 is needed, but $(PYTHON) is {v[0]}.{v[1]}; set PYTHON=") if v < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): PyTorch, Ray and their dependencies, a few GB the first time"
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --progress-bar on --editable '.[dev,dashboards]'
	@touch $@

data: setup  ## generate synthetic hands and build their store
	$(BIN)/handssl data build synthetic --root data/synthetic --out data/stores/synthetic

run: setup  ## search the compositions on synthetic hands, then write tables and report
	$(BIN)/python search/run_grid.py results=$(RESULTS) study.name=$(STUDY)
	$(BIN)/python -m analysis $(RESULTS)/$(STUDY)

study: setup  ## the published study on synthetic hands (hours; resumes); writes docs/study
	sh docs/study/run.sh $(BIN)/python $(RESULTS)

# The tests of a file stay in one process, because they share its fixtures.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test: setup  ## the tests of every package and of the main job, in minutes
	$(PYTEST)

test-all: setup  ## every test but those of `make chaos`
	$(PYTEST) -m 'not long'

chaos: setup  ## the long tests: studies killed, without disk space, on clusters that change; every benchmark
	$(BIN)/python -m pytest -m long

check: setup  ## style, types and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## measure the budgets as ratios; writes docs/benchmarks.md
	$(BIN)/python benchmarks/run.py

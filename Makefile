# Everything a newcomer types. Each target sets up what it needs; a second run does nothing twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STUDY ?= synthetic
RESULTS ?= results

.PHONY: setup data run study test chaos check format bench help

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.installed  ## create .venv and install the project into it

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"Python >= 3.11 is needed, but $(PYTHON) is {v[0]}.{v[1]}; set PYTHON=") if v < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV): PyTorch, Ray and their dependencies, a few GB the first time"
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --progress-bar on --editable '.[dev,dashboards]'
	@touch $@

data: setup  ## build the embedded data set and its store
	$(BIN)/handssl data build synthetic --root data/synthetic --out data/stores/synthetic

run: setup  ## search the compositions on embedded data, then compile the tables and the report
	$(BIN)/python search/run_grid.py results=$(RESULTS) study.name=$(STUDY)
	$(BIN)/python -m analysis $(RESULTS)/$(STUDY)

study: setup  ## the embedded data's study (hours; says how many, then resumes); publishes docs/study
	sh docs/study/run.sh $(BIN)/python $(RESULTS)

test: setup  ## every test
	$(BIN)/python -m pytest

chaos: setup  ## the long tests: studies killed, starved of disk, moved between clusters; every benchmark
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

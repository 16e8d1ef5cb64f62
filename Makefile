# make sweep   run the study (STUDY=experiments/variation.py), on DATA=folder or on miniatures
# make test    lint, types and all tests
# make env     only the environment, in .venv
# make wheel   the package, in dist/, as cluster.yaml installs it
# PYTHON=/path/to/python3.12 chooses the interpreter that .venv is made with.

STUDY ?= experiments/variation.py
DATA ?=
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo $$python && break; done)

VENV := .venv
BIN := $(VENV)/bin
PINS := pyproject.toml constraints.txt
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

export PYTHONNOUSERSITE := 1

.PHONY: sweep test lint env wheel
.DELETE_ON_ERROR:

sweep: $(VENV)/.run
	$(BIN)/raymtl sweep "$(STUDY)" $(if $(DATA),--data "$(DATA)")

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

env: $(VENV)/.dev

wheel: $(VENV)/.run
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

# Stamps: each says that an installation from these pins came to its end.
$(VENV)/.run: $(BIN)/python $(PINS)
	@echo "Installing raymtl into $(VENV); the first time this takes some minutes."
	$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: $(BIN)/python $(PINS)
	@echo "Installing raymtl and its tests into $(VENV); the first time this takes some minutes."
	$(INSTALL) -e ".[dev]"
	@touch $@ $(VENV)/.run

$(BIN)/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "raymtl needs Python 3.11 or later; found: $(or $(PYTHON),none). Install it, or" \
		     "name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV) || { rm -f $@; \
		echo "No environment: does $(PYTHON) have its venv module (Debian: python3-venv)?" >&2; \
		exit 1; }

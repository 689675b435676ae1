# make demo    see the main job work: no credentials, nothing leaves this machine
# make test    every test without real processes (two to three minutes on two cores)
# make quick   while working: those that need neither PostgreSQL nor a simulator (a minute and a half on two cores)
# make lint    ruff, mypy and the rules of who may import whom
# make test-system    real processes, crashes and storms (long)
# make bench   how fast, beside a naive script
#
# Each makes its own environment in .venv first, and anew when pyproject.toml changes. Python 3.11 or newer is all
# that has to be there; another one than python3 is named with: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test quick test-system bench lint format clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(VENV)/.runs
	@$(BIN)/connector demo $(DEMO)

# They wait half of the time, for servers and databases of their own: two for each core.
PYTEST := $(BIN)/python -m pytest -n "$$($(BIN)/python -c 'import os; print(2 * (os.cpu_count() or 1))')"

test: $(VENV)/.tests
	$(PYTEST) -m "not system and not servers"

quick: $(VENV)/.tests
	$(PYTEST) -m "not system and not servers" -k "not postgresql" --ignore=tests/contract

test-system: $(VENV)/.tests
	$(BIN)/python -m pytest -m system

bench: $(VENV)/.tests
	$(BIN)/python benchmarks/run.py

lint: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.tests
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "connector needs Python 3.11 or newer, and '$(PYTHON)' is" \
	    "$$($(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null || echo 'not there')." ; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" ; exit 1 ; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "'$(PYTHON)' comes without venv. On Debian and Ubuntu: apt install python3-venv" ; exit 1 ; }
	@echo "making $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runs: pyproject.toml | $(VENV)/bin/python
	@echo "installing what connector needs (once)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.tests: pyproject.toml | $(VENV)/bin/python
	@echo "installing what the tests need (once)"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.runs

# make run, make test, make lint, make bench; see README.rst.
# Everything is installed below .venv; set PYTHON for another interpreter.

PYTHON ?= python3
VENV ?= .venv
CONFIG ?= conf/rangedaemon.yaml
BIN := $(VENV)/bin
MANIFESTS := setup.py pyproject.toml
PYTEST_ARGS ?= --numprocesses=2 --dist=loadfile

.DEFAULT_GOAL := help
.PHONY: help run test lint format schema bench docs kill soak clean

help:
	@echo 'make run     run the daemon in the foreground with $(CONFIG)'
	@echo 'make test    run the whole test suite'
	@echo 'make lint    check formatting, lint, types and layers'
	@echo 'make bench   benchmark against the peers on this machine; WORKS=serving or pulling for a part'
	@echo 'make docs    build the handbook into docs/_build/html'
	@echo 'make kill    SIGKILL the daemon KILL_ROUNDS times (100) under twenty jobs'
	@echo 'make soak    everything at once with faults for SOAK_SECONDS (60), then look at every byte'
	@echo 'make schema  write conf/rangedaemon.schema.json anew'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rangedaemon needs Python 3.11 or newer; set PYTHON")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'No venv module: install it (Debian: apt-get install python3-venv)' >&2; exit 1; }

$(VENV)/.installed: $(MANIFESTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: $(MANIFESTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

run: $(VENV)/.installed
	@exec $(BIN)/twistd --nodaemon --pidfile= rangedaemon --config $(CONFIG)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(VENV)/.installed
	$(BIN)/python -m rangedaemon.config.schema conf/rangedaemon.schema.json

bench: $(VENV)/.installed-dev
	$(BIN)/python -m bench $(foreach work,$(WORKS),--only $(work)) $(BENCH_ARGS)

docs: $(VENV)/.installed-dev
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	$(BIN)/sphinx-build -W -q -b doctest docs docs/_build/doctest
	$(BIN)/sphinx-build -W -q -b man docs docs/_build/man

kill: $(VENV)/.installed-dev
	KILL_ROUNDS=$${KILL_ROUNDS:-100} $(BIN)/python -m pytest tests/integration/test_ops_kill.py

soak: $(VENV)/.installed-dev
	$(BIN)/python -m soak

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info

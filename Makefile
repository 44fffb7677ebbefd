# Everything a person types. `make` alone prints this list.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DATA ?= .onethread
TESTS ?=
MINUTES ?= 20

.PHONY: help demo up test soak check bench fmt lock schemas clean

help:  ## This list.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.runtime: requirements/demo.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV) (once) …"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --requirement requirements/demo.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@

demo: $(VENV)/.runtime  ## One process, sample traffic through the real entrances, one unified conversation.
	@$(BIN)/onethread demo

up: $(VENV)/.runtime  ## All services in one process; data in DATA (.onethread).
	@$(BIN)/onethread up --data $(DATA)

test: $(VENV)/.dev  ## All tests, over every adapter. TESTS=path narrows; ONETHREAD_REQUIRE_BACKENDS=1 forbids skips.
	@$(BIN)/python -m pytest --numprocesses 4 --dist worksteal $(TESTS)

soak: $(VENV)/.dev  ## Processes, servers and links fail while messages flow, for MINUTES (20): one table of what was lost.
	@PYTHONPATH=tests $(BIN)/python -m soak --minutes $(MINUTES)

check: $(VENV)/.dev  ## Format, lint, types, imports, schemas, docs/channels.
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/onethread schemas --check
	@$(BIN)/python deploy/k8s/validate.py

fmt: $(VENV)/.dev  ## Format and mend what can be mended.
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev  ## Speed, as ratios side by side in one run.
	@$(BIN)/python -m bench

schemas: $(VENV)/.dev  ## Write the JSON Schema, AsyncAPI and OpenAPI files and docs/channels anew from the code.
	@$(BIN)/onethread schemas

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml

lock: $(VENV)/.dev  ## Resolve the pinned, hashed dependency files anew: runtime (the image), demo, dev.
	@$(COMPILE) --group build --output-file requirements/runtime.txt
	@$(COMPILE) --group build --extra demo --constraint requirements/runtime.txt --output-file requirements/demo.txt
	@$(COMPILE) --group build --extra demo --group test --group check --constraint requirements/demo.txt --output-file requirements/dev.txt

clean:  ## Remove the environment and caches (never data).
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

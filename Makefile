# Packshot. `make help` lists what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PHOTO ?=
.DEFAULT_GOAL := help
.PHONY: help setup run test check protos protos-check rules-check bench scenes clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/ready ## A virtual environment in .venv/ holding the packshot command, and nats-server

$(VENV)/ready: pyproject.toml tools/setup.sh
	PYTHON=$(PYTHON) tools/setup.sh $(VENV)
	@touch $@

run: setup ## Packshots of the example photos, or of PHOTO=my.jpg, into out/
	$(BIN)/python -m tools.first_run $(if $(PHOTO),"$(PHOTO)") --out out

test: setup ## All tests
	$(BIN)/python -m pytest -q

check: setup protos-check rules-check ## Style, types, import contracts, stubs, rule cases
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

protos: setup ## Regenerates packshot/v1 and the report's JSON Schema from protos/
	$(BIN)/python -m tools.protos
	$(BIN)/python -m tools.report_schema

protos-check: setup
	$(BIN)/python -m tools.protos --check
	$(BIN)/python -m tools.report_schema --check

rules-check: setup
	$(BIN)/python -m services.validator.cases

bench: setup ## Quality and speed, on ../shared where it is there; see bench/README.md
	$(BIN)/python -m bench

scenes: setup ## Renders the example scenes again (about half an hour)
	$(BIN)/pip install --quiet '.[scenes]'
	$(BIN)/python -m bench.scenes --out bench/scenes/cache

clean: ## Removes what make made, but for .venv
	rm -rf out build dist .pytest_cache .mypy_cache .ruff_cache

# Packshot. `make help` lists what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PHOTO ?=
TRAIN_ARGS ?=
MINUTES ?= 10
.DEFAULT_GOAL := help
.PHONY: help setup run test test-chaos fuzz check audit k8s-check protos protos-check rules-check bench bench-quality bench-edges bench-load scenes triton train-pack train train-edges model images images-proof locks compose-secrets clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/ready ## A virtual environment in .venv/ holding the packshot command, and nats-server

$(VENV)/ready: pyproject.toml tools/setup.sh
	PYTHON=$(PYTHON) tools/setup.sh $(VENV)
	@touch $@

run: setup ## Packshots of the example photos, or of PHOTO=my.jpg, into out/
	$(BIN)/python -m tools.first_run $(if $(PHOTO),"$(PHOTO)") --out out

test: setup ## All tests
	$(BIN)/python -m pytest -q

test-chaos: setup ## Bulk jobs while processes are killed, several minutes; PACKSHOT_CHAOS_SEED= repeats a run
	$(BIN)/python -m pytest -q -s -o 'norecursedirs=.*' tests/chaos

fuzz: setup ## Mutated photos, catalogues and requests for MINUTES=10; findings go into out/fuzz/
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

check: setup protos-check rules-check ## Style, types, import contracts, stubs, rule cases
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r packshot services

audit: setup .venv-audit/bin/pip-audit ## Known weaknesses of what the images install (asks PyPI's advisories), and insecure code
	$(BIN)/bandit -q -c pyproject.toml -r packshot services
	@set -e; for lock in services/*/requirements.lock deploy/containers/build.lock; do \
	    .venv-audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$lock; done

.venv-audit/bin/pip-audit:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet pip-audit

k8s-check: setup .venv-checkov/bin/checkov ## Every combination of deploy/k8s built, checked and held against policies
	$(BIN)/python -m pytest -q tests/k8s
	$(BIN)/python -m tools.k8s --out out/k8s
	.venv-checkov/bin/checkov --directory out/k8s --config-file deploy/k8s/tests/checkov.yaml

.venv-checkov/bin/checkov: # in an environment of its own: what it depends on is old
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/pip install --quiet 'checkov>=3.2'

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

bench-load: setup ## Steady, bursts, overload; then every replica replaced, and replicas that come and go (about 15 minutes)
	$(BIN)/python -m bench load rolling rolling-in-place scaling

train-pack: setup ## The training pack in pieces, from ../shared/train and two voters, into .training/
	$(BIN)/pip install --quiet --editable '.[dev,training]'
	$(BIN)/python -m services.segmenter.training.votes
	$(BIN)/python -m services.segmenter.training.votes --model packshot --weights services/segmenter/models/packshot.onnx
	$(BIN)/python -m services.segmenter.training.pack

train: setup ## One leg of training (goes on where it was stopped); TRAIN_ARGS="--side 320 --samples 50000 …"
	$(BIN)/pip install --quiet --editable '.[dev,training]'
	$(BIN)/python -m services.segmenter.training.train $(TRAIN_ARGS)

train-edges: setup ## One leg of training the edge network; TRAIN_ARGS="--samples 50000 …"
	$(BIN)/pip install --quiet --editable '.[dev,training]'
	$(BIN)/python -m services.compositor.training.train $(TRAIN_ARGS)

model: setup ## The trained network as services/segmenter/models/packshot.onnx
	$(BIN)/python -m services.segmenter.training.export

bench-quality: setup ## Quality of cutouts: PHOTOS=, MASKS=, NAME=, or the dev photos and plain composites; see bench/README.md
ifdef PHOTOS
	$(BIN)/python -m bench.quality --photos $(PHOTOS) --masks $(MASKS) --name $(NAME)
else
	$(BIN)/python -m bench quality-dev plain quality-plain quality-low-contrast quality-confidence
endif

bench-edges: setup ## Edges on photos and on scenes (rendered once) beside other tools of PEER_PYTHON=; see bench/README.md
	$(BIN)/pip install --quiet --editable '.[dev,scenes]'
	$(BIN)/python -m bench.scenes.edges --out out/edges
	$(BIN)/python -m bench edges edges-cost

triton: .venv-triton/bin/tritonserver ## A real Triton server (CPU) for the integration tests, about 100 MB

.venv-triton/bin/tritonserver: tools/triton.sh
	PYTHON=$(PYTHON) tools/triton.sh .venv-triton
	@touch $@

scenes: setup ## Renders the example scenes again (about half an hour)
	$(BIN)/pip install --quiet '.[scenes]'
	$(BIN)/python -m bench.scenes --out bench/scenes/cache

images: ## Images of all services with docker, podman or buildah; see docs/containers.md
	tools/containers/build.sh

images-proof: setup ## Builds the images without a container engine and runs compose.yaml's services; root, 15 GB of disk
	$(BIN)/python -m tools.containers.proof

locks: setup ## The images' lock files anew: the newest packages that pyproject.toml allows
	tools/containers/locks.sh $(BIN)/uv

compose-secrets: ## Passwords for compose.yaml, made once
	tools/containers/secrets.sh deploy/containers/secrets

clean: ## Removes what make made, but for .venv
	rm -rf out build dist .pytest_cache .mypy_cache .ruff_cache

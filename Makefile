# Everything starts here. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PY := .venv/bin/python
SAM := .tools/sam/bin/sam
AWS ?= ministack
export PYTHONPATH := .:layers/contracts/src:layers/kit/src:edge-bridge/src
export UV_PROJECT_ENVIRONMENT := .venv
export SAM_CLI_TELEMETRY := 0

PARALLEL := -n 2 --dist loadscope --no-loadscope-reorder

STRICT := layers/contracts/src layers/kit/src edge-bridge/src functions iac/local

.PHONY: help setup up down demo serve test test-all check lint types architecture audit sam bench bench-peers schemas openapi lock clean chaos

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.ready ## make .venv with everything a working copy needs

.venv/.ready: requirements/uv.txt requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "Python 3.11 to 3.13 is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv .venv
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@.venv/bin/uv pip install -q --python $(PY) --require-hashes -r requirements/dev.txt
	@touch $@

.tools/sam/.ready: requirements/sam.txt | setup
	@test -x .tools/sam/bin/python || $(PYTHON) -m venv .tools/sam
	@.venv/bin/uv pip install -q --python .tools/sam/bin/python --require-hashes -r requirements/sam.txt
	@touch $@

.tools/localstack/.ready: requirements/localstack.txt | setup
	@test -x .tools/localstack/bin/python || $(PYTHON) -m venv .tools/localstack
	@.venv/bin/uv pip install -q --python .tools/localstack/bin/python --require-hashes -r requirements/localstack.txt
	@touch $@

# The peer needs Python 3.12 to 3.14, which need not be the one of .venv.
PEER_PYTHONS := $(PEER_PYTHON) python3.12 python3.13 python3.14 $(PYTHON) \
  $(wildcard $(HOME)/.pyenv/versions/3.1[234].*/bin/python)

.tools/peers/.ready: requirements/peers.txt | setup
	@for each in $(PEER_PYTHONS); do \
	  if $$each -c 'import sys; sys.exit(not (3, 12) <= sys.version_info < (3, 15))' 2>/dev/null; then \
	    $$each -m venv --clear .tools/peers; break; fi; done
	@test -x .tools/peers/bin/python \
	  || { echo "Python 3.12 to 3.14 is needed: make bench-peers PEER_PYTHON=/path/to/python3.12" >&2; exit 1; }
	@.venv/bin/uv pip install -q --python .tools/peers/bin/python --require-hashes -r requirements/peers.txt
	@touch $@

up: setup ## start the local stack and keep it running until Ctrl-C (AWS=localstack where Docker is)
	@$(if $(filter localstack,$(AWS)),$(MAKE) -s .tools/localstack/.ready,true)
	@exec $(PY) -m iac.local up --aws $(AWS)

down: setup ## stop the running stack
	@$(PY) -m iac.local down

demo: ## set up, start, deploy, play a trading day, show what happened
	@began=$$(date +%s%N); $(MAKE) -s setup; ended=$$(date +%s%N); \
	 SINYAL_SETUP_MS=$$(( (ended - began) / 1000000 )) exec $(PY) -m iac.local demo

serve: setup ## run each room's HTTP door alone on its port, against a running stack
	@exec $(PY) -m iac.local serve

test: setup ## the tests, but for the slow ones
	@$(PY) -m pytest $(PARALLEL) -m "not slow"

test-all: setup ## every test; the slow ones, some of which measure, one after the other
	@$(PY) -m pytest $(PARALLEL) -m "not slow"
	@$(PY) -m pytest -m slow

chaos: setup ## seeded stories of faults on the edge: SEED=17 plays one again, SEEDS=1000 many
	@$(PY) -m tests.edge_bridge.chaos $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),50))

check: lint types architecture sam audit test ## what CI runs

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: setup
	@.venv/bin/mypy $(STRICT)

architecture: setup
	@.venv/bin/lint-imports --no-cache

sam: .tools/sam/.ready
	@$(SAM) validate --lint --region ap-southeast-3

audit: setup ## bandit, known advisories of the pins, a scan for secrets
	@$(PY) -m iac.security

openapi: setup ## regenerate docs/openapi.json and docs/permissions.md
	@$(PY) -m iac.openapi

bench: setup ## speed: order path, decision, ticks, cold starts; writes var/bench.json
	@$(PY) -m benchmarks

bench-peers: .tools/peers/.ready ## install nautilus_trader in an environment of its own and race it (TICKS=FILE.parquet)
	@$(PY) -m benchmarks.engine_race

schemas: setup ## regenerate events/schemas from the contracts
	@$(PY) -m iac.schemas

lock: setup ## compile the requirements again
	@for file in dev uv sam localstack edge; do \
	  .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --upgrade requirements/$$file.in -o requirements/$$file.txt; done
	@.venv/bin/uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --upgrade requirements/peers.in -o requirements/peers.txt
	@$(MAKE) -s -C layers/third_party lock UV=$(CURDIR)/.venv/bin/uv

clean: down ## remove what was made here, but for .venv
	@rm -rf var .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis

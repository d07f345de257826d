# `make` alone lists the targets. Each does the set-up it needs; see deploy/setup.py.
PYTHON ?= python3
SETUP := $(PYTHON) deploy/setup.py
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
# A file's tests run in one worker, so that they can share what is dear; a test that hangs fails after two minutes.
PARALLEL := -n 4 --dist loadfile --timeout 120
SEED ?= 1
MINUTES ?= 20
# The smaller sets take their versions from the largest, so that one environment can hold them all.
UV_COMPILE = $(PY) -m uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	--python-version 3.11 $(if $(UPGRADE),--upgrade) $$([ $$set = quality ] || echo --constraint requirements/quality.txt)

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check up down status unit integration e2e faults soak bench cover docs lock

help:
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Start everything, run the main job end to end, print its timeline
	@$(SETUP) run
	@$(PY) -m deploy.cli demo

test: ## Every test but the long ones
	@$(SETUP) test
	@$(PYTEST) $(PARALLEL) -m "not long" tests

test-all: ## Every test there is
	@$(SETUP) test
	@$(PYTEST) $(PARALLEL) tests

check: ## Linters, types, import rules, lock files, generated pages, deployment files
	@$(SETUP) quality --no-broker
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports
	@if grep -n '://' requirements/*.txt; then echo 'check: a lock file contains an address'; exit 1; fi
	@$(PY) -m deploy.docs --check
	@.venv/bin/hadolint deploy/Dockerfile
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml

up: ## Start the stack, give it a catalogue, and leave it running, supervised
	@$(SETUP) run
	@$(PY) -m deploy.cli up --detach
	@$(PY) -m deploy.cli seed

down: ## End the running stack
	@$(PY) -m deploy.cli down

status: ## Show what runs
	@$(PY) -m deploy.cli status

unit: ## Unit and contract tests; they need no server
	@$(SETUP) test --no-broker
	@$(PYTEST) $(PARALLEL) $(wildcard tests/unit tests/contracts)

integration: ## Tests on the real broker and database
	@$(SETUP) test
	@$(PYTEST) $(PARALLEL) tests/integration

e2e: ## The demo's path through all processes
	@$(SETUP) test
	@$(PYTEST) $(PARALLEL) tests/e2e

faults: ## Processes, servers, links and messages hurt under load; SEED=2 hurts in another way
	@$(SETUP) test
	@$(PYTEST) $(PARALLEL) --timeout 600 --seed $(SEED) tests/faults

soak: ## Faults by chance for MINUTES=20, the same for the same SEED=1; ends in a table
	@$(SETUP) test
	@$(PY) -m tests.faults.soak --minutes $(MINUTES) --seed $(SEED)

cover: ## What `make test` covers; pages in htmlcov/
	@$(SETUP) test
	@$(PYTEST) $(PARALLEL) --cov=services --cov=shared --cov=deploy --cov-report=term --cov-report=html \
		$(wildcard tests/unit tests/contracts tests/integration tests/e2e)

bench: ## Speed as ratios to the bare libraries, on private servers (ROWS="drain latency" measures those alone)
	@$(SETUP) test
	@$(SETUP) bench
	@$(PY) -m tests.bench $(ROWS)

docs: ## Render docs/messages.md and the schemas from the contracts
	@$(SETUP) run --no-broker
	@$(PY) -m deploy.docs

lock: ## Renew requirements/*.txt from the .in files (UPGRADE=1 takes newer versions)
	@$(SETUP) quality --no-broker
	@for set in quality test run bench pdf; do \
		echo "  $$set"; \
		$(UV_COMPILE) requirements/$$set.in -o requirements/$$set.txt || exit 1; \
	done

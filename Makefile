# Two commands do everything: `make demo` and `make test`. Set-up is part of them, is done once, and is done again
# only when what it stands on has changed.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .make

# The environment of this tree is the one that counts, whatever is active around it.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME

.PHONY: help setup demo test check lint types tests coverage chaos bench build lock browser clean

help: ## Show what there is
	@echo "codemation: make <target>"
	@echo
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: $(STAMPS)/project ## Make the environment (.venv) from requirements.lock

demo: setup ## Run the main job on real data: every flight that left New York in 2013
	@cd app_template && ../$(BIN)/python demo.py

test: check browser tests ## Run the whole gate: lint, types, imports, the tests and the docs' examples

check: lint types

lint: setup ## Check style, format and the arrows between the packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: setup ## Check the types strictly
	$(BIN)/mypy --strict codemation

# pytest writes the closing line, so whatever follows it is silent unless it fails.
tests: setup browser
	@rm -f .coverage .coverage.*
	$(BIN)/pytest -n logical --dist loadscope --cov --cov-report=
	@$(MAKE) coverage

coverage: setup ## Check that the last `make test` covered every branch of the core
	@test -f .coverage || { echo "There is no coverage to check yet: run make test first." >&2; exit 1; }
	@$(BIN)/coverage report --include='codemation/core/*' --fail-under=100 --skip-covered --show-missing \
		> $(STAMPS)/coverage.txt || { cat $(STAMPS)/coverage.txt >&2; \
		echo "codemation/core must be covered in full, branches included." >&2; exit 1; }

chaos: setup ## Let all go wrong at random for MINUTES=10, then at MOMENTS=50 and in SEEDS=50 bookings, and judge it
	$(BIN)/python -m tests.journeys.chaos --minutes $(or $(MINUTES),10)
	$(BIN)/python -m tests.journeys.production --minutes $(or $(MINUTES),10)
	$(BIN)/python -m tests.journeys.moments --moments $(or $(MOMENTS),50)
	BOOKING_SEEDS=$(or $(SEEDS),50) $(BIN)/pytest -n 0 -q tests/journeys/test_travel.py

bench: setup ## Measure the engine against the bars and its peers
	$(BIN)/python -m benchmarks

build: setup ## Build the wheel and the source distribution into dist/
	$(BIN)/uv build --out-dir dist

lock: $(STAMPS)/uv ## Resolve the dependencies anew into requirements.lock
	$(BIN)/uv pip compile --universal --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--python-version 3.11 --extra dev --group demo --group test pyproject.toml -o requirements.lock

clean: ## Remove what the other targets made, but no database (.codemation)
	rm -rf $(VENV) $(STAMPS) build dist app_template/build .coverage .coverage.* htmlcov \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up: each stamp is newer than what it stands on, or is made again ---------------------------------------

$(VENV)/pyvenv.cfg:
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is not there: install Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old: codemation needs 3.11; name another by PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "No virtual environment could be made; on Debian: apt install python3-venv" >&2; exit 1; }

# uv stands in the lock like everything else, so pip fetches exactly that one and checks its hashes.
$(STAMPS)/uv: $(VENV)/pyvenv.cfg requirements.lock
	@mkdir -p $(STAMPS)
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(STAMPS)/uv.txt
	@test -s $(STAMPS)/uv.txt || { echo "requirements.lock does not pin uv: run make lock where uv is installed." >&2; exit 1; }
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(BIN)/python -m ensurepip > /dev/null
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(STAMPS)/uv.txt
	@touch $@

$(STAMPS)/requirements: $(STAMPS)/uv requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@touch $@

$(STAMPS)/project: $(STAMPS)/requirements pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

# Some tests look at pages through a browser; Debian's package brings it and its fonts.
browser:
	@mkdir -p $(STAMPS)
	@if ! command -v chromium > /dev/null; then \
		if [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then \
			echo "The tests need chromium: install it (Debian: sudo apt install chromium fonts-dejavu), then go on." >&2; exit 1; \
		fi; \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu > $(STAMPS)/browser.log \
			|| { cat $(STAMPS)/browser.log >&2; exit 1; }; \
	fi

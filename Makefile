# `make run` and `make test` set up all that they need. What they make lies in .venv and goes with `make clean`.
#
#   make run              the example pipeline
#   make test             the whole test suite; make test ARGS="-k calls -x" chooses
#   make check            linting, formatting, types, import contracts
#   make bench            all benchmarks; make bench ARGS="chain fanout --json" chooses
#   make clean            remove everything that make made
#
# PYTHON=... chooses the interpreter, VENV=... another place for what is installed.

PYTHON ?=
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
READY := $(VENV)/.ready
EXAMPLES := $(VENV)/.installed-examples
DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help run test check bench clean postgres
.DELETE_ON_ERROR:

help:
	@sed -n '/^#   make/s/^#   //p' Makefile

run: $(EXAMPLES)
	@$(BIN)/stellwerk run examples/flights/pipeline.py:flights $(ARGS)

# pytest's summary is to be the last line, so nothing follows it.
test: $(DEV) postgres
	@$(BIN)/python -m pytest $(ARGS)

check: $(DEV)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict src
	@$(BIN)/lint-imports

bench: $(DEV)
	@$(BIN)/python benchmarks/run.py $(ARGS)

clean:
	rm -rf $(VENV) build dist .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests examples benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------------------ what is set up

# Shell functions of the recipes below. as_root: run a command as root, with sudo where needed. install: get Debian
# packages; a stale package list is refreshed first.
define SHELL_FUNCTIONS
as_root() { if [ "$$(id -u)" = 0 ]; then "$$@"; else sudo "$$@"; fi; }; \
install() { \
	if ! command -v apt-get >/dev/null; then echo "There is no apt-get here; please install $$* yourself." >&2; return 1; fi; \
	if [ "$$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then \
		echo "Installing $$* takes root or sudo; please run: apt-get install $$*" >&2; return 1; fi; \
	echo "Installing $$* (Debian package) ..."; \
	as_root apt-get -qq update || echo "The package lists could not be refreshed; trying with those that are here." >&2; \
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$$@" >/dev/null; }; \
is_usable() { "$$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }
endef

# An interpreter counts only if it runs (a pyenv shim may exist for a version that is not active).
$(READY):
	@set -e; $(SHELL_FUNCTIONS); \
	python=; \
	for each in $(PYTHON) python3.11 python3.12 python3.13 python3 $(BIN)/python; do \
		if is_usable "$$each"; then python="$$each"; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "Stellwerk needs Python 3.11, 3.12 or 3.13; none was found. PYTHON=... names one." >&2; exit 1; fi; \
	if ! is_usable $(BIN)/python || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
			version=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
			install "$$version" || install python3-venv; \
		fi; \
		echo "Making $(VENV) with $$("$$python" --version) ..."; \
		rm -rf $(VENV); \
		"$$python" -m venv $(VENV); \
	fi; \
	touch $@

# Editable, so that these run again only when pyproject.toml has changed.
$(EXAMPLES): pyproject.toml $(READY)
	@echo "Installing Stellwerk and what the example needs into $(VENV) ..."
	@$(PIP) install --editable '.[examples]'
	@touch $@

$(DEV): pyproject.toml $(READY)
	@echo "Installing Stellwerk and what its development needs into $(VENV) ..."
	@$(PIP) install --editable '.[dev]'
	@touch $@ $(EXAMPLES)

# The tests start a private PostgreSQL of their own; they need its programs, not a running server.
postgres:
	@set -e; $(SHELL_FUNCTIONS); \
	if ! command -v initdb >/dev/null && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then \
		install postgresql; \
	fi

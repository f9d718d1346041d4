# One command for each thing; every target installs what it needs and nothing twice.
# Presumed: Python 3.11 or newer with venv, make, and the registries of Python and Node packages.
# What is installed is remembered in stamp files inside the environment itself: remove .venv and all begins anew.

.DEFAULT_GOAL := help
.SUFFIXES:
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
LOCKED := install --quiet --require-hashes --only-binary :all:

# Node and npm come out of a wheel and look for each other on PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# As pip and curl do, trust the certificates this machine trusts: some networks have an authority of their own.
export NODE_USE_SYSTEM_CA := 1
export npm_config_update_notifier := false
# Some machines keep Python from keeping what it has compiled: each process that a test starts would compile Parola anew.
unexport PYTHONDONTWRITEBYTECODE

VENV_OK    := $(VENV)/venv.stamp
RUNTIME_OK := $(VENV)/runtime.stamp
BUILD_OK   := $(VENV)/build.stamp
PAROLA_OK  := $(VENV)/parola.stamp
DEMO_OK    := $(VENV)/demo.stamp
DEV_OK     := $(VENV)/dev.stamp
NPM_OK     := web/node_modules/npm.stamp
PAGE       := src/parola/page/index.html

# The page depends on its sources, not on their tests nor on what a build leaves among them.
PAGE_SOURCES := $(shell find web \( -name node_modules -o -name dist -o -name coverage -o -name '.*' -o -name tests \) -prune \
                  -o -type f ! -name '*.test.ts' ! -name '*.md' ! -path web/src/language/messages.ts -print 2>/dev/null)

ARGS ?=
SECONDS ?= 60

# What is heard is judged alone, one after the other. All else shares the processor, file by file: what only waits apart
# from what keeps it busy.
SIDE_BY_SIDE  := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m
WAITING       := $(BIN)/python -m pytest --numprocesses 3 --dist loadfile -m waits
ALONE         := $(BIN)/python -m pytest -m alone
ON_POSTGRESQL := --database postgresql --database-only

.PHONY: help run test test-postgresql demo bench bench-web bench-listeners fire fuzz lint format dist dist-check lock clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 20

run: $(PAROLA_OK) $(PAGE) ## start Parola on this machine (ARGS="--port 9000" and the like go on to it)
	exec $(BIN)/parola serve $(ARGS)

demo: $(PAROLA_OK) $(PAGE) $(DEMO_OK) ## a live room with several speakers, to look at and listen to
	@$(BIN)/python -m tools.speech
	exec $(BIN)/parola demo --speech .cache/speech/demo $(ARGS)

test: $(DEV_OK) $(PAROLA_OK) $(PAGE) ## every test (ARGS="tests/rtp -k red" for some)
	@$(BIN)/python -m tools.chromium
	@$(BIN)/python -m tools.speech
	cd web && npm test
ifeq ($(ARGS),)
	$(SIDE_BY_SIDE) "not alone and not waits"
	$(WAITING)
	$(ALONE)
else
	$(BIN)/python -m pytest $(ARGS)
endif

test-postgresql: $(DEV_OK) $(PAROLA_OK) $(PAGE) ## whatever speaks SQL, on a real PostgreSQL
	@$(BIN)/python -m tools.chromium
	@$(BIN)/python -m tools.speech
	$(SIDE_BY_SIDE) "not alone and not waits" $(ON_POSTGRESQL)

bench: $(DEV_OK) $(PAROLA_OK) $(PAGE) ## measure, and print a table
	@$(BIN)/python -m tools.chromium
	@$(BIN)/python -m tools.speech
	$(BIN)/python -m bench $(ARGS)

bench-web: $(DEV_OK) $(PAROLA_OK) $(PAGE) ## what a phone loads from a shared link, and how soon it can be tapped
	@$(BIN)/python -m tools.chromium
	$(BIN)/python -m bench.web

bench-listeners: $(DEV_OK) $(PAROLA_OK) $(PAGE) ## what large audiences cost, beside other servers (ARGS="crowd --listeners 2000")
	@$(BIN)/python -m tools.speech
	$(BIN)/python -m bench.listeners $(ARGS)

fire: $(DEV_OK) $(PAROLA_OK) $(PAGE) ## what happens when things break, as a table (about half an hour; ARGS="media_killed" for one)
	@$(BIN)/python -m tools.chromium
	@$(BIN)/python -m tools.speech
	$(BIN)/python -m fire $(ARGS)

fuzz: $(DEV_OK) $(PAROLA_OK) ## parsers against made-up input (SECONDS=60 for all, ARGS="sdp api" for some)
	$(BIN)/python -m fuzz --seconds $(SECONDS) $(ARGS)

lint: $(DEV_OK) $(PAROLA_OK) $(NPM_OK) ## style, types, the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.sizes
	$(BIN)/python -m tools.permissions --check
	@! grep -n '://' requirements*.lock && ! grep -n '"resolved"' web/package-lock.json \
	  || { echo "a lock file names a registry's host" >&2; exit 1; }
	cd web && npm run check
	cd web && npm run lint

format: $(DEV_OK) ## let ruff arrange the Python files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

dist: $(BUILD_OK) $(PAGE) ## a wheel that carries the page, in dist/
	rm -rf dist
	$(BIN)/hatchling build -t wheel

dist-check: dist ## the wheel in an empty environment: it must serve its page
	$(BIN)/python -m tools.wheel

lock: $(DEV_OK) ## resolve the dependencies anew
	tools/lock.sh

clean: ## remove everything that was installed or built; rooms and accounts in data/ stay
	rm -rf $(VENV) .cache web/node_modules src/parola/page dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed once, and again when a lock file changes.

$(VENV_OK):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Parola needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUNTIME_OK): requirements.lock $(VENV_OK)
	$(PIP) $(LOCKED) -r requirements.lock
	@touch $@

$(BUILD_OK): requirements-build.lock $(VENV_OK)
	$(PIP) $(LOCKED) -r requirements-build.lock
	@touch $@

$(DEMO_OK): requirements-demo.lock $(RUNTIME_OK)
	$(PIP) $(LOCKED) -r requirements-demo.lock
	@touch $@

$(DEV_OK): requirements-dev.lock $(VENV_OK)
	$(PIP) $(LOCKED) -r requirements-dev.lock
	@touch $@ $(RUNTIME_OK) $(BUILD_OK) $(DEMO_OK)

$(PAROLA_OK): pyproject.toml $(RUNTIME_OK) $(BUILD_OK)
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(NPM_OK): web/package.json web/package-lock.json $(BUILD_OK)
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): $(PAGE_SOURCES) $(NPM_OK)
	cd web && npm run build
	@test -f $@ && touch $@

# Everything a person needs: make demo, make test, make ui.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export DAGSTER_HOME ?= $(CURDIR)/data/dagster
export GX_ANALYTICS_ENABLED := false
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help demo test slow fuzz lint ui shots bench lock clean
help:           ## this list
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:[^#]*##/\t/'

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("invbi needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP)  ## the whole loop on an emulated retailer, in a folder of its own
	$(BIN)/invbi demo $(ARGS)

test: $(STAMP) lint  ## lint, types and every test but the slow ones
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow" $(ARGS)

slow: $(STAMP)  ## the tests marked slow
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m slow $(ARGS)

fuzz: $(STAMP)  ## the properties alone, on examples drawn anew
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "hypothesis and not slow" $(ARGS)

lint: $(STAMP)  ## ruff and strict mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

ui: $(STAMP)    ## the Dagster UI with the sandbox beside it
	$(BIN)/invbi ui --sandbox $(ARGS)

shots: $(STAMP) ## the README's screenshots, taken anew
	$(BIN)/python -m invbi_pipeline_tests.screenshots

bench: $(STAMP) ## measure, and rewrite the figures page (ARGS="push --write" for one of them)
	$(BIN)/invbi bench $(or $(ARGS),all)

lock:           ## pin every dependency anew (needs uv)
	uv pip compile --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url --no-header --no-annotate -o requirements.lock pyproject.toml

clean:          ## remove the environment and all state
	rm -rf $(VENV) data/demo data/dagster data/*.duckdb data/state.db*

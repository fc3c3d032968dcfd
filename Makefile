# Two commands on a fresh machine: `make demo` shows the main job, `make test` proves it.
# Another Python is taken with PYTHON=python3.12, after `make clean`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test test-readers bench bench-short lint clean
help:            ## what can be made here
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

.venv/installed: requirement.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed, e.g. make demo PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirement.txt
	@touch $@

.venv/installed-extras: .venv/installed requirement-extras.txt tests/requirement.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirement-extras.txt -r tests/requirement.txt
	@touch $@

.venv/installed-readers: .venv/installed-extras tests/readers/requirement.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/readers/requirement.txt
	@touch $@

demo: .venv/installed            ## the two scripts on a small web of their own, no internet needed
	$(BIN)/python -m demo

test: .venv/installed-extras     ## all tests
	$(BIN)/python -m pytest

test-readers: .venv/installed-readers  ## exports, read back by the tools that they are for
	$(BIN)/python -m pytest -n 0 -W ignore -o python_files='reads_*.py' tests/readers

bench: .venv/installed           ## side by side with others on a local web, about 20 minutes (Linux)
	$(BIN)/python -m benchmarks race

bench-short: .venv/installed     ## the same with few others, about two minutes
	$(BIN)/python -m benchmarks race --short

lint: .venv/installed-extras     ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:           ## remove the environment and what the demo and the tests left
	rm -rf demo/result benchmarks/result benchmarks/.venv .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `make demo` and `make test` work in a fresh clone. For another Python: make clean demo PYTHON=python3.12
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo test test-readers bench bench-short lint clean
help:            ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

.venv/installed: requirement.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is required, e.g. make demo PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirement.txt
	@touch $@

.venv/installed-extras: .venv/installed requirement-extras.txt tests/requirement.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirement-extras.txt -r tests/requirement.txt
	@touch $@

.venv/installed-readers: .venv/installed-extras tests/readers/requirement.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/readers/requirement.txt
	@touch $@

# Readers that need other packages than the rest have a virtual environment for each folder of their tests.
# Most of their many modules are never imported, so pip does not compile them.
.venv/readers-%/installed: tests/readers/%/requirement.txt requirement.txt | .venv/installed
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --no-compile --disable-pip-version-check -r requirement.txt -r $<
	@touch $@

demo: .venv/installed            ## run both scripts against local web servers (installs packages, else offline)
	$(BIN)/python -m demo

test: .venv/installed-extras     ## run all tests
	$(BIN)/python -m pytest

READ := -m pytest -o addopts='-q -p no:cacheprovider' -W ignore -o python_files='reads_*.py'
test-readers: .venv/installed-readers .venv/readers-torch/installed .venv/readers-datumaro/installed  ## read exports back with the tools that they are for
	$(BIN)/python $(READ) tests/readers/reads_*.py
	.venv/readers-torch/bin/python $(READ) tests/readers/torch
	.venv/readers-datumaro/bin/python $(READ) tests/readers/datumaro

bench: .venv/installed           ## compare with other downloaders on a local web server, about 20 minutes (Linux)
	$(BIN)/python -m benchmarks compare

bench-short: .venv/installed     ## the same with fewer URLs and programs, about two minutes
	$(BIN)/python -m benchmarks compare --short

lint: .venv/installed-extras     ## check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clean:           ## remove the virtual environment and the files of demo, tests and benchmarks
	rm -rf demo/result benchmarks/result benchmarks/.venv .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

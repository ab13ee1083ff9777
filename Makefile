# make setup   a virtual environment with lumbre and what its tests need
# make demo    fetch the models, read examples/documents, answer three questions
# make test    check, then every test (fetches the weights the tests run on)
# make check   format, lint, types, layers, documentation
# make bench   the figures, written to benchmarks/results
# make fuzz    damaged headers for every parser; FUZZ_S seconds for each, 30 if not said
#
# Needs Python 3.11 or newer, its venv module, and make. Nothing is installed outside .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
HOUSEHOLD ?= starter
FUZZ_S ?= 30
# Each may hold a model of 2 GB
TESTS_AT_A_TIME ?= 2
DEMO := $(BIN)/lumbre
# Everything that is not a long run of text from pip
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: setup demo test check bench fuzz weights docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lumbre needs Python 3.11 or newer; set PYTHON=python3.12 or the like")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) ..."
	@$(PIP) install --upgrade 'pip>=25.1' 2>&1 | grep -v '^WARNING: Location' >&2 || true
	@$(PIP) install --editable . --group dev 2>$(VENV)/pip.log || { cat $(VENV)/pip.log >&2; exit 1; }
	@touch $@

demo: setup
	@$(BIN)/python examples/demo.py --household $(HOUSEHOLD)

weights: setup
	@$(DEMO) models pull primary --yes
	@$(DEMO) models pull smollm2-135m-instruct-q4_1 --yes

test: check weights
	@$(BIN)/python -m pytest -q --numprocesses $(TESTS_AT_A_TIME) --dist loadfile

check: setup
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q -m "not slow" tests/architecture tests/docs

docs: setup
	@$(BIN)/python docs/generate.py

bench: setup weights
	@$(BIN)/python benchmarks/run.py

fuzz: setup
	@$(PIP) install --group fuzz
	@for parser in gguf safetensors config index; do \
		echo "fuzzing $$parser for $(FUZZ_S) s"; \
		PYTHONPATH=. $(BIN)/python -m tests.fuzz.headers $$parser $(FUZZ_S) >$(VENV)/fuzz.log 2>&1 \
			|| { tail -n 40 $(VENV)/fuzz.log; exit 1; }; \
	done

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

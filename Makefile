# Each target says what it does: make help
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
CLICKS ?=
TESTS ?=

BENCH ?=
FAULTS ?=
MODEL ?=
FUZZ ?= 600

.PHONY: help install dev demo test wheel coverage lint format types types-package types-tests audit screenshots model bench faults fuzz upstream clean

help:  ## show the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "streamapp needs Python 3.11 or newer; this is " + sys.version.split()[0] + " (choose another with make PYTHON=python3.12)")'
	@$(PYTHON) -m venv .venv

.venv/installed: $(BIN)/python setup.cfg
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]'
	@touch $@

.venv/installed-dev: .venv/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

install: .venv/installed  ## make .venv with all that the app needs

dev: .venv/installed-dev  ## the same, with what the tests need

demo: install  ## start Kafka, worker and producer; PIPELINE=clicks|risk|sensors|all; RECORDS=N ends by itself
	@$(BIN)/streamapp demo $(if $(PIPELINE),--pipeline $(PIPELINE)) $(if $(RECORDS)$(CLICKS),--records $(or $(RECORDS),$(CLICKS)))

# A test that no signal ends (it hangs in C, or in the cleanup after its time) tells where, and fails, at faulthandler's (the
# process that it was in is not replaced: xdist would wait for ever for tests of it that nobody runs).
HANGS := -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true --max-worker-restart 0

# Without it, brokers start all the same, and take longer.
.venv/kafka.aot: .venv/installed-dev streamapp/embedded_kafka/jars.py
	-@$(BIN)/python tests/kafka_aot.py $@

test: dev .venv/kafka.aot  ## lint, types and all tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync lint types
	@$(BIN)/python -m pytest --numprocesses 4 --dist loadfile $(HANGS) --durations 25

wheel: dev  ## build a wheel, and try it in an empty venv on each Python here
	@$(BIN)/python -m pytest -m slow tests/packaging

# Each worker of the integration tests is a process of its own, and counted: `patch` in pyproject.toml says so.
coverage: dev  ## branches that the tests take, in total and by room; TESTS=tests/unit
	@rm -f .coverage .coverage.*
	@$(BIN)/python -m pytest --cov --cov-report= --numprocesses 2 --dist loadfile $(HANGS) $(TESTS); \
		tested=$$?; $(BIN)/python tests/coverage_by_room.py && exit $$tested

lint: dev  ## ruff, and ruff format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: dev  ## rewrite the code as ruff wants it
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

types: types-package types-tests  ## mypy --strict; the tests a little less so

types-package: dev
	@$(BIN)/mypy

types-tests: dev
	@$(BIN)/mypy --config-file tests/mypy.toml --cache-dir .mypy_cache/tests

# Strictly: what the index does not know of would pass as having no vulnerability.
audit: dev  ## known vulnerabilities of what is installed, by pip-audit
	@$(BIN)/pip-audit --strict --disable-pip --no-deps --progress-spinner off \
		--requirement <($(BIN)/python -m pip freeze --exclude-editable)

screenshots: dev  ## the pictures of docs/look.md, of a demo that runs; URL=http://127.0.0.1:6066/dashboard/
	@$(BIN)/python docs/look/screenshots.py $(or $(URL),http://127.0.0.1:6066/dashboard/)

model: dev  ## train the model of the risk pipeline anew; MODEL=--help tells more
	@$(BIN)/python -m streamapp.pipelines.risk.training $(MODEL)

.bench/installed: benchmarks/requirements.txt setup.cfg
	@$(PYTHON) -m venv .bench/venvs/harness
	@.bench/venvs/harness/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --requirement $<
	@touch $@

bench: install .bench/installed  ## the same join here and in other programs; BENCH=--help tells more
	@.bench/venvs/harness/bin/python -m benchmarks $(BENCH)

faults: dev  ## inject faults and count what is lost or doubled; FAULTS=--help tells more
	@PYTHONPATH=tests:tests/integration $(BIN)/python tests/faults $(FAULTS)

fuzz: dev  ## fuzz what a broker may send; FUZZ=600 seconds
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "atheris>=3,<4"
	@mkdir -p .fuzz
	@cd .fuzz && PYTHONPATH=../tests ../$(BIN)/python ../tests/fuzz_record_batches.py . -max_total_time=$(FUZZ)

upstream: dev  ## the seams with the newest aiokafka and Faust of PyPI, in .upstream/venv
	@$(BIN)/python tests/seams/upstream.py

clean:  ## remove .venv, the demo's data, what benchmarks and upstream have installed, what the fuzzer has found
	@rm -rf .venv streamapp-data .bench .fuzz .upstream

# The commands of a contributor; `make` alone lists them.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Two processes on two cores: more threads in each would only wait for one another.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2
# Where `make demo` writes its artifact, and the profile with its report.
DEMO ?= exports/demo-onnx-int8
DEMO_PROFILE ?= exports/demo-profile.json
RECORDINGS := models/demo/recordings
DEMO_RECORDINGS = $(shell sed -nE \
	'/"demo": true/ s|.*"path": "([^"]*)".*|$(RECORDINGS)/\1|p' $(RECORDINGS)/manifest.jsonl)

.PHONY: help demo test check types bench bench-streaming bench-variants clean
.DEFAULT_GOAL := help

help: ## list these commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

demo: $(VENV)/.run-stamp ## export the bundled model, transcribe real recordings, profile it here
	@$(BIN)/whisperq-edge export --target onnx --int8 --output $(DEMO)
	@$(BIN)/whisperq-edge transcribe --artifact $(DEMO) --language en $(DEMO_RECORDINGS)
	@rm -f $(DEMO_PROFILE)
	@$(BIN)/whisperq-edge profile --threads 1 --minutes 2.5 --output $(DEMO_PROFILE)

test: $(VENV)/.dev-stamp ## run every test
	$(PYTEST)

check: $(VENV)/.dev-stamp types ## format, lint, types and tests: what a change has to pass
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST)

types: ## the link that lets mypy see the repository's root as the package
	@mkdir -p .mypy && ln -sfn .. .mypy/whisperq_edge

bench: $(VENV)/.dev-stamp ## speed and memory on this machine
	$(BIN)/python bench/run.py

bench-streaming: $(VENV)/.dev-stamp ## live latency, words and work beside faster-whisper
	$(BIN)/python bench/streaming

bench-variants: $(VENV)/.dev-stamp ## word times and live words beside the programs they come from
	$(BIN)/python bench/variants

clean: ## remove everything that the commands above made
	rm -rf $(VENV) .mypy .mypy_cache .ruff_cache .pytest_cache build dist exports *.egg-info

# Debian ships Python without the part of venv that installs pip.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is older than 3.11; give another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "error: $(PYTHON) cannot make a virtual environment; run: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run-stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[onnx,report]'
	@touch $@

$(VENV)/.dev-stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@ $(VENV)/.run-stamp

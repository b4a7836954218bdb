# Thin: every target says in a line or two what it runs. `make demo` and `make test` set the machine up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD := build/release
APT := g++ cmake ninja-build ccache pkg-config python3-dev python3-venv \
       libeigen3-dev libtbb-dev libhdf5-dev libxsimd-dev libdeflate-dev liblzf-dev catch2 clang-format
EXTRAS ?= test
SOURCES := $(shell git ls-files '*.cpp' '*.hpp' '*.cu' 2>/dev/null)

.PHONY: setup demo test test-cpp test-python bench format stubs lint clean

setup: $(VENV)/.installed-$(EXTRAS)

# System packages by apt where that works without asking; otherwise say what is missing.
build/.system:
	@mkdir -p build
	@missing="$$(for p in $(APT); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done)"; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then sudo apt-get update -qq && sudo apt-get install -y -qq $$missing; \
	elif [ -n "$$CONDA_PREFIX" ]; then echo "conda environment: expecting the packages of environment.yml"; \
	else echo "lopsar needs these packages: $$missing"; echo "install them (or use environment.yml with conda), then run make again"; exit 1; fi
	@touch $@

$(VENV)/.tools: build/.system
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q 'scikit-build-core>=0.10' 'pybind11>=2.12'
	@touch $@

# The extension and the C++ tests share one build folder, so that nothing is compiled twice.
$(VENV)/.installed-$(EXTRAS): $(VENV)/.tools pyproject.toml CMakeLists.txt $(SOURCES) $(wildcard */CMakeLists.txt bindings/lopsar/*)
	$(BIN)/pip install -q --no-build-isolation -C build-dir=$(BUILD) '.[$(EXTRAS)]'
	@touch $@

demo: setup
	$(BIN)/python examples/01_demo.py demo

test: test-cpp test-python

test-cpp: setup
	cmake -S . -B $(BUILD) -DLOPSAR_TESTS=ON >/dev/null
	cmake --build $(BUILD)
	ctest --test-dir $(BUILD) --output-on-failure

test-python: setup
	$(BIN)/python tests/bindings/every_level.py

# With MintPy, PyLops and PyTorch to compare with.
bench:
	$(MAKE) setup EXTRAS=test,peers,torch
	$(BIN)/python tests/bench/bench_invert_arrays.py
	$(BIN)/python tests/bench/bench_operators.py
	$(BIN)/python tests/bench/bench_call_overhead.py
	$(BIN)/python tests/bench/bench_smooth_inversion.py
	$(BIN)/python tests/bench/bench_solvers.py

format: setup
	clang-format -i $(SOURCES)
	$(BIN)/ruff check --fix -q

# The types of the extension, from its own docstrings; commit the result.
stubs: setup
	$(BIN)/pip install -q pybind11-stubgen
	$(BIN)/pybind11-stubgen lopsar._core -o build/stubs
	cp build/stubs/lopsar/_core.pyi bindings/lopsar/_core.pyi

lint: setup
	clang-format --dry-run -Werror $(SOURCES)
	$(BIN)/ruff check
	$(BIN)/mypy

clean:
	rm -rf build $(VENV) demo

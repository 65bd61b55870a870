# Every target creates what it needs, in .venv and node_modules. Nothing is installed elsewhere,
# but for Debian's chromium, which the browser tests drive, when it is missing and apt-get is there.

VENV   ?= .venv
PYTHON ?= $(shell sh scripts/find-python.sh 3.11 3.12 3.13 3.10)
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check
# torch first and alone: with a CPU wheel at hand (or TORCH_INDEX=https://download.pytorch.org/whl/cpu) that one is taken
TORCH_ARGS := $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
# JupyterLab refuses root unless it is told that root is meant, as in containers
AS_ROOT := $(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)
STAMPS := $(VENV)/.stamps
# the environment with Colab's versions: its Python is 3.13, its torch 2.11
COLAB        ?= .venv-colab
COLAB_PYTHON ?= $(shell sh scripts/find-python.sh 3.13 3.12 3.11 3.10)
COLAB_TORCH  ?= $(filter torch==%,$(shell grep '^torch==' constraints.txt))
COLAB_TOOLS  := check-jsonschema flip-evaluator hypothesis ipykernel ipython matplotlib nbclient pytest pytest-timeout pytest-xdist pyyaml
# tests run in as many processes as there are cores, four at most, one torch thread each
JOBS   ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ "$$n" -gt 4 ] && n=4; echo $$n)
ONE_THREAD := env OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
PYTEST := -m pytest -n $(JOBS) --dist loadfile

.PHONY: help demo test test-py test-js test-colab bench-truth bench-latency fuzz lab lint settings build-js chromium clean
.DELETE_ON_ERROR:

help:
	@echo "make demo      edit the bundled photographs with the bundled model, into demo-out/"
	@echo "make lab       open JupyterLab on the notebooks"
	@echo "make test      front end, engine, kernel and browser tests (test-js, test-py: one half)"
	@echo "make test-colab   unit and kernel tests with the versions that Google Colab has, in $(COLAB)"
	@echo "make bench-truth PHOTOS=DIR   run the benchmark of truth and write its figures into docs and README"
	@echo "make bench-latency            measure the speed of edits on this machine, likewise"
	@echo "make fuzz      throw damaged messages, sessions and pictures at the widget, for some minutes"
	@echo "make lint      ruff, mypy, the workflow's schema, the generated settings, the front end's linter and types"
	@echo "make settings  write the drawer's half of the table of settings"
	@echo "make build-js  build the front end into regiondrag_widget/widget/static"
	@echo "make clean     remove what was built (not .venv, not node_modules)"

demo: $(STAMPS)/runtime
	$(VENV)/bin/regiondrag demo --out demo-out

lab: $(STAMPS)/lab build-js
	$(VENV)/bin/jupyter lab $(AS_ROOT) $(LAB_ARGS) $(or $(wildcard notebooks),.)

test: test-js test-py

test-js: node_modules/.package-lock.json
	npm run lint
	npm run typecheck
	npm test

test-py: $(STAMPS)/test build-js chromium
	$(ONE_THREAD) $(PY) $(PYTEST) $(PYTEST_ARGS)

test-colab: $(COLAB)/.stamps/test build-js
	$(ONE_THREAD) $(COLAB)/bin/python $(PYTEST) $(or $(COLAB_TESTS),tests/unit tests/kernel) $(PYTEST_ARGS)

bench-truth: $(STAMPS)/test
	@test -d "$(PHOTOS)" || { echo "make: say which photographs: make bench-truth PHOTOS=DIR"; exit 1; }
	$(VENV)/bin/regiondrag bench truth --photos "$(PHOTOS)" --ablations -o bench-out/truth $(BENCH_ARGS)
	$(PY) scripts/publish_truth.py bench-out/truth

bench-latency: $(STAMPS)/test chromium build-js
	$(VENV)/bin/regiondrag bench latency --pointer -o docs/benchmarks $(BENCH_ARGS)
	$(PY) scripts/publish_latency.py

fuzz: $(STAMPS)/test
	$(PY) -m tests.fuzz $(FUZZ_ARGS)

lint: $(STAMPS)/dev node_modules/.package-lock.json
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	$(PY) scripts/generate_settings.py --check
	npm run lint
	npm run typecheck

settings: $(STAMPS)/runtime
	$(PY) scripts/generate_settings.py

# -- Python -------------------------------------------------------------------------------------------------------------------

$(PY):
	@test -n "$(PYTHON)" || { echo "make: no Python 3.10 to 3.13 found; install one or say make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMPS)/torch: constraints.txt | $(PY)
	@echo "installing torch into $(VENV)"
	$(PIP) install -q -c constraints.txt $(TORCH_ARGS) torch
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: pyproject.toml constraints.txt $(STAMPS)/torch
	@echo "installing regiondrag-widget and what it needs into $(VENV)"
	$(PIP) install -q -c constraints.txt -e .
	@touch $@

$(STAMPS)/lab $(STAMPS)/test $(STAMPS)/dev: pyproject.toml constraints.txt $(STAMPS)/torch
	$(PIP) install -q -c constraints.txt -e '.[$(@F)]'
	@touch $@ $(STAMPS)/runtime

# pip for torch, which finds a CPU wheel on this machine or in TORCH_INDEX; uv for the rest, in seconds
$(COLAB)/.stamps/torch: constraints-colab.txt
	@test -n "$(COLAB_PYTHON)" || { echo "make: no Python 3.10 to 3.13 found; say make COLAB_PYTHON=/path/to/python"; exit 1; }
	@echo "installing torch into $(COLAB)"
	$(COLAB_PYTHON) -m venv --clear $(COLAB)
	$(COLAB)/bin/python -m pip --disable-pip-version-check install -q uv
	$(COLAB)/bin/python -m pip --disable-pip-version-check install -q -c constraints-colab.txt $(TORCH_ARGS) $(COLAB_TORCH)
	@mkdir -p $(@D) && touch $@

$(COLAB)/.stamps/test: pyproject.toml $(COLAB)/.stamps/torch
	@echo "installing regiondrag-widget with Colab's versions into $(COLAB)"
	$(COLAB)/bin/uv pip install -q --python $(COLAB)/bin/python -c constraints-colab.txt -e . $(COLAB_TOOLS)
	$(COLAB)/bin/uv pip check -q --python $(COLAB)/bin/python
	@touch $@

# -- front end ----------------------------------------------------------------------------------------------------------------

build-js: node_modules/.built

node_modules/.package-lock.json: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

node_modules/.built: node_modules/.package-lock.json $(shell find js -type f 2>/dev/null) $(wildcard tsconfig*.json)
	npm run build
	@touch $@

# -- a real browser -----------------------------------------------------------------------------------------------------------

chromium:
	@sh scripts/ensure-chromium.sh

clean:
	rm -rf dist build demo-out test-results .pytest_cache .mypy_cache .ruff_cache node_modules/.built
	find regiondrag_widget tests -name __pycache__ -type d -prune -exec rm -rf {} +
	find regiondrag_widget/widget/static -mindepth 1 ! -name .gitkeep -delete 2>/dev/null || true

# Every target makes what it needs: a fresh clone and `make run` are enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2
# Tests that boot processes wait more than they compute.
SYSTEM_JOBS ?= 3
HOURS ?= 0.5
# Each worker of the tests imports what another one has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup run test test-system soak lint bench clean

setup: $(STAMP)

$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo 'faceedge needs Python 3.10 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cpu,demo,dev]'
	@touch $@

run: $(STAMP)
	$(BIN)/faceedge demo

test: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m 'not system and not device and not soak'

test-system: $(STAMP)
	$(BIN)/python -m pytest -n $(SYSTEM_JOBS) --dist loadfile --no-loadscope-reorder -m 'system and not device and not soak' --timeout 300

# `make soak HOURS=8`: cuts, hangs and ballast by the hundred, then so many hours at full rate. As root, for memory limits
# and priorities.
soak: $(STAMP)
	$(BIN)/python -m pytest -m 'soak and not device' --timeout 3600 --ignore tests/soak tests
	FACEEDGE_SOAK_HOURS=$(HOURS) $(BIN)/python -m pytest -m soak tests/soak

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@git ls-files '*.sh' .ci/run scripts/setup/faceedge | xargs -r $(BIN)/shellcheck

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info

# `make help` lists the targets. Everything runs in .venv, which is made on first use and updated when
# pyproject.toml or constraints.txt changes. Needs Python >= 3.11: `make PYTHON=/path/to/python demo` picks another.

PYTHON ?= python3
CONFIG ?= configs/psro_leduc.yaml
RUN ?= runs/$(notdir $(basename $(CONFIG)))

VENV := .venv
BIN := $(VENV)/bin
# TORCH_INDEX_URL, if set, is one more package index: PyTorch's CPU index gives a machine without a GPU the small build.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt \
  $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL))
PACKAGES := eqenvs agents/eqagents solvers/eqsolvers

# A local Ray reports usage to its makers unless told not to.
export RAY_USAGE_STATS_ENABLED := 0

.DEFAULT_GOAL := help
.PHONY: help env demo test slowtest lint doctest docs frameworks bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "error: '$(PYTHON)' is missing or older than Python 3.11; name another: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "error: '$(PYTHON)' has no venv module; install it (on Debian and Ubuntu, the package python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.created pyproject.toml constraints.txt
	$(INSTALL) -e .
	@touch $@

# What the tests need includes what a run needs: no second install for `make demo` after `make test`.
$(VENV)/.dev: $(VENV)/.created pyproject.toml constraints.txt
	$(INSTALL) -e ".[dev]"
	@touch $(VENV)/.run $@

env: $(VENV)/.dev ## the development environment in .venv, without running anything

demo: $(VENV)/.run ## train, evaluate and report PSRO on Leduc poker; resumes an interrupted run
	@if [ -f $(RUN)/config.yaml ]; then $(BIN)/eqenvs resume $(RUN); else $(BIN)/eqenvs train $(CONFIG) --out $(RUN); fi
	$(BIN)/eqenvs evaluate $(RUN)
	$(BIN)/eqenvs report $(RUN) --out $(RUN)/report.html
	@echo
	@echo "Report:       $(RUN)/report.html (open it in any browser)"
	@echo "TensorBoard:  the events are in $(RUN); to see them: $(BIN)/tensorboard --logdir $(RUN)"

test: $(VENV)/.dev ## the test suite, on all processors
	$(BIN)/python -m pytest -n auto --dist loadgroup -m "not slow"

slowtest: $(VENV)/.dev ## the tests that take seconds each: faults, campaigns, long runs
	$(BIN)/python -m pytest -n auto --dist loadgroup -m slow

lint: $(VENV)/.dev ## ruff, import directions, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

doctest: $(VENV)/.dev ## the examples in the docstrings
	$(BIN)/python -m pytest --doctest-modules $(PACKAGES)

docs: $(VENV)/.dev ## the documentation, in build/site
	$(INSTALL) -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# RLlib asks for an older Gymnasium, so it has an environment of its own.
frameworks: ## the tests of RLlib, TorchRL, Stable-Baselines3, OpenSpiel and MFGLib, in environments of their own
	$(PYTHON) -m venv .venv-rllib && $(PYTHON) -m venv .venv-frameworks
	grep -vi '^gymnasium==' constraints.txt > .venv-rllib/constraints.txt
	.venv-rllib/bin/python -m pip install --disable-pip-version-check -c .venv-rllib/constraints.txt -e ".[rllib]" pytest
	.venv-frameworks/bin/python -m pip install --disable-pip-version-check -c constraints.txt \
	  -e ".[frameworks,cluster]" "mfglib>=0.3,<0.4" open_spiel pytest hypothesis
	.venv-rllib/bin/python -m pytest tests/eqagents/interop tests/examples/test_rllib_ppo.py
	.venv-frameworks/bin/python -m pytest tests/eqagents/interop tests/eqenvs/interop tests/examples --ignore tests/examples/test_rllib_ppo.py

bench: $(VENV)/.run ## speed and memory beside OpenSpiel and LiteEFG; about ten minutes
	$(INSTALL) -e ".[bench]"
	$(BIN)/eqenvs bench extensive --out benchmarks/results/extensive.json

clean: ## remove .venv, builds and caches; runs/ stays
	rm -rf $(VENV) .venv-rllib .venv-frameworks build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +

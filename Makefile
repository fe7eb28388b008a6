# What one types here. Every target but `lock` and `clean` makes `.venv` first, where it is not
# there or older than the lock file or pyproject.toml.
#
#   make demo    CDNOW's purchases through a worker, with an embedded broker and Redis
#   make test    all tests; those on a real Kafka and Redis where the machine can run them
#   make chaos   kills and pauses workers and servers, and compares with a recount
#   make bench   how many events a second, at what cost
#   make lint    ruff and mypy
#   make lock    resolves pyproject.toml into requirements.lock again
#
# ARGS are passed on: make demo ARGS=--keep-running, make test ARGS="-x tests/models".

.DEFAULT_GOAL := help
.PHONY: help demo test chaos bench lint lock clean
.DELETE_ON_ERROR:

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
PIP := PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 $(PYTHON) -m pip --quiet
UV_VERSION := 0.13.*
ARGS :=

help:
	@sed -n 's/^#   make/make/p' Makefile

demo: $(READY)
	@$(VENV)/bin/clv demo $(ARGS)

test: $(READY)
	@$(PYTHON) -m pytest $(ARGS)

chaos: $(READY)
	@$(PYTHON) -m tests.chaos $(ARGS)

bench: $(READY)
	@$(PYTHON) bench/run.py $(ARGS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# The stamp comes last, so an installation that was broken off is gone on with. An environment
# that is there and works is kept.
$(READY): requirements.lock pyproject.toml
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	      2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11, 3.12 or 3.13 on the path: install one, then run make again." >&2; \
	  exit 1; \
	fi; \
	echo "Setting up $(VENV) with $$($$found --version): this takes a minute or two."; \
	if [ "$$found" = $(PYTHON) ]; then \
	  $(PYTHON) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m ensurepip >/dev/null; \
	elif ! $$found -m venv --clear $(VENV); then \
	  echo "$$found cannot make a venv: on Debian and Ubuntu, apt-get install python3-venv." >&2; \
	  exit 1; \
	fi
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps -e .
	@touch $@

lock:
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m ensurepip >/dev/null
	@$(PIP) install 'uv==$(UV_VERSION)'
	@UV_FIND_LINKS= $(VENV)/bin/uv pip compile --quiet --upgrade --universal --generate-hashes \
	  --python-version 3.11 --no-emit-index-url --no-header --extra dev \
	  --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

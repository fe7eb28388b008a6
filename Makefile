# What one types here. Every target but `lock` and `clean` makes `.venv` first, where it is not
# there or older than the lock file or pyproject.toml.
#
#   make demo    CDNOW's purchases through a worker, with an embedded broker and Redis
#   make test    all tests; those on a real Kafka and Redis where the machine can run them
#   make chaos   kills and pauses workers and servers, and compares with a recount
#   make bench   how many events a second, at what cost
#   make fuzz    the decoder, guided by coverage (ARGS=-max_total_time=600; Python 3.11 or 3.12)
#   make lint    ruff and mypy
#   make audit   whether a dependency has a known flaw
#   make sbom    what the program is made of, as CycloneDX, in sbom.cdx.json
#   make lock    resolves pyproject.toml into requirements.lock again
#
# ARGS are passed on: make demo ARGS=--keep-running, make test ARGS="-x tests/models".

.DEFAULT_GOAL := help
.PHONY: help demo test chaos bench fuzz lint audit sbom lock clean
.DELETE_ON_ERROR:

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready
PIP := PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 $(PYTHON) -m pip --quiet
UV_VERSION := 0.13.*
# The Python that a new VENV is made with: make test VENV=.cache/newest BASE=python3.13
BASE :=
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
	@$(PYTHON) -m bench.run $(ARGS)

fuzz: $(READY)
	@$(PIP) install 'uv==$(UV_VERSION)'
	@$(VENV)/bin/uv run --quiet --no-project --python $(PYTHON) --with 'atheris==3.*' \
	  --with-editable . python -m tests.fuzz_decoder $(ARGS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# The stamp comes last, so an installation that was broken off is gone on with. An environment
# that is there and works is kept.
$(READY): requirements.lock pyproject.toml
	@for python in $(PYTHON) $(BASE) python3 python3.13 python3.12 python3.11; do \
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

# Tools that only these two need are kept out of .venv: uv runs them in environments of their own.
audit: $(READY)
	@$(PIP) install 'uv==$(UV_VERSION)'
	@$(VENV)/bin/uv tool run --quiet --python $(PYTHON) --from 'pip-audit==2.*' \
	  pip-audit --requirement requirements.lock --disable-pip --vulnerability-service pypi \
	  --progress-spinner off --format json $(ARGS) 2>/dev/null | $(PYTHON) .ci/audit

# Of what the image holds: the dependencies of the program, not those of its tests.
sbom: $(READY)
	@$(PIP) install 'uv==$(UV_VERSION)'
	@$(VENV)/bin/uv pip compile --quiet --python $(PYTHON) --constraints requirements.lock \
	  --generate-hashes --no-emit-index-url --no-header pyproject.toml \
	  | PYTHONWARNINGS=ignore $(VENV)/bin/uv tool run --quiet --python $(PYTHON) \
	  --from 'cyclonedx-bom==7.*' cyclonedx-py requirements \
	  --pyproject pyproject.toml --mc-type application --output-reproducible \
	  --output-file sbom.cdx.json -
	@echo "sbom.cdx.json: $$(grep -c '"purl"' sbom.cdx.json) packages"

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

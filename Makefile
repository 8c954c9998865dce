# Every target works on a fresh clone; `make help` lists them.
SHELL := /bin/bash
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header
PYTEST_WORKERS ?= 2

.PHONY: help env up down doctor test drill street bench check lock

help: ## Print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

env: .venv/installed ## Build the environment in .venv (again when the lock file changes)
	@true

.venv/installed: requirements-dev.txt .ci/env
	@.ci/env

# The portal of `make up` is a demo on the loopback address, so plain HTTP is right there.
up: export ORCHESTRA_INSECURE_LOOPBACK ?= 1
up: export ORCHESTRA_DEMO ?= 1
up: env ## Start everything and print the address and the logins
	@$(MANAGE) up

down: export ORCHESTRA_INSECURE_LOOPBACK ?= 1
down: env ## Stop what `make up` started
	@$(MANAGE) down

doctor: export ORCHESTRA_INSECURE_LOOPBACK ?= 1
doctor: env ## Say what stands in the way of a start
	@$(MANAGE) doctor

test: env ## Run all tests
	@$(MANAGE) embedded run $(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadgroup

drill: export ORCHESTRA_DRILL_FULL ?= 1
drill: env ## Run the drills at full length: real processes are killed and restarted
	@$(MANAGE) embedded run $(BIN)/pytest -m drill

street: export ORCHESTRA_INSECURE_LOOPBACK ?= 1
street: env ## Prove the whole street on the public trace; ORCHESTRA_VAR names a fresh folder
	@$(MANAGE) embedded run $(BIN)/python tests/drills/whole_street.py

bench: env ## Measure; NAME=plan measures one. Figures go to var/bench/<name>.json
	@$(MANAGE) embedded run $(BIN)/pytest -p no:randomly -m bench $(if $(NAME),-k 'test_$(NAME)') \
		tests/benchmarks

LAWS := style layout types imports templates dependencies settings migrations
.PHONY: $(LAWS)

check: $(LAWS) ## Check the laws; each is a target too: make style, types, imports …

style: env
	$(BIN)/ruff check .

layout: env
	$(BIN)/ruff format --check .
	@find templates -name '*.html' -print0 | xargs -0 $(BIN)/djade --check

types: env
	$(BIN)/mypy .

imports: env
	$(BIN)/lint-imports --no-logo

templates: env
	$(BIN)/djlint --lint --quiet templates

dependencies: env
	$(BIN)/deptry .

settings: env
	env -u ORCHESTRA_INSECURE_LOOPBACK -u ORCHESTRA_DEMO \
		$(MANAGE) check --deploy --fail-level WARNING

migrations: env
	$(MANAGE) makemigrations --check --dry-run

lock: env ## Resolve the dependencies of pyproject.toml anew, with hashes
	$(COMPILE) pyproject.toml --output-file requirements.txt
	$(COMPILE) pyproject.toml --group dev --constraint requirements.txt \
		--output-file requirements-dev.txt

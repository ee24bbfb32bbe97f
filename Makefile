# One command each; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

# What production looks like, for the checks that want it; the key lives as long as the command.
PRODUCTION = env -u DEBUG -u HTTPS SECRET_KEY="$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
	ALLOWED_HOSTS=example.org DATABASE_URL=sqlite:///:memory:

# Several tests at a time, because most of them wait. Left to CI, so that a run takes a few minutes: what is marked slow,
# what the tests reach, the acceptance tests on PostgreSQL, after those on SQLite, and newer Pythons. What is marked real
# is `make test-real`, which CI runs as well.
PYTEST = $(BIN)/python -m pytest -q --numprocesses=auto -m "not real $(if $(CI),,and not slow)"

# What no other database changes is tested once.
ONCE = $(addprefix --ignore=tests/,integration/test_dev_services.py integration/simulator \
	integration/test_settings.py integration/test_engine_session.py integration/test_conf.py \
	acceptance/test_contract.py acceptance/test_watch.py acceptance/test_tls.py acceptance/test_ssh.py \
	acceptance/test_make_up.py acceptance/test_make_up_samples.py acceptance/test_interrupted_runs.py \
	acceptance/test_live_page.py integration/test_system_checks.py \
	integration/test_engine.py integration/test_engine_bounds.py integration/test_ssh_bounds.py \
	integration/test_lock_conformance.py acceptance/test_screens.py acceptance/test_oidc.py integration/test_supply_chain.py \
	integration/test_release.py acceptance/test_browser.py acceptance/test_preferences.py acceptance/test_serving.py)

# Percent of the lines and branches outside the core that the tests on SQLite must reach in CI. They reach almost one
# percent more, because chance decides about a few.
LEAST_COVERED = 95.5

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help up up-compose test test-core test-sqlite test-postgres test-real test-pythons lint lock pin-images release \
	format bench soak screenshots sample sample-clean clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "A part of the tests: $(BIN)/python -m pytest tests/unit (or any file, or -k WORD); TEST_DATABASE=postgres sets"
	@echo "the other database, -m slow or -m real takes what make test leaves to CI."

up: $(STAMP) ## Run everything on this machine: http://127.0.0.1:8000/, Ctrl-C stops it
	@exec $(BIN)/python -m dev.up

up-compose: $(STAMP) ## Build the image and run the Compose file on a private Docker Engine; Ctrl-C stops it
	@exec $(BIN)/python -m dev.up_compose

test: $(STAMP) ## Run the tests on SQLite and PostgreSQL; with CI=true also the slow ones, on every newer Python here too
	@$(BIN)/python -m dev.packages
	@$(MAKE) --no-print-directory $(if $(CI),test-core) test-sqlite test-postgres $(if $(CI),test-pythons)

test-core: $(STAMP) ## Run the unit tests, which must reach every branch of what decides
	TEST_DATABASE=sqlite $(PYTEST) --numprocesses=logical tests/unit --cov --cov-report=
	$(BIN)/coverage report --include='*/core/*' --fail-under=100

# In CI it is measured, together with the unit tests, which begin the count. What runs in processes of its own is not.
test-sqlite: $(STAMP) ## Run the tests on SQLite alone
ifdef CI
	TEST_DATABASE=sqlite $(PYTEST) tests/integration tests/acceptance --cov --cov-append --cov-report=
	$(BIN)/coverage report --omit='*/core/*,*/migrations/*' --fail-under=$(LEAST_COVERED)
else
	TEST_DATABASE=sqlite $(PYTEST)
endif

test-postgres: $(STAMP) ## Run the tests that depend on the database, on PostgreSQL
	TEST_DATABASE=postgres $(PYTEST) tests/integration $(if $(CI),tests/acceptance) $(ONCE)

# Three at a time on any machine: each of them starts much, and waits for most of its time.
test-real: $(STAMP) ## Run the tests that take minutes of real parts; in CI none of them may be skipped
	@$(BIN)/python -m dev.packages
	TEST_DATABASE=sqlite $(BIN)/python -m pytest -q --numprocesses=3 -m real

test-pythons: $(STAMP)
	@$(BIN)/python -m dev.pythons

lint: $(STAMP) ## Check style, types, imports, migrations and production settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@echo mypy; $(PRODUCTION) $(BIN)/mypy
	$(BIN)/lint-imports
	@echo manage.py makemigrations --check; $(PRODUCTION) $(BIN)/python manage.py makemigrations --check --dry-run
	@echo manage.py check --deploy; $(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING

# UPGRADE=--upgrade takes the newest releases, UPGRADE="--upgrade-package NAME" those of one package.
lock: $(STAMP) ## Pin what is installed, with hashes, in requirements*.txt; pins that still fit stay
	@$(BIN)/python -m dev.lock $(UPGRADE)

pin-images: $(STAMP) ## Pin the base images by the digests that their registry gives, where one answers
	@$(BIN)/python -m dev.pin_images

release: $(STAMP) ## Check the version and build wheel, source archive and SBOM into var/release; tag nothing
	@$(BIN)/python -m dev.release

format: $(STAMP) ## Format the code and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## Measure passes, a fleet, the API, the pages and the stream, beside something to compare with
	@$(BIN)/python -m bench

soak: $(STAMP) ## Let faults storm upon everything and judge what the index says: MINUTES=5 SEED=1
	@$(BIN)/python -m dev.packages
	@$(BIN)/python -m soak $(or $(MINUTES),5) $(or $(SEED),1)

screenshots: $(STAMP) ## Make the pictures of README and docs anew
	@$(BIN)/python -m dev.packages
	TEST_DATABASE=sqlite $(BIN)/python -m pytest -q tests/acceptance/test_screens.py -k "fits_the_screen and laptop"
	cp var/screens/overview-light-laptop.png docs/overview.png
	cp var/screens/workload-dark-laptop.png docs/workload.png

sample: $(STAMP) ## Start sample containers on your own Docker Engine
	@$(BIN)/python -m dev.sample start

sample-clean: $(STAMP) ## Remove the sample containers, their image and their rows
	@$(BIN)/python -m dev.sample clean

clean: ## Delete the virtual environments, the caches and what `make up` keeps in var/
	rm -rf $(VENV) .venvs var .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements-dev.txt dev/make_venv.py
	@command -v $(PYTHON) >/dev/null || { echo "==> no $(PYTHON) here: install Python 3.11 or newer, or say where one is: make PYTHON=/path/to/python3 …" >&2; exit 1; }
	@$(PYTHON) dev/make_venv.py $(VENV)
	@touch $@

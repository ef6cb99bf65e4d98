# Needs nothing but make and a Python of at least 3.11. `make help` lists the targets.

SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/ready
LEVER ?= LEV-01
EFFORT ?= quick
PROFILE ?= dev_local

.DEFAULT_GOAL := help
.PHONY: help setup evaluate levers gates test lint format golden wheel-check calibrate nights browser many-hosts cost reliability lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv from the hash-pinned lock (done once; again when lock or pyproject.toml change)

# pminit only fetches JavaScript libraries, with npm, while it is installed; LEV-03 uses nothing but the engine.
NOT_NEEDED := pminit

# --no-deps: the lock is complete, and `pip check` proves it. --clear: an interrupted set-up starts over.
$(READY): requirements.lock pyproject.toml
	@python="$$(./.ci/find-python)" || exit 1; \
	echo "prfpipe: creating .venv with $$python; downloads about 500 MB"; \
	"$$python" -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
	  --only-binary :all: --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps \
	  --no-build-isolation --no-index --editable .
	@broken="$$($(BIN)/python -m pip check --disable-pip-version-check | grep -v -e '^No broken' $(NOT_NEEDED:%=-e ' requires %,'))"; \
	test -z "$$broken" || { echo "$$broken"; exit 1; }
	@touch $(READY)

# Reject (1) and undecided (3) are results; make fails only when there is none. A first look must not depend on quiet
# neighbours: their noise is accepted, and the plan and the report say so.
evaluate: setup ## run a lever through the loop: LEVER=LEV-01 EFFORT=quick|standard|rigorous
	@$(BIN)/prfpipe evaluate $(LEVER) --effort $(EFFORT) --accept-noise || case $$? in 1|3) ;; *) exit $$? ;; esac

levers: setup ## evaluate every lever at standard effort and write docs/levers.md (about 40 minutes)
	@$(BIN)/prfpipe evaluate all --effort standard --inline || case $$? in 1|3) ;; *) exit $$? ;; esac
	$(BIN)/prfpipe results --effort standard --markdown > docs/levers.md.new && mv docs/levers.md.new docs/levers.md

# Over budget (1) and undecided (3) are results, as above; the table and the reports' places end what is printed.
gates: setup ## run the gates PRF-01 to PRF-04: PROFILE=dev_local|ci_dev|enterprise EFFORT=quick|standard|rigorous
	@$(BIN)/prfpipe gate all --profile $(PROFILE) --effort $(EFFORT) --junit .prfpipe/gates/junit.xml || case $$? in 1|3) ;; *) exit $$? ;; esac
	@echo "JUnit   $(CURDIR)/.prfpipe/gates/junit.xml"

# Three parts. What asks for a verdict on real times has the machine to itself, at the end: two at once would share the
# measuring core. Whole evaluations, servers and browsers wait for much and claim no times: two at once, a file in one
# process, since its tests share what took long to make; long files early, that nobody waits for one at the end. All
# else is spread test by test.
WHOLE := tests/browser tests/faults tests/flows tests/e2e
TIMED := tests/e2e/test_real_times.py tests/e2e/test_overfitted.py
TWO := --numprocesses 2
test: lint ## lint, types, import rules and all tests
	$(BIN)/python -m pytest $(TWO) --dist worksteal $(WHOLE:%=--ignore=%)
	$(BIN)/python -m pytest $(TWO) --dist loadfile --no-loadscope-reorder $(TIMED:%=--ignore=%) $(WHOLE)
	$(BIN)/python -m pytest $(TIMED)

lint: setup ## style, formatting, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## put files into the project's format, sort imports
	$(BIN)/ruff check --select I --fix .
	$(BIN)/ruff format .

# Away from the checkout, so that nothing but the wheel and its core dependencies can be imported.
wheel-check: setup ## audit a bundle with the wheel alone in a clean environment (downloads about 150 MB)
	$(BIN)/python -m build --no-isolation --wheel --outdir build/wheel .
	$(BIN)/python -m venv --clear build/wheel-check
	build/wheel-check/bin/python -m pip install --quiet --disable-pip-version-check build/wheel/prfpipe-*.whl
	cd build && PRFPIPE_KEY_FOLDER=wheel-check/keys wheel-check/bin/prfpipe audit ../tests/golden/bundles/base \
	  --trust ../tests/golden/bundles/keys/golden-test-key-trusted.pub

golden: setup ## make the golden bundles of tests/golden again, after a change of wording or format
	$(BIN)/python -m tests.golden.bundles.make

calibrate: setup ## compare with other benchmark tools (about 75 minutes; can be resumed)
	$(BIN)/python calibration/calibrate.py

nights: setup ## plant changes in simulated histories and write docs/nightly-calibration.md (about 30 minutes)
	$(BIN)/python -m calibration.nights

browser: setup ## launch LEV-01 at quick effort in a browser; screenshots in .prfpipe/screenshots (needs chromium)
	$(BIN)/python -m tests.browser

many-hosts: setup ## ten evaluations on two hosts through a power cut, as root (needs PostgreSQL, Redis, Caddy; 5 minutes)
	$(BIN)/python -m tests.many_hosts

cost: setup ## measure what Prefect costs and write docs/prefect-cost.md (about 10 minutes)
	$(BIN)/python -m calibration.prefect_cost

reliability: setup ## inject every fault, try every mutation, write docs/reliability.md (an hour; PARTS=tampering or prefect)
	$(BIN)/python -m tests.reliability $(PARTS)

# The index is the person's own affair: neither its URL nor its host goes into the lock.
lock: setup ## resolve requirements.lock again from pyproject.toml; UPGRADE=1 takes newer versions
	$(BIN)/uv pip compile pyproject.toml --quiet --all-extras --universal --python-version 3.11 \
	  --fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links \
	  $(NOT_NEEDED:%=--no-emit-package %) --no-annotate --no-header $(if $(UPGRADE),--upgrade) --output-file requirements.lock

clean: ## remove .venv and caches; evidence stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

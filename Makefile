# Needs make and Python 3.11 or later, nothing else: `make run PYTHON=python3.12` names another interpreter.
PYTHON ?= python3
VENV ?= .venv
CORE_VENV ?= .venv-core
NOTEBOOK_VENV ?= .venv-notebook
CACHE ?= build/mine
STANDARD ?=
UV ?= uv==0.13.9

IN_DEV = $(VENV)/bin/python
BOOTSTRAP = @command -v $(PYTHON) >/dev/null || { \
	echo "eightysix: no $(PYTHON) here; name a Python 3.11 or later: make $@ PYTHON=/path/to/python3" >&2; exit 1; }; \
	$(PYTHON) tools/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: run dev test lint types layers unit docs bench bpf index index-accept lock clean help bench-scan bench-reconstruct fuzz evasion bench-sensor
.PHONY: lab-setup lab-torch
.PHONY: bench-store bench-posture bench-report bench-attest
.PHONY: parser web web-libraries browser-setup notebook notebook-setup

run: ## Replay a recorded breach and its look-alike (sets up the core in .venv-core)
	$(BOOTSTRAP) requirements/core.txt $(CORE_VENV)
	@$(CORE_VENV)/bin/python tools/replay.py

dev: ## Set up everything for development in .venv
	$(BOOTSTRAP) requirements/dev.txt $(VENV)

# pytest runs last: its summary, with the tiers that were skipped and why, closes the output.
test: lint types layers unit ## Lint, types, layers, and the whole test suite

lint: dev ## Style and format
	@$(IN_DEV) -m ruff check --quiet .
	@$(IN_DEV) -m ruff format --check --quiet .

types: dev ## mypy, strict
	@$(IN_DEV) -m mypy --no-error-summary

layers: dev ## Imports point down only
	@$(IN_DEV) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo

unit: dev parser web-libraries ## The tests alone
	@$(IN_DEV) -m pytest --numprocesses=auto --dist=loadscope

parser: dev ## Fetch Microsoft's parser of KQL by npm, once (needs Node.js; without it its tests are skipped)
	@PYTHONPATH=src $(IN_DEV) tools/kql_parser.py

web-libraries: dev # What the HTML report is built from, by npm, once (needs Node.js; without it its tests are skipped)
	@$(IN_DEV) tools/report_libraries.py

web: dev ## Build the HTML report's program and style into the package (needs Node.js and npm)
	@$(IN_DEV) tools/report_libraries.py --needed
	@cd web/report && node_modules/.bin/tsc --noEmit && node build.mjs

browser-setup: ## Install Debian's Chromium, in which the HTML report is tested (as root)
	@tools/lab_setup.sh chromium
notebook-setup: ## Set up what examples/notebooks needs in .venv-notebook (460 MB)
	$(BOOTSTRAP) requirements/notebook.txt $(NOTEBOOK_VENV)

notebook: notebook-setup ## Run the notebooks of examples/notebooks and compare what they give
	@$(NOTEBOOK_VENV)/bin/python tools/run_notebooks.py --check

docs: dev ## Run the commands of README.md and docs/ and compare what they print
	@$(IN_DEV) -m pytest tests/repo/test_readme.py

bpf: dev ## Build the kernel sensor's programs (needs clang, llvm-strip, libbpf-dev)
	@$(IN_DEV) -m tools.bpf

fuzz: dev ## Try to refute what the scanner promises (MINUTES=30; findings land in .fuzz/)
	@$(IN_DEV) -m bench.fuzz --minutes $(or $(MINUTES),30) --seed $(or $(SEED),1) --output bench/results/fuzz.json

bench: dev ## Measure what the README says of detect and of generated telemetry (RUNS=folder: the labelled runs too)
	@for name in throughput order generated; do $(IN_DEV) -m bench.$$name --output bench/results/$$name.json || exit 1; done
	@if [ -n "$(RUNS)" ]; then $(IN_DEV) -m bench.runs "$(RUNS)" --output bench/results/runs.json; fi

bench-reconstruct: dev ## Measure one pod's story out of two million records, and out of twenty (TELEMETRY=, STORE=: made before)
	@$(IN_DEV) -m bench.reconstruct --slope $(if $(TELEMETRY),--telemetry "$(TELEMETRY)") $(if $(STORE),--store "$(STORE)") --output bench/results/reconstruct.json

index: dev ## Mine the pinned releases (CACHE=folder) into build/index and show what changes; index-accept ships it
	@$(IN_DEV) -m tools.mine.fetch "$(CACHE)"
	@PYTHONPATH=src $(IN_DEV) -m tools.mine.build "$(CACHE)" $(foreach one,$(STANDARD),--python $(one)) --output build/index
	@PYTHONPATH=src $(IN_DEV) -m tools.mine.review src/eightysix/scan/index/data build/index

index-accept: ## Ship what `make index` mined, after reading what it showed
	rm -f src/eightysix/scan/index/data/*.idx
	cp build/index/* src/eightysix/scan/index/data/
# Needs a package index, 8 GB of disk and half an hour: five peers and four sets of libraries get environments of their own.
bench-scan: dev ## Measure scan beside its peers, on a corpus made here (GIVEN=folder: a labelled folder too)
	@$(IN_DEV) -m bench.scan.corpus .venv-scan/corpus --venvs .venv-scan/libraries --wheels .venv-scan/wheels
	@$(IN_DEV) -m bench.scan.peers --corpus .venv-scan/corpus $(if $(GIVEN),--given "$(GIVEN)") --venvs .venv-scan/peers --output bench/results/scan.json
	@$(IN_DEV) -m bench.scan.big --venvs .venv-scan/peers --output bench/results/scan_big.json

evasion: dev ## Run every way to be seen less, and write the table of docs/evasion.md anew (needs root)
	@$(IN_DEV) -m bench.evasion.play --output bench/results/evasion.json >/dev/null
	@$(IN_DEV) -m bench.evasion.play --page docs/evasion.md bench/results/evasion.json

bench-sensor: dev ## Measure what the sensor's native part adds (LIBRARIES=python that has torch, transformers, fastapi)
	@$(IN_DEV) -m bench.sensor_native --python $(IN_DEV) $(foreach one,$(LIBRARIES),--python $(one)) --output bench/results/sensor_native.json
	@$(IN_DEV) -m bench.sensor_native --page docs/sensor-native.md bench/results/sensor_native.json

bench-attest: dev ## Measure the verification of signatures beside bare sigstore-python, and fuzz it (MINUTES=5)
	@$(IN_DEV) -m bench.gate_attest --output bench/results/gate_attest.json
	@$(IN_DEV) -m bench.gate_fuzz --minutes $(or $(MINUTES),5) --seed $(or $(SEED),2) --output bench/results/gate_fuzz.json
	@$(IN_DEV) -m bench.gate_check_fuzz --minutes $(or $(MINUTES),5) --output bench/results/gate_check_fuzz.json
	@$(IN_DEV) -m bench.gate_bytes_fuzz --minutes $(or $(MINUTES),5) --output bench/results/gate_bytes_fuzz.json

bench-report: dev ## Measure the pages in Chromium: their sizes, what a frame of zooming costs, what a search among 10,000 workloads
	@$(IN_DEV) -m bench.html_report --output bench/results/html_report.json
	@$(IN_DEV) -m bench.posture_html --output bench/results/posture_html.json

bench-store: dev ## Measure rows, the store and hunts, and kill the store's owner 80 times (half an hour on two cores)
	@for name in tabulate store store_crash hunt; do $(IN_DEV) -m bench.$$name --output bench/results/$$name.json || exit 1; done

bench-posture: dev ## Measure 100,000 pods: paths, risks, fixes; file to report, over HTTP, a million bindings (ten minutes, 6 GB)
	@$(IN_DEV) -m bench.posture --output bench/results/posture.json
	@$(IN_DEV) -m bench.posture_cluster --output bench/results/posture_cluster.json

lock: ## Choose the newest versions and write requirements/*.txt again, with hashes (needs a package index)
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet '$(UV)'
	@for part in core "dev --all-extras --group dev" "notebook --extra hunt --group notebook"; do set -- $$part; out=requirements/$$1.txt; shift; \
	.venv-lock/bin/uv pip compile pyproject.toml "$$@" --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --only-binary :all: --no-emit-package eightysix \
	--custom-compile-command "make lock" --output-file $$out >/dev/null || exit 1; done
	@cd src/eightysix/lab/pods/venvs && for name in serving uvloop joblib langchain torch; do \
	$(CURDIR)/.venv-lock/bin/uv pip compile $$name.in --quiet --upgrade --universal --python-version 3.11 $(if $(WHEELS),--find-links "$(WHEELS)") \
	--generate-hashes --only-binary :all: --custom-compile-command "make lock" --output-file $$name.txt >/dev/null || exit 1; done

lab-torch: dev ## Play the scenarios that need torch (once, 1 GB: PIP_EXTRA_INDEX_URL names an index of CPU wheels)
	@PYTHONPATH=src $(IN_DEV) -m eightysix lab setup torch
	@EIGHTYSIX_LAB_PLAYS=torch $(IN_DEV) -m pytest tests/lab/scenarios/test_plays.py

lab-setup: dev ## Install what the lab plays with: Debian packages as root, and the pods' environments (once)
	@tools/lab_setup.sh; code=$$?; PYTHONPATH=src $(IN_DEV) -m eightysix lab setup $(ENVIRONMENTS) && exit $$code

clean: ## Remove what the targets made, environments too
	rm -rf $(VENV) $(CORE_VENV) $(NOTEBOOK_VENV) .venv-lock .venv-scan .fuzz dist build
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

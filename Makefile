# `make` alone lists the targets. All of them work with Python 3.11 to 3.13 on the PATH and nothing installed before;
# environments and models are made when first needed and kept.

SIZE ?= quick
PYTHON ?=
PYTEST_ARGS ?=
# What must not be missing. At home a missing part is skipped with a line that says how to get it; at full size it fails.
REQUIRED_full := minio,seaweedfs,kokoro,whisper,ffmpeg,diffusers,ollama,tmpfs
PARTS_full := ollama
REQUIRED := $(or $(REQUIRED_$(SIZE)),$(GPUJOB_REQUIRE))

# The image tests need PyTorch, which only the full size fetches; an environment that has it keeps it.
VENV_quick := --about "420 MB"
VENV_full := --extra image --about "3.3 GB, of which PyTorch with CUDA is 2.8 GB"

# Some machines set it; then every process compiles what it imports anew, half a minute of processor time for diffusers.
unexport PYTHONDONTWRITEBYTECODE

RUN_PYTHON = $$(sh scripts/find-python $(PYTHON))
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup

.DEFAULT_GOAL := help
.PHONY: help demo test check audit lock fix bench explore faults soak docs clean venv models

help: ## this list
	@echo "gpujob: a GPU job queue whose only server is a bucket."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  PYTHON=/path/to/python3.12 picks the interpreter; the first run of a target makes its environment."

demo: ## a script becomes speech: install, model, queue, worker, submit, wait; the files land in ./demo-out
	@python="$(RUN_PYTHON)" && "$$python" scripts/make_venv.py .venv-demo --copy --extra tts --about "70 MB"
	@.venv-demo/bin/gpujob demo

test: venv ## the tests that this machine can run; SIZE=full for everything (CI), up to 45 minutes
	@case "$(SIZE)" in quick|full) ;; *) echo "SIZE is quick or full, not $(SIZE)" >&2; exit 2;; esac
	@$(MAKE) --no-print-directory --keep-going servers models $(PARTS_$(SIZE)) || [ "$(SIZE)" = quick ]
	@GPUJOB_TEST_SIZE=$(SIZE) GPUJOB_REQUIRE="$(REQUIRED)" $(PYTEST) $(PYTEST_ARGS)

check: venv ## lint, format, types, import contracts, the house rules and the audit
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/tidy
	$(BIN)/python scripts/audit.py

audit: venv ## the installed packages against the lock, and known holes in them where that can be asked
	$(BIN)/python scripts/audit.py

lock: venv ## the lock anew: versions and hashes of all that the checks and tests install
	$(BIN)/python scripts/lock.py

fix: venv ## what ruff can mend by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: venv servers ## the benchmarks: a table, and JSON in benchmarks/out
	$(BIN)/python -m benchmarks

explore: venv ## a million schedules of the simulation
	$(BIN)/python -m tests.simulation.explore --schedules 1000000

faults: venv servers ## 10,000 jobs behind a proxy that loses, delays, cuts, alters and refuses: half an hour
	$(BIN)/python -m tests.faults --jobs 10000

soak: venv ## 1,000 workers and 100,000 jobs in simulated time, with the bill: seven minutes
	$(BIN)/python -m tests.soak --workers 1000 --jobs 100000

docs: venv ## the generated parts of the docs, and the notebook, anew
	$(BIN)/python scripts/generate_docs.py
	$(BIN)/python colab/build_notebook.py

clean: ## removes environments, caches and what the demo made (never a queue or a model)
	rm -rf .venv .venv-audit .venv-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo-out build dist

venv:
	@python="$(RUN_PYTHON)" && "$$python" scripts/make_venv.py .venv --extra tts --extra chat --extra video --group lint --group test --group speech $(VENV_$(SIZE))

models: venv
	@$(BIN)/gpujob models pull kokoro

-include localstack/servers.mk

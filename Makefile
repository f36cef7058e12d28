# Two commands: `make demo` sets up and runs the main job, `make test` sets up and passes the tests.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
# One thread per process: numeric libraries that each start two collapse on two cores.
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: setup demo test check clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Palate needs Python 3.11 or newer; found $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11"; exit 2; }
	@echo "Installing into .venv (once; some 2 minutes and 2.5 GB) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,text,dev]'
	@$(BIN)/palate warm
	@touch $(READY)

demo: setup
	$(BIN)/palate demo

test: setup
	scripts/browser
	@[ -x /usr/bin/chromium ] || set -- -m "not browser"; \
	$(THREADS) $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder \
	--max-worker-restart 0 "$$@"

check: setup
	scripts/check

clean:
	rm -rf .venv demo-site .pytest_cache .mypy_cache .ruff_cache .hypothesis

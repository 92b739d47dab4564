# Turnout's verbs. `make demo` and `make test` need nothing prepared by hand on a fresh Debian 12, as root.
PYTHON ?= /usr/bin/python3
VENV   := .venv
BIN    := $(VENV)/bin
BUILD  := build$(if $(SANITIZE),-asan)

.PHONY: help
help: ## show these verbs
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python scripts/pins.py build run dev bench | $(BIN)/pip install --quiet --disable-pip-version-check -r /dev/stdin
	echo "$(CURDIR)" > $$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')/turnout-checkout.pth
	printf '#!/bin/sh\nexec "$(CURDIR)/$(BIN)/python" -m turnout "$$@"\n' > $(BIN)/turnout && chmod +x $(BIN)/turnout
	touch $@

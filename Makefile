# Turnout's verbs. `make demo` and `make test` need nothing prepared by hand on a fresh Debian 12, as root.
PYTHON   ?= /usr/bin/python3
VENV     := .venv
BIN      := $(CURDIR)/$(VENV)/bin
, := ,
BUILD    := build$(if $(SANITIZE),-asan)
TESTS    ?= tests
export PATH := $(BIN):$(PATH)

.PHONY: help
help: ## show these verbs
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: pyproject.toml scripts/pins.py
	scripts/packages build
	$(PYTHON) -m venv $(VENV)
	scripts/pins.py build run dev bench | $(BIN)/pip install --quiet --disable-pip-version-check -r /dev/stdin
	echo "$(CURDIR)" > $$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')/turnout-checkout.pth
	printf '#!/bin/sh\nexec "$(BIN)/python" -m turnout "$$@"\n' > $(BIN)/turnout && chmod +x $(BIN)/turnout
	touch $@

$(VENV)/controllers/.ready: $(VENV)/.ready # apart: it wants versions of its own
	scripts/pins.py controllers | $(BIN)/pip install --quiet --disable-pip-version-check --upgrade --target $(@D) -r /dev/stdin
	touch $@

$(BUILD)/build.ninja: $(VENV)/.ready
	[ -f $@ ] || meson setup $(BUILD) $(if $(SANITIZE),-Db_sanitize=address$(,)undefined -Db_lundef=false \
	  -Dbuildtype=debugoptimized -Dcpp_args="-DRTE_LIBRTE_MBUF_DEBUG -DRTE_ENABLE_ASSERT")
	touch $@

.PHONY: build
build: $(BUILD)/build.ninja ## compile the engine into turnout/
	ninja -C $(BUILD) --quiet
ifdef SANITIZE # in a copy of the package and its tests: the checkout keeps its own engine
	rm -rf $(BUILD)/checkout && mkdir $(BUILD)/checkout && cp -r turnout tests pyproject.toml $(BUILD)/checkout
	cp --remove-destination $(BUILD)/bind/_engine.*.so $(BUILD)/checkout/turnout/_engine.so
else # a new file, not new bytes in the old one: a switch that runs keeps what it loaded
	cmp -s $(BUILD)/bind/_engine.*.so turnout/_engine.so || \
	  cp --remove-destination $(BUILD)/bind/_engine.*.so turnout/_engine.so
	python -m nanobind.stubgen -q -m turnout._engine -o turnout/_engine.pyi
endif

.PHONY: test
test: build $(VENV)/controllers/.ready ## set up, build, and pass every test (SANITIZE=1: engine and seam under ASan and UBSan)
	scripts/packages guests lab lint fuzz
ifdef SANITIZE # leaks of Python would drown ours; a report goes past pytest, which would swallow it
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 meson test -C $(BUILD) --print-errorlogs --timeout-multiplier 4
	cd $(BUILD)/checkout && UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 ASAN_OPTIONS=detect_leaks=0 \
	  LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libubsan.so)" \
	  python -m pytest -p no:cacheprovider --capture=sys tests/seam
else
	meson test -C $(BUILD) --print-errorlogs
	$(MAKE) --no-print-directory lint
	tests/fuzz/run 10
	python -m pytest $(TESTS)
endif

.PHONY: lint
lint: build ## style and types: ruff, mypy strict, clang-format, the generated stub
	scripts/packages lint
	ruff check . && ruff format --check .
	mypy
	git ls-files '*.cpp' '*.hpp' | xargs clang-format --dry-run -Werror
	git diff --exit-code --stat -- turnout/_engine.pyi || { echo "the stub differs from the engine: commit turnout/_engine.pyi"; exit 1; }

.PHONY: demo
demo: build ## two guests and two namespaces through one switch, with a summary
	scripts/packages guests
	python -m turnout.lab demo

.PHONY: bench
bench: build ## Turnout beside OVS-DPDK and testpmd: table, JSON, plot (ARGS="--quick", "--scenario NAME", …)
	scripts/packages guests bench
	python -m turnout.bench $(ARGS)

.PHONY: lab
lab: build $(VENV)/controllers/.ready ## the long scenes: QEMU guests, soak, restarts
	scripts/packages guests lab bench
	python -m pytest -m "lab or not lab" tests/e2e tests/ovsdb/test_disturbed.py $(ARGS)

.PHONY: fuzz
fuzz: build ## parser and decoder for SECONDS (default 600), then PACKETS (default 10 M) through engine and interpreter
	scripts/packages fuzz
	tests/fuzz/run $(or $(SECONDS),600)
	python -m tests.openflow.property --packets $(or $(PACKETS),10000000) --seed $(or $(SEED),$$(date +%s))

.PHONY: clean
clean: ## remove what was built
	rm -rf build build-asan turnout/_engine*.so .cache bench-results

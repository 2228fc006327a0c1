# Two commands for a fresh machine: `make demo` and `make test`. Both build .venv by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help demo test test-judgement test-agents test-engines test-gateway test-console test-terminal soak engines check fix fuzz bench bench-gateway lock snapshots clean

help:
	@echo "make demo              everything on this machine, in the console (ARGS=\"--headless --for 90s --json\")"
	@echo "make test              the tests; under 3 minutes on 2 cores"
	@echo "make test-agents       what agents survive: kills, hangs, full disks, cut transfers, lost hosts, the gateway's faults; 8 minutes"
	@echo "make test-judgement    canaries and whole rollouts on real llama.cpp engines: promoted, rolled back, held; 5 minutes"
	@echo "make test-engines      the agent with real llama.cpp servers and real vLLM; 10 minutes, more the first time"
	@echo "make test-gateway      the gateway with clients and engines of others: openai, curl, vllm bench; 3 minutes"
	@echo "make test-console      every pane and dialog of the console, and whatever text hosts may send; 2 minutes"
	@echo "make test-terminal     the console in tmux over OpenSSH, with real engines: hangs, kills, resizes, a slow link; 2 minutes"
	@echo "make soak              the agent killed every few seconds for 5 minutes, under load"
	@echo "make engines           check, profiles and plans against real vLLM and llama.cpp; 40 minutes, 6 GB the first time"
	@echo "make check             ruff, mypy --strict, import contracts"
	@echo "make fuzz              hostile checkpoints for a minute, guided by coverage (ARGS=\"--seconds 300\")"
	@echo "make bench             what things cost, beside their limits; fails where one is exceeded"
	@echo "make bench-gateway     the gateway beside nginx, in the lab that GATEWAY_LAB names; 6 minutes"
	@echo "make fix               let ruff format and mend what it can"
	@echo "make snapshots         draw the screens under snapshots/ again"
	@echo "make lock              resolve requirements/*.lock again (needs uv)"
	@echo "make clean             remove .venv and caches"

demo: $(VENV)/.demo
	@exec $(BIN)/quantdeck demo $(ARGS)

# Agents that are killed, cut off and filled up take their time: they have a target of their own.
AGENTS := tests/faults tests/models tests/nodes
# So do engines that are asked fixed prompts, and rollouts from the first user to the last.
JUDGEMENT := tests/judgement tests/canary
# And the console: its screens, and itself in a real terminal over a real link.
SCREENS := tests/console
TERMINAL := tests/terminal

# Most tests wait for processes: three at a time keep two cores busy.
test: $(VENV)/.dev
	@$(BIN)/pytest -n 3 --dist worksteal $(AGENTS:%=--ignore %) $(JUDGEMENT:%=--ignore %) $(SCREENS:%=--ignore %) $(TERMINAL:%=--ignore %) $(ARGS)

test-judgement: $(VENV)/.dev
	@$(BIN)/pytest -n 2 --dist worksteal $(JUDGEMENT) $(ARGS)

test-console: $(VENV)/.dev
	@$(BIN)/pytest -n 2 --dist worksteal $(SCREENS) $(ARGS)

# Skipped, with the reason, where tmux or OpenSSH's server is missing.
test-terminal: $(VENV)/.dev
	@$(BIN)/pytest -n 2 --dist worksteal -rs $(TERMINAL) $(ARGS)

test-agents: $(VENV)/.dev
	@$(BIN)/pytest $(AGENTS) $(ARGS)

# QUANTDECK_VLLM, QUANTDECK_QUANTIZERS, QUANTDECK_LLAMA_SERVER, QUANTDECK_LLAMA_QUANTIZE, QUANTDECK_LLAMACPP_SRC and
# QUANTDECK_LLAMA_CPP_PYTHON name engines that are there already; without them they are installed under ~/.cache.
engines: $(VENV)/.dev
	@vllm=$${QUANTDECK_VLLM:-$$(bash tests/engines/install-vllm.sh)} || exit 1; \
	  llamacpp=$$([ -n "$$QUANTDECK_LLAMA_SERVER" ] || bash tests/engines/install-llamacpp.sh) || { \
	    echo "llama.cpp could not be built (it needs a C++ compiler): what needs it is skipped." >&2; llamacpp=; }; \
	  env $$llamacpp QUANTDECK_VLLM=$$vllm $(BIN)/pytest tests/engines tests/logs/test_engines.py -m "slow or not slow" --timeout 600 $(ARGS)

# The same variables; an engine that is neither named nor can be had here is skipped, with the reason.
test-engines: $(VENV)/.dev
	@vllm=$${QUANTDECK_VLLM:-$$(bash tests/engines/install-vllm.sh)} || { \
	    echo "vLLM could not be installed: it is skipped." >&2; vllm=; }; \
	  llamacpp=$$([ -n "$$QUANTDECK_LLAMA_SERVER" ] || bash tests/engines/install-llamacpp.sh) || { \
	    echo "llama.cpp could not be built (it needs a C++ compiler): llama-server and llama-cpp-python are skipped." >&2; \
	    llamacpp=; }; \
	  ray=$${QUANTDECK_VLLM_RAY:-$$([ -z "$$vllm" ] || bash tests/engines/install-ray.sh)} || { \
	    echo "Ray could not be installed: a model over several hosts is skipped." >&2; ray=; }; \
	  env $$llamacpp QUANTDECK_VLLM=$$vllm QUANTDECK_VLLM_RAY=$$ray $(BIN)/pytest tests/matrix -rs -s $(ARGS)

# The same variables. The client comes with a data validation library of its own, which nothing else here wants.
test-gateway: $(VENV)/.dev
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --quiet --require-hashes \
	  -r requirements/clients.lock
	@vllm=$${QUANTDECK_VLLM:-$$(bash tests/engines/install-vllm.sh)} || { \
	    echo "vLLM could not be installed: it is skipped." >&2; vllm=; }; \
	  llamacpp=$$([ -n "$$QUANTDECK_LLAMA_SERVER" ] || bash tests/engines/install-llamacpp.sh) || { \
	    echo "llama.cpp could not be built (it needs a C++ compiler): llama-server and llama-cpp-python are skipped." >&2; \
	    llamacpp=; }; \
	  env $$llamacpp QUANTDECK_VLLM=$$vllm $(BIN)/pytest tests/clients -rs $(ARGS)

soak: $(VENV)/.dev
	@$(BIN)/pytest tests/faults/test_agent_killed.py -m soak -s --timeout 600 $(ARGS)

check: $(VENV)/.dev
	@$(BIN)/ruff format --check agents console profiles tests
	@$(BIN)/ruff check agents console profiles tests
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

fix: $(VENV)/.dev
	@$(BIN)/ruff format agents console profiles tests
	@$(BIN)/ruff check --fix agents console profiles tests

fuzz: $(VENV)/.dev
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --quiet --only-binary :all: \
	  --require-hashes -r requirements/fuzz.lock || echo "No atheris for this machine: fuzzing without it." >&2
	@PYTHONPATH=tests $(BIN)/python -m fuzz $(ARGS)

bench: $(VENV)/.dev
	@for one in tests/benchmarks/agent_*.py tests/benchmarks/gateway_*.py tests/benchmarks/analyser_*.py tests/benchmarks/judge_*.py tests/benchmarks/console_*.py; do echo "== $$one"; $(BIN)/python $$one || exit 1; done

GATEWAY_LAB ?= ../shared/bench/gateway
GATEWAY := $(CURDIR)/$(BIN)/quantdeck gateway --port {port} --control http://127.0.0.1:{a} --treatment http://127.0.0.1:{b}
GATEWAY += --weight 50 --experiment bench --signals-socket {tmp}/{port}.sock

bench-gateway: $(VENV)/.dev
	@test -f "$(GATEWAY_LAB)/compare.py" || { \
	  echo "$(GATEWAY_LAB) has no compare.py: name the folder of the comparison lab with GATEWAY_LAB=FOLDER." >&2; exit 2; }
	@for one in nginx cc taskset; do command -v $$one >/dev/null || { \
	  echo "$$one is missing. On Debian and Ubuntu: apt-get install nginx-light gcc libc6-dev util-linux" >&2; exit 2; }; done
	@result=$$(mktemp) && trap 'rm -f "$$result"' EXIT && \
	  $(BIN)/python "$(GATEWAY_LAB)/compare.py" --only nginx,floor --cases ns,lat,paced512,idle --out "$$result" \
	    --add 'quantdeck=$(GATEWAY)' --add 'quantdeck2=$(GATEWAY) --workers 2' $(ARGS) && \
	  $(BIN)/python tests/benchmarks/gateway_ratios.py "$$result"

snapshots: $(VENV)/.dev
	@$(BIN)/pytest tests/console --snapshot-update

# The stamps name what is installed: the development environment holds all that the demo needs.
$(VENV)/.demo: requirements/demo.lock pyproject.toml
	@$(MAKE) --no-print-directory environment LOCK=demo
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml
	@$(MAKE) --no-print-directory environment LOCK=dev
	@touch $@ $(VENV)/.demo

.PHONY: environment
environment:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "quantdeck needs Python 3.11 or newer as '$(PYTHON)'. Install it, or run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "This Python cannot make environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "making $(VENV)" >&2; $(PYTHON) -m venv $(VENV); }
	@echo "installing requirements/$(LOCK).lock (the first time about 30 seconds)" >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --quiet --progress-bar off \
	  --require-hashes -r requirements/$(LOCK).lock || { \
	  echo "The Python index could not be reached, or has no wheel for this machine (the line above says which)." >&2; \
	  echo "Behind a proxy, set HTTPS_PROXY; then run make again: what is installed already stays." >&2; exit 1; }
	@echo "installing quantdeck itself" >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --quiet --no-build-isolation --no-deps -e .

lock:
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 2; }
	uv pip compile pyproject.toml --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
	  --generate-hashes --upgrade --quiet --extra demo --group build -o requirements/demo.lock
	uv pip compile pyproject.toml --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url \
	  --generate-hashes --upgrade --quiet --extra demo --group dev -o requirements/dev.lock
	uv pip compile --group pyproject.toml:fuzz --universal --python-version 3.11 --no-header --no-annotate \
	  --no-emit-index-url --generate-hashes --upgrade --quiet -o requirements/fuzz.lock
	uv pip compile --group pyproject.toml:clients --universal --python-version 3.11 --no-header --no-annotate \
	  --no-emit-index-url --generate-hashes --upgrade --quiet -c requirements/dev.lock -o requirements/clients.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist

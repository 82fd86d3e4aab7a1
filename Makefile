# Everything runs from a virtual environment that is made from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

IDEA ?= A library service that tracks books with a title, an author, a unique ISBN, a price and a genre (fiction, science or poetry), and members with a name and a required unique e-mail. Each loan belongs to a book and to a member and has a due date.
OUT ?= out

.PHONY: demo test test-fast test-half test-other-half test-slow soak lint types imports bench lock schemas clean

# Run one idea on an embedded broker and write the project to out/; a project of an earlier run there is replaced.
demo: $(STAMP)
	@if [ -f "$(OUT)/.flotilla/manifest.json" ]; then rm -rf "$(OUT)"; fi
	@$(BIN)/flotilla run "$(IDEA)" --out "$(OUT)"

# The whole suite: what is fast and what is slow.
test: lint types imports test-fast test-slow

# In two halves side by side, since both wait for servers and processes most of the time. What each says comes at its end.
test-fast: $(STAMP)
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-half test-other-half

HALF := tests/cli tests/consensus tests/contracts tests/gateway tests/llm tests/orchestrator tests/prompting

test-half: $(STAMP)
	$(BIN)/pytest -m "not slow" $(wildcard $(HALF))

test-other-half: $(STAMP)
	$(BIN)/pytest -m "not slow" tests $(addprefix --ignore=,$(HALF))

test-slow: $(STAMP)
	$(BIN)/pytest -m slow

# The properties again, each time with other examples.
soak: $(STAMP)
	$(BIN)/pytest --hypothesis-profile=default -m "not slow" tests/orchestrator tests/consensus tests/contracts tests/gateway \
		tests/llm tests/prompting

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

# Side by side: runs with a chain by hand on raw nats-py, model calls with the bare SDK and LiteLLM, rules of ballots, how soon they are decided, prompts and how
# often each of them does its work. About ten minutes.
bench: $(STAMP)
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.gateway
	$(BIN)/python -m benchmarks.votes
	$(BIN)/python -m benchmarks.ballots
	$(BIN)/python -m benchmarks.prompts
	$(BIN)/python -m benchmarks.library

# Write requirements.lock anew from pyproject.toml.
lock: $(STAMP)
	$(BIN)/uv pip compile -q pyproject.toml --all-extras --group dev --universal --generate-hashes --no-header --no-annotate -o requirements.lock

schemas: $(STAMP)
	$(BIN)/python -m contracts.schema_files

clean:
	rm -rf $(VENV) $(OUT) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

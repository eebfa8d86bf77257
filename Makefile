# `make demo` and `make test` need nothing but Python >= 3.10; the targets are what CI and developers run.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# Of demo-llm: the model's name as the server has it (empty: see `synthesizrr local-teacher --help`), and rows per label
MODEL ?=
PER_LABEL ?= 10
# Of llm-server: Ollama's own port, so that demo-llm finds it
PORT ?= 11434
# Halves of the tests at a time: those that start servers wait for them, and leave a core to the others
JOBS ?= 2

.PHONY: demo demo-llm llm-server test test-code test-services install install-test check fix clean

demo: install
	$(BIN)/python -m spacy project run all
	@echo "Report: runs/news_demo/report/index.html"

# The demo task with a real LLM: whatever Ollama has, on its port or at $OLLAMA_HOST. docs/real-teacher.md shows what comes of it.
demo-llm: install
	$(BIN)/python -m spacy_synthesizrr local-teacher --model '$(MODEL)'
	$(BIN)/python -m spacy project run all . --vars.teacher local --vars.run news_llm --vars.per_label $(PER_LABEL)
	@echo "Report: runs/news_llm/report/index.html"

# For developers who have no Ollama: a very small LLM, from package registries alone (tests/services), until Ctrl-C
llm-server: install
	PYTHONPATH=tests $(BIN)/python -m services.ollama --port $(PORT)

test: install-test
	$(MAKE) --no-print-directory --jobs $(JOBS) test-services test-code

test-services: install-test
	$(BIN)/python -m pytest tests/services

test-code: install-test
	$(BIN)/python -m pytest --ignore tests/services

install: $(VENV)/.installed

install-test: $(VENV)/.installed-test

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.installed

check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy spacy_synthesizrr argilla_bridge

fix:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf runs index project.lock build dist *.egg-info configs/*.local.cfg

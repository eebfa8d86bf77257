# `make demo` and `make test` need nothing but Python >= 3.10; the targets are what CI and developers run.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test install install-test check fix clean

demo: install
	$(BIN)/python -m spacy project run all
	@echo "Report: runs/news_demo/report/index.html"

test: install-test
	$(BIN)/python -m pytest

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
	rm -rf runs index project.lock build dist *.egg-info

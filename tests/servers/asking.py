"""What tests of the chat model share: a model for a fault server, its answers as a flat list, and two fixtures (a pytest plugin)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import contextmanager

import pytest

from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.chat import pace
from spacy_synthesizrr.models.chat.model import make_chat_completions


@pytest.fixture
def quick(monkeypatch):
    """Pauses before retries that a test can wait for."""
    monkeypatch.setattr(pace, "BACKOFF", 0.005)
    monkeypatch.setattr(pace, "LONGEST", 0.05)


@pytest.fixture
def store(tmp_path):
    """A response store of its own."""
    with ResponseStore(tmp_path / "answers.sqlite") as opened:
        yield opened


@contextmanager
def chat(server, store=None, *, requests=None, scope="run", **settings):
    """A model for a server, closed at the end."""
    made = make_chat_completions(server.url, settings.pop("model", "m"), requests=requests, **settings)
    if store is not None:
        made.remember(store, scope=scope)
    try:
        yield made
    finally:
        made.close(grace=10)


def ask(model, prompts: Iterable[str]) -> list:
    """One Doc per prompt."""
    return [answer for [answer] in model([prompt] for prompt in prompts)]


def ask_once(server, store, prompts, **settings) -> list:
    """Ask with a model of its own."""
    with chat(server, store, **settings) as model:
        return ask(model, prompts)


def kinds(answers) -> Counter:
    """How many answers, and failures of each kind."""
    return Counter(getattr(answer, "kind", "answer") for answer in answers)


def texts(count: int, start: int = 0) -> list[str]:
    """Different prompts."""
    return [f"prompt {number}" for number in range(start, start + count)]

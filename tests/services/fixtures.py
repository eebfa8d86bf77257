"""The pytest plugin: one session-scoped fixture per server. Registered in tests/conftest.py, so every test may ask for one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import pytest

from services.argilla import Argilla, running_argilla
from services.browser import running_chromium
from services.embeddings import Embeddings, running_embeddings
from services.ollama import Ollama, running_ollama
from services.processes import ServiceError
from services.recognizer import install_recognizer
from services.transformers import beside_transformers
from services.weaviate import Weaviate, running_weaviate

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Running = TypeVar("Running")


@pytest.fixture(scope="session")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ollama]:
    """A real LLM behind an OpenAI-compatible API."""
    yield from serve(running_ollama(tmp_path_factory.mktemp("ollama")))


@pytest.fixture(scope="session")
def transformers(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Mapping[str, str]]:
    """The environment of a child process that has torch and transformers beside all that this one has."""
    yield from serve(beside_transformers(pytestconfig.rootpath, tmp_path_factory.mktemp("transformers")))


@pytest.fixture(scope="session")
def recognizer() -> Path:
    """The folder of a trained spaCy pipeline that finds entities in English."""
    try:
        return install_recognizer()
    except ServiceError as error:
        reason = str(error)
    refuse(reason)


@pytest.fixture(scope="session")
def weaviate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weaviate]:
    """A vector database that takes everybody."""
    yield from serve(running_weaviate(tmp_path_factory.mktemp("weaviate")))


@pytest.fixture(scope="session")
def embeddings() -> Iterator[Embeddings]:
    """A stand-in for services that embed texts."""
    with running_embeddings() as running:
        yield running


@pytest.fixture(scope="session")
def weaviate_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weaviate]:
    """A vector database that takes everybody, with modules that can call that stand-in."""
    environment = {"ENABLE_MODULES": "text2vec-ollama,text2vec-cohere"}
    yield from serve(running_weaviate(tmp_path_factory.mktemp("weaviate_modules"), environment=environment))


@pytest.fixture(scope="session")
def argilla(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Argilla]:
    """A review server with an owner, two annotators and a workspace; every test makes datasets of its own."""
    yield from serve(running_argilla(tmp_path_factory.mktemp("argilla")))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium. Not for a whole session: while it runs, the thread has an event loop and nothing else can start one."""
    yield from serve(running_chromium(tmp_path_factory.mktemp("chromium")))


def serve(service: AbstractContextManager[Running]) -> Iterator[Running]:
    """Yield what a service is once it runs, and stop it afterwards.

    service (ContextManager): Raises ServiceError when it cannot be started.
    """
    with ExitStack() as stack:
        reason = ""
        try:
            running = stack.enter_context(service)
        except ServiceError as error:
            reason = str(error)
        if reason:  # outside of the handler: a report shows the reason, not how it was handled
            refuse(reason)
        yield running


def refuse(reason: str) -> NoReturn:
    """Fail in CI, where every server must run; elsewhere skip, with the reason."""
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(reason)
    pytest.fail(reason, pytrace=False)

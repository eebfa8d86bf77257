"""The Weaviate of compose.yml, with the environment that stands there and the secrets of a generated .env."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from services.fixtures import serve
from services.weaviate import Weaviate, install_weaviate, running_weaviate
from services.weaviate_stores import store_on
from spacy_synthesizrr.env_file import write_env
from spacy_synthesizrr.errors import StoreError

OF_THE_CONTAINER = ("PERSISTENCE_DATA_PATH",)


def environment() -> dict[str, str]:
    about = YAML(typ="safe").load((ROOT / "compose.yml").read_text(encoding="utf-8"))
    return {name: value for name, value in about["services"]["weaviate"]["environment"].items() if name not in OF_THE_CONTAINER}


def filled_in(values: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """What compose makes of variables."""
    return {name: re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: secrets[found.group(1)], text) for name, text in values.items()}


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("env") / ".env"
    write_env(path)
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if not line.startswith("#"))


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory, secrets: dict[str, str]) -> Iterator[Weaviate]:
    """The server, started with that environment."""
    yield from serve(running_weaviate(tmp_path_factory.mktemp("composed"), environment=filled_in(environment(), secrets)))


def test_the_key_of_the_generated_file_opens_it(composed, secrets, monkeypatch, tmp_path):
    monkeypatch.setenv("WEAVIATE_API_KEY", secrets["WEAVIATE_API_KEY"])
    assert store_on(composed, tmp_path).keys() == []


def test_without_a_key_nothing_is_read(composed):
    with pytest.raises(HTTPError) as caught:
        build_opener(ProxyHandler({})).open(Request(f"{composed.url}/v1/schema"), timeout=10)
    caught.value.close()
    assert caught.value.code == 401


def test_without_a_key_a_store_says_which_variable_to_set(composed, monkeypatch, tmp_path):
    monkeypatch.delenv("WEAVIATE_API_KEY", raising=False)
    with pytest.raises(StoreError, match="wants a key, and none is set in WEAVIATE_API_KEY"):
        store_on(composed, tmp_path).keys()


def test_another_key_is_refused(composed, secrets, monkeypatch, tmp_path):
    monkeypatch.setenv("WEAVIATE_API_KEY", secrets["ARGILLA_API_KEY"])
    with pytest.raises(StoreError, match="refuses the key in WEAVIATE_API_KEY"):
        store_on(composed, tmp_path).keys()


def test_it_has_no_module_that_asks_a_service_elsewhere(composed, secrets):
    asked = Request(f"{composed.url}/v1/meta", headers={"authorization": f"Bearer {secrets['WEAVIATE_API_KEY']}"})
    with build_opener(ProxyHandler({})).open(asked, timeout=10) as reply:
        assert list(json.load(reply)["modules"]) == ["text2vec-ollama"]


def test_the_server_knows_every_variable_that_it_is_given(composed):
    program = Path(install_weaviate()).read_bytes()
    assert [name for name in environment() if name.encode() not in program] == []

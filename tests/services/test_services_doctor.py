"""The doctor before a real Weaviate: found how, which version, what lies in it, who is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.ollama import Ollama
from services.weaviate import Weaviate, running_weaviate
from services.weaviate_stores import store_on
from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.doctor.stores import look_at_store
from spacy_synthesizrr.doctor.teachers import look_at_teacher
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder

CFG = Path("configs/store.weaviate.cfg")
KEY = "doctored"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """As configs/store.weaviate.cfg: everything else stands in the environment."""
    for name in ("WEAVIATE_URL", "WEAVIATE_API_KEY", "WEAVIATE_GRPC_PORT"):
        monkeypatch.delenv(name, raising=False)
    return {
        "store": {"@misc": "synthesizrr.WeaviateStore.v1", "path": str(tmp_path)},
        "embedder": {"@misc": "synthesizrr.LsaEmbedder.v1"},
    }


def found_at(server: Weaviate, config: dict, monkeypatch: pytest.MonkeyPatch, key: str = "") -> dict:
    monkeypatch.setenv("WEAVIATE_URL", server.url)
    monkeypatch.setenv("WEAVIATE_GRPC_PORT", str(server.grpc_port))
    return {each.name: each for each in look_at_store(config, CFG, of_run={"key": key} if key else {})}


@pytest.fixture
def filled(weaviate: Weaviate, tmp_path: Path):
    """A collection of ours with a deleted passage."""
    store = store_on(weaviate, tmp_path, KEY)
    store.index([Passage(str(n), f"one text number{n}") for n in range(9)], make_lsa_embedder())
    store.delete(["1"])
    yield store
    store.drop()
    store.close()


def test_it_says_how_it_was_found_and_what_it_is(weaviate, config, monkeypatch):
    found = found_at(weaviate, config, monkeypatch)
    assert found["Weaviate"].detail == f"server: {weaviate.url} (by $WEAVIATE_URL)"
    assert found["server"].detail.startswith(f"version {weaviate.version}, answers on HTTP and gRPC, text2vec-: ")
    assert found["$WEAVIATE_API_KEY"].state == "ok"
    assert not [each for each in found.values() if each.bad]


def test_a_module_that_the_config_wants_and_the_server_has_not_is_named(weaviate, config, monkeypatch):
    config["embedder"] = {"@misc": "synthesizrr.WeaviateVectorizer.v1", "module": "text2vec-transformers"}
    found = found_at(weaviate, config, monkeypatch)
    assert found["module"].bad and "ENABLE_MODULES=text2vec-transformers" in found["module"].cure


def test_collections_are_listed_with_counts_and_embedder(weaviate, config, monkeypatch, filled):
    about = found_at(weaviate, config, monkeypatch, KEY)[f"index {KEY}"]
    assert about.state == "ok"
    assert about.detail.startswith("8 passages (1 deleted), lsa-v1-") and about.detail.endswith(", of this run")


def test_a_collection_that_was_not_finished_is_a_fault_of_its_run_only(weaviate, config, monkeypatch, filled):
    filled._table.write_state(filled._state.but(complete=False))
    assert found_at(weaviate, config, monkeypatch, KEY)[f"index {KEY}"].bad
    assert not found_at(weaviate, config, monkeypatch)[f"index {KEY}"].bad


def test_an_index_is_known_though_the_server_has_another_name_for_its_key(weaviate, config, monkeypatch, tmp_path):
    store = store_on(weaviate, tmp_path, "my-news")
    store.index([Passage("1", "one text")], make_lsa_embedder())
    found = found_at(weaviate, config, monkeypatch, "my-news")["index my-news"]
    store.drop()
    store.close()
    assert found.state == "ok" and found.detail.endswith(", of this run")


def test_an_index_whose_embedder_is_elsewhere_is_not_well(weaviate, config, monkeypatch, filled, tmp_path):
    config["store"]["path"] = str(tmp_path / "elsewhere")
    found = found_at(weaviate, config, monkeypatch, KEY)[f"index {KEY}"]
    assert found.bad and "embedder is not on this machine" in found.detail


def test_a_grpc_port_that_is_closed_is_named(weaviate, config, monkeypatch):
    config["store"]["connection"] = {"url": weaviate.url, "grpc_port": 9}
    found = {each.name: each for each in look_at_store(config, CFG)}
    assert found["server"].bad and "not its gRPC port" in found["server"].detail


def test_nothing_is_written_on_the_server(weaviate, config, monkeypatch, filled):
    before = filled._link.client.collections.list_all()
    found_at(weaviate, config, monkeypatch)
    assert filled._link.client.collections.list_all() == before


def test_a_server_with_keys_refuses_ours_and_we_never_show_it(config, monkeypatch, tmp_path):
    (tmp_path / "server").mkdir()
    with running_weaviate(tmp_path / "server", api_key="the-right-one") as server:
        assert "wants a key" in found_at(server, config, monkeypatch)["server"].detail
        monkeypatch.setenv("WEAVIATE_API_KEY", "quite-a-wrong-one")
        found = found_at(server, config, monkeypatch)
        assert "refuses the key in WEAVIATE_API_KEY" in found["server"].detail
        assert "quite-a-wrong-one" not in str(found)
        monkeypatch.setenv("WEAVIATE_API_KEY", "the-right-one")
        assert not [each for each in found_at(server, config, monkeypatch).values() if each.bad]


def test_ollama_is_asked_for_its_models(ollama: Ollama):
    block = {"@llm_models": "synthesizrr.ChatCompletions.v1", "base_url": ollama.base_url, "model": ollama.model}
    (found,) = look_at_teacher({"teacher": block}, CFG)
    assert found.state == "ok" and f"has the model {ollama.model}" in found.detail

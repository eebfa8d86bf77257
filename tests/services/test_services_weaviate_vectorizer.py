"""Vectors that a module of the server makes: of passages, of queries, and of what else the project embeds."""

import json
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from services.embeddings import DIMENSIONS, KEY, Embeddings, vectors
from services.letters import passages
from services.weaviate import Weaviate
from services.weaviate_stores import stores_on
from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import embed_queries, unit_rows
from spacy_synthesizrr.embedders.brought import BroughtVectors
from spacy_synthesizrr.errors import ConfigError, StoreError
from spacy_synthesizrr.stores.base import Condition, Filter, Query, Search
from spacy_synthesizrr.stores.memory import make_memory_store
from spacy_synthesizrr.stores.weaviate.scratch import NAMED
from spacy_synthesizrr.stores.weaviate.store import WeaviateStore
from spacy_synthesizrr.stores.weaviate.vectorizer import PROBE, make_weaviate_vectorizer

COHERE = {"headers_env": {"X-Cohere-Api-Key": "EMBEDDING_KEY_OF_TESTS"}}
ROWS = [
    *passages(120),
    Passage("ship", "The ship left the harbour at noon.", "paper"),
    Passage("team", "The team won the cup after extra time.", "wire"),
]
TEXTS = [passage.text for passage in ROWS]


@pytest.fixture(scope="module")
def service(embeddings):
    yield embeddings
    embeddings.mend()


@pytest.fixture(scope="module")
def modules(weaviate_modules):
    return weaviate_modules


@pytest.fixture
def make(modules: Weaviate, service: Embeddings, tmp_path):
    """Makes stores of this test alone; the service has not been asked anything yet."""
    with stores_on(modules, tmp_path) as made:
        service.asked.clear()
        yield made
    service.mend()


@pytest.fixture(scope="module")
def shelf(modules, service, tmp_path_factory):
    """A store that the server filled, and what the service was asked for then; tests only read it."""
    with stores_on(modules, tmp_path_factory.mktemp("shelf")) as made:
        service.asked.clear()
        store = made()
        assert store.index(ROWS, ollama(service)).written
        yield store, service.texts()


@pytest.fixture
def store(shelf, service):
    service.asked.clear()
    return shelf[0]


def ollama(service, model="words"):
    return make_weaviate_vectorizer("text2vec-ollama", {"apiEndpoint": service.url, "model": model})


def cohere(service):
    return make_weaviate_vectorizer("text2vec-cohere", {"baseURL": service.url, "model": "words"})


def scratch_collections(store):
    return [name for name in store._link.client.collections.list_all() if name.startswith(NAMED)]


def test_the_server_embeds_the_text_of_each_passage_once_and_nothing_else(shelf):
    store, asked = shelf
    assert sorted(asked) == sorted([PROBE, *TEXTS])
    np.testing.assert_allclose(store.vectors([passage.id for passage in ROWS]), unit_rows(vectors(TEXTS)), atol=1e-6)
    assert [passage for passage, _ in store.iterate()] == ROWS


def test_similarities_are_the_cosines_of_numpy_and_queries_go_as_text(store, service):
    text = "when the ship left"
    (hits,) = store.search([Query(text)], 30)
    assert set(service.texts()) == {text}  # again where more hits are equal than came at first
    cosines = unit_rows(vectors(TEXTS)) @ unit_rows(vectors([text]))[0]
    np.testing.assert_allclose([hit.similarity for hit in hits], np.sort(cosines)[::-1][:30], atol=2e-6)
    assert hits[0].passage_id == "ship"
    (same,) = store.search([Query("", embed_queries(store.embedder, [text])[0])], 30)
    np.testing.assert_allclose([hit.similarity for hit in same], [hit.similarity for hit in hits], atol=2e-6)


def test_every_kind_of_search_works(store):
    query = Query("the team won")
    for how in (Search("hybrid"), Search("keyword"), Search(diversity=0.5), Search(per_document=1), Search(min_similarity=0.3)):
        (hits,) = store.search([query], 5, how=how, filter=Filter(where=(Condition("source", "==", "wire"),)))
        assert [hit.passage_id for hit in hits] == ["team"]
    (diverse,) = store.search([query], 10, how=Search(diversity=0.3, fetch=100))
    assert len({hit.passage_id for hit in diverse}) == 10
    (nothing,) = store.search([Query("  ")], 3)
    assert [(hit.passage_id, hit.similarity) for hit in nothing] == [(passage.id, 0.0) for passage in ROWS[:3]]


def test_texts_get_the_vectors_that_passages_get(store):
    found = store.embedder.embed(["The ship left the harbour at noon.", "", "the cup", "the cup"])
    assert found.shape == (4, DIMENSIONS)
    np.testing.assert_allclose(found[0], store.vectors(["ship"])[0], atol=1e-6)
    assert not found[1].any()
    np.testing.assert_allclose(found[2:], unit_rows(vectors(["the cup"] * 2)), atol=1e-6)
    assert store.embedder.embed([]).shape == (0, DIMENSIONS)
    assert embed_queries(store.embedder, []).shape == (0, DIMENSIONS)
    assert scratch_collections(store) == []


def test_a_module_may_treat_queries_otherwise_and_takes_its_key_from_a_header(modules, service, tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDING_KEY_OF_TESTS", KEY)
    service.asked.clear()
    with stores_on(modules, tmp_path, connection=COHERE) as make:
        store = make()
        store.index(ROWS, cohere(service))
        assert sorted(service.texts("search_document")) == sorted([PROBE, *TEXTS])
        text = "the ship in the harbour"
        (hits,) = store.search([Query(text)], 10)
        cosines = unit_rows(vectors(TEXTS)) @ unit_rows(vectors([text], "search_query"))[0]
        np.testing.assert_allclose([hit.similarity for hit in hits], np.sort(cosines)[::-1][:10], atol=2e-6)
        np.testing.assert_allclose(embed_queries(store.embedder, [text, " "])[0], unit_rows(vectors([text], "search_query"))[0], atol=2e-6)
        np.testing.assert_allclose(store.embedder.embed([text]), unit_rows(vectors([text])), atol=1e-6)
        assert set(service.texts("search_query")) == {text}
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY in path.read_text(errors="replace")]


def test_a_key_that_the_service_refuses_is_told_and_never_shown(modules, service, tmp_path, monkeypatch):
    monkeypatch.setenv("EMBEDDING_KEY_OF_TESTS", "wrong-key-93")
    monkeypatch.setattr("spacy_synthesizrr.stores.weaviate.scratch.ATTEMPTS", 1)
    with (
        stores_on(modules, tmp_path, connection=COHERE) as make,
        pytest.raises(StoreError, match=r"key: Bearer \*{3}") as caught,
    ):
        make().index(ROWS, cohere(service))
    assert "wrong-key-93" not in str(caught.value)


def test_indexing_again_and_elsewhere_asks_for_no_passage(make, service, tmp_path):
    store = make()
    store.index(ROWS, ollama(service))
    service.asked.clear()
    assert not store.index(ROWS, ollama(service)).written
    assert service.asked == []
    other = WeaviateStore(store._place, tmp_path / "other", store._key)
    assert not other.index(ROWS, ollama(service)).written
    assert set(service.texts()) <= {PROBE, *TEXTS[:10]}  # is it still the same model?
    assert other.search([Query("harbour")], 3) == store.search([Query("harbour")], 3)
    other.close()


def test_only_passages_that_changed_are_embedded(make, service):
    store = make()
    store.index(ROWS, ollama(service))
    service.asked.clear()
    moved = Passage("ship", ROWS[-2].text, "another paper")
    store.index([*ROWS[:-2], moved, Passage("new", "a new text")], ollama(service))
    asked = service.texts()
    assert sorted(asked[-2:]) == [moved.text, "a new text"]
    assert set(asked[:-2]) <= {PROBE, *TEXTS[:10]}  # is it still the same model?
    assert store.get(["ship"]) == [moved]
    service.asked.clear()
    assert store.delete(["ship"]) == 1
    assert service.asked == []


def test_what_the_config_says_of_the_module_belongs_to_the_embedder(make, service):
    store = make()
    store.index(ROWS, ollama(service))
    about = json.loads(store._table.collection.config.get().description)
    assert about["embedder"]["id"] == store.embedder.id
    assert about["embedder"]["id"].startswith("weaviate-text2vec-ollama-")
    assert about["module"] == "text2vec-ollama"
    another = ollama(service, "other words").at(store._place)
    another.fit((), seed=0)
    refused = WeaviateStore(store._place, store._folder, store._key, another)
    with pytest.raises(StoreError, match="was built with the embedder weaviate-text2vec-ollama-.* cannot be compared"):
        refused.search([Query("harbour")], 3)
    refused.close()
    assert store.index(ROWS, ollama(service, "other words")).written
    np.testing.assert_allclose(store.vectors(["ship"]), unit_rows(vectors([ROWS[-2].text], model="other words")), atol=1e-6)


def test_a_model_that_changed_behind_the_module_is_refused(make, service):
    store = make()
    store.index(ROWS, ollama(service))
    store.close()
    service.shift = 5.0
    with pytest.raises(StoreError, match="text2vec-ollama gives other vectors than when this index was built"):
        store.embedder.embed(["the ship"])
    with pytest.raises(StoreError, match="text2vec-ollama gives other vectors than when http.* was built"):
        store.index([*ROWS, Passage("new", "a new text")], ollama(service))


def test_a_service_that_fails_is_told_and_nothing_is_left_behind(make, service, monkeypatch):
    monkeypatch.setattr("spacy_synthesizrr.stores.weaviate.scratch.ATTEMPTS", 2)
    store = make()
    service.broken = "the model is on holiday"
    with pytest.raises(StoreError, match="could not embed 1 texts of 1. It said: .*the model is on holiday"):
        store.index(ROWS, ollama(service))
    assert scratch_collections(store) == []
    service.broken = ""
    store.index(ROWS, ollama(service))
    service.broken = "the model is on holiday"
    with pytest.raises(StoreError, match="failed while searching: .*the model is on holiday"):
        store.search([Query("the ship")], 3)


def test_passages_that_the_module_cannot_embed_are_sent_when_it_can_again(make, service, monkeypatch):
    monkeypatch.setattr("spacy_synthesizrr.stores.weaviate.writing.ATTEMPTS", 1)
    store = make()
    service.hated = "left the harbour at noon"
    with pytest.raises(StoreError, match=r"turned \d+ passages away and kept the others. It said: .*I hate that"):
        store.index(ROWS, ollama(service))
    assert not store.complete()
    service.hated = ""
    assert store.index(ROWS, ollama(service)).written
    assert store.count() == len(ROWS)


def test_a_module_that_the_server_lacks_is_told_with_those_it_has(make):
    with pytest.raises(ConfigError, match=r"no module 'text2vec-olama'. Did you mean 'text2vec-ollama'.* ENABLE_MODULES=text2vec-olama"):
        make().index(ROWS, make_weaviate_vectorizer("text2vec-olama"))


def test_scratch_collections_of_processes_at_work_stay_and_abandoned_ones_go(store):
    for name, age in ((f"{NAMED}_old", 2 * 86_400), (f"{NAMED}_young", 60)):
        made = json.dumps({"synthesizrr": "scratch", "made": time.time() - age})
        store._link.client.collections.create(name, description=made)
    store._link.client.collections.create(f"{NAMED}_theirs", description="not ours")
    store.embedder.embed(["the ship"])
    assert sorted(scratch_collections(store)) == [f"{NAMED}_theirs", f"{NAMED}_young"]
    for name in scratch_collections(store):
        store._link.client.collections.delete(name)


def test_two_at_once_keep_out_of_each_others_way(store):
    found, embedder = {}, store.embedder

    def embed(name):
        found[name] = embedder.embed([f"{name} {row} harbour" for row in range(100)])

    threads = [threading.Thread(target=embed, args=(name,)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("one", "other"):
        np.testing.assert_allclose(found[name], unit_rows(vectors([f"{name} {row} harbour" for row in range(100)])), atol=1e-6)
    assert scratch_collections(store) == []


def test_a_module_may_embed_the_queries_of_vectors_that_were_brought(make, service, tmp_path):
    given = vectors(TEXTS)
    with closing(BroughtVectors(ollama(service), corpus=tmp_path / "c.jsonl", column="v", spool=tmp_path / "spool")) as brought:
        for row, passage in enumerate(ROWS):
            brought.add(passage, row, given[row].tolist())
        store = make()
        store.index(ROWS, brought)
    assert len(service.texts()) < 30  # some, to try it
    (hits,) = store.search([Query("the ship left")], 3)
    assert hits[0].passage_id == "ship"


def test_a_module_takes_over_from_vectors_that_were_brought(make, service, tmp_path):
    store = make()
    with closing(BroughtVectors(ollama(service), corpus=tmp_path / "c.jsonl", column="v", spool=tmp_path / "spool")) as brought:
        for row, (passage, vector) in enumerate(zip(ROWS, vectors(TEXTS), strict=True)):
            brought.add(passage, row, vector.tolist())
        store.index(ROWS, brought)
    more = [*ROWS, Passage("new", "The harbour was closed for a storm.", "paper")]
    assert store.index(more, ollama(service)).written
    np.testing.assert_allclose(store.vectors(["ship", "new"]), unit_rows(vectors([TEXTS[-2], more[-1].text])), atol=1e-6)


def test_a_store_without_a_server_is_told_what_to_choose(service, tmp_path):
    with pytest.raises(ConfigError, match="works with a store in Weaviate alone"):
        make_memory_store(str(tmp_path)).index(ROWS, ollama(service))


@pytest.mark.parametrize(
    ("module", "settings", "told"),
    [
        ("multi2vec-clip", {}, "'module' String should match pattern"),
        ("text2vec-cohere", {"apiKey": "s3cr3t"}, "'apiKey' looks like a secret; name the variable"),
        ("text2vec-ollama", {"apiEndpoint": "http://me:s3cr3t@host"}, "holds a user name or a password"),
        ("text2vec-ollama", {"vectorizeClassName": True}, "'vectorizeClassName' cannot be set"),
    ],
)
def test_settings_that_cannot_be_are_refused(module, settings, told):
    with pytest.raises(ConfigError, match=told) as caught:
        make_weaviate_vectorizer(module, settings)
    assert "s3cr3t" not in str(caught.value)

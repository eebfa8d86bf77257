"""Collections that somebody else made and whose vectors a module of the server makes: it embeds queries, too."""

import numpy as np
import pytest
from weaviate.classes.config import Configure, DataType, Property, VectorDistances
from weaviate.classes.data import DataObject

from services.embeddings import KEY, vectors
from services.fixtures import serve
from services.ollama import MODEL
from services.weaviate import running_weaviate
from spacy_synthesizrr.embedders.base import embed_queries, unit_rows
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.base import Query, Search
from spacy_synthesizrr.stores.weaviate.connect import connect
from spacy_synthesizrr.stores.weaviate.making import make_weaviate_collection, make_weaviate_store
from spacy_synthesizrr.stores.weaviate.scratch import NAMED
from spacy_synthesizrr.stores.weaviate.settings import Connection, Place
from spacy_synthesizrr.stores.weaviate.vectorizer import make_weaviate_vectorizer

TEXTS = ["The ship left the harbour at noon.", "The team won the cup after extra time.", "Shares fell in early trade."]
TEXTS += [f"The council of district {row} voted on the harbour." for row in range(40)]
MAPPED = {"name": "TheirNews", "vector_name": "body", "text_property": "bodyText", "id_property": "nr"}
CONNECTION = {"headers_env": {"X-Cohere-Api-Key": "EMBEDDING_KEY_OF_TESTS"}}


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("EMBEDDING_KEY_OF_TESTS", KEY)


@pytest.fixture(scope="module")
def client(weaviate_modules):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDDING_KEY_OF_TESTS", KEY)
        link = connect(Place(Connection(url=weaviate_modules.url, grpc_port=weaviate_modules.grpc_port, **CONNECTION)))
    yield link.client
    link.close()


def unchanged(client, name):
    """What must be the same before and after."""
    made = client.collections.use(name)
    return made.config.get().to_dict(), made.aggregate.over_all(total_count=True).total_count, sorted(client.collections.list_all())


@pytest.fixture(scope="module")
def news(client, embeddings):
    """Two vectors by modules; the one that is searched is made of title and text."""
    cosine = Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
    made = client.collections.create(
        "TheirNews",
        vector_config=[
            Configure.Vectors.text2vec_ollama(
                name="title", source_properties=["title"], api_endpoint=embeddings.url, model="other", vector_index_config=cosine
            ),
            Configure.Vectors.custom(
                name="body", module_name="text2vec-cohere", module_config={"baseURL": embeddings.url, "model": "words"},
                source_properties=["bodyText", "title"], vector_index_config=cosine,
            ),
        ],
        properties=[
            Property(name="title", data_type=DataType.TEXT, vectorize_property_name=False),
            Property(name="bodyText", data_type=DataType.TEXT, vectorize_property_name=False),
            Property(name="nr", data_type=DataType.INT),
        ],
    )  # fmt: skip
    rows = [DataObject(properties={"title": f"news {row}", "bodyText": text, "nr": row}) for row, text in enumerate(TEXTS)]
    assert not made.data.insert_many(rows).has_errors
    before = unchanged(client, "TheirNews")
    yield made
    assert unchanged(client, "TheirNews") == before
    client.collections.delete("TheirNews")
    embeddings.mend()


def opened(weaviate_modules, folder, **changes):
    connection = {"url": weaviate_modules.url, "grpc_port": weaviate_modules.grpc_port, **CONNECTION}
    return make_weaviate_collection({**MAPPED, **changes}, str(folder), connection=connection)


@pytest.fixture
def store(weaviate_modules, news, embeddings, tmp_path):
    made = opened(weaviate_modules, tmp_path)
    made.index(iter(()), made.own_embedder())
    embeddings.asked.clear()
    yield made
    made.close()


def stored():
    """The vectors of the collection: by default some modules embed its name, too."""
    return unit_rows(vectors([f"Their News {text} news {row}" for row, text in enumerate(TEXTS)]))


def test_queries_are_embedded_by_the_server_as_queries(store, embeddings):
    text = "the ship in the harbour"
    (hits,) = store.search([Query(text)], 10)
    assert embeddings.asked == [("search_query", [text])]
    cosines = stored() @ unit_rows(vectors([text], "search_query"))[0]
    np.testing.assert_allclose([hit.similarity for hit in hits], np.sort(cosines)[::-1][:10], atol=2e-6)
    assert hits[0].passage_id == "0"


def test_hybrid_search_uses_both_and_keyword_search_asks_no_module(store, embeddings):
    (hits,) = store.search([Query("the team won the cup")], 5, how=Search("hybrid"))
    assert hits[0].passage_id == "1"
    assert embeddings.texts() == ["the team won the cup"]
    store.search([Query("the team won the cup")], 5, how=Search("keyword"))
    assert len(embeddings.asked) == 1


def test_what_else_is_embedded_goes_through_a_scratch_collection(store, client):
    text = "the ship in the harbour"
    np.testing.assert_allclose(store.embedder.embed([text]), unit_rows(vectors([text])), atol=1e-6)
    np.testing.assert_allclose(embed_queries(store.embedder, [text]), unit_rows(vectors([text], "search_query")), atol=2e-6)
    np.testing.assert_allclose(store.vectors(["1", "0"]), stored()[[1, 0]], atol=1e-6)
    assert [name for name in client.collections.list_all() if name.startswith(NAMED)] == []


def test_nothing_need_be_indexed_to_search(weaviate_modules, news, tmp_path):
    made = opened(weaviate_modules, tmp_path)
    (hits,) = made.search([Query("the team won the cup")], 3)
    assert hits[0].passage_id == "1"
    assert not made.complete()
    made.close()


def test_another_embedder_is_tried_as_anywhere(weaviate_modules, news, embeddings, tmp_path):
    made = opened(weaviate_modules, tmp_path)
    other = make_weaviate_vectorizer("text2vec-ollama", {"apiEndpoint": embeddings.url, "model": "yet another"})
    with pytest.raises(StoreError, match=r"The embedder weaviate-text2vec-ollama-\S+ .* did not make the vectors"):
        made.index(iter(()), other)
    made.close()


def test_brought_vectors_have_no_module(weaviate_modules, client, tmp_path):
    client.collections.create("TheirOwn", vector_config=Configure.Vectors.self_provided())
    made = opened(weaviate_modules, tmp_path, name="TheirOwn", vector_name=None, text_property="t", id_property=None)
    client.collections.use("TheirOwn").config.add_property(Property(name="t", data_type=DataType.TEXT))
    with pytest.raises(StoreError, match=r"made by no text2vec module of the server.* Name the embedder that made them in \[embedder\]"):
        made.own_embedder()
    made.close()
    client.collections.delete("TheirOwn")


def test_a_key_that_may_not_make_collections_is_told_what_to_do(embeddings, tmp_path, monkeypatch):
    environment = {
        "ENABLE_MODULES": "text2vec-cohere",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": "the-admin,the-reader",
        "AUTHENTICATION_APIKEY_USERS": "admin,reader",
        "AUTHORIZATION_ADMINLIST_ENABLED": "true",
        "AUTHORIZATION_ADMINLIST_USERS": "admin",
        "AUTHORIZATION_ADMINLIST_READONLY_USERS": "reader",
    }
    for server in serve(running_weaviate(tmp_path / "server", api_key="the-admin", environment=environment)):
        connection = {"url": server.url, "grpc_port": server.grpc_port, "api_key_env": "KEY_OF_TESTS", **CONNECTION}
        monkeypatch.setenv("KEY_OF_TESTS", "the-admin")
        cohere = make_weaviate_vectorizer("text2vec-cohere", {"baseURL": embeddings.url, "model": "words"})
        own = make_weaviate_store(str(tmp_path / "own"), "made", connection=connection)
        own.index(iter(passages_of(TEXTS)), cohere)
        own.close()
        monkeypatch.setenv("KEY_OF_TESTS", "the-reader")
        mapped = {"name": "Synthesizrr_made", "text_property": "text", "id_property": "passage_id"}
        store = make_weaviate_collection(mapped, str(tmp_path), connection=connection)
        (hits,) = store.search([Query("the team won the cup")], 3)
        assert hits[0].passage_id == "1"
        with pytest.raises(
            StoreError, match=r"The key in KEY_OF_TESTS may not make collections.*collections named SynthesizrrScratch_\*, or"
        ):
            store.index(iter(()), store.own_embedder())
        store.close()


def passages_of(texts):
    from spacy_synthesizrr.candidates import Passage

    return [Passage(str(row), text) for row, text in enumerate(texts)]


def test_a_real_model_embeds_through_the_module(weaviate_modules, ollama, tmp_path):
    """SmolLM2 is no embedder by trade: that a passage is found by its own words is all that can be asked of it."""
    settings = {"apiEndpoint": ollama.base_url.removesuffix("/v1"), "model": MODEL}
    connection = {"url": weaviate_modules.url, "grpc_port": weaviate_modules.grpc_port}
    store = make_weaviate_store(str(tmp_path), "real", connection=connection)
    store.index(iter(passages_of(TEXTS[:3])), make_weaviate_vectorizer("text2vec-ollama", settings))
    assert store.embedder.dimensions == 576
    (hits,) = store.search([Query(TEXTS[1])], 1)
    assert hits[0].passage_id == "1"
    assert hits[0].similarity == pytest.approx(1.0, abs=0.01)  # it gives slightly other numbers in every batch
    store.drop()
    store.close()

"""Ids of passages in collections that somebody else made: one object for each, the same for whoever asks."""

import uuid
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.classes.data import DataObject

from services.letters import Letters, passages
from spacy_synthesizrr.errors import ConfigError, StoreError
from spacy_synthesizrr.steps.index import _key_of_own
from spacy_synthesizrr.stores.base import Query, Search
from spacy_synthesizrr.stores.weaviate.connect import connect
from spacy_synthesizrr.stores.weaviate.making import make_weaviate_collection
from spacy_synthesizrr.stores.weaviate.settings import Connection, Place

ROWS = passages(12)
NAME = "TheirIds"


@pytest.fixture
def collection(weaviate, tmp_path):
    """Makes a collection whose ids are in the property "own", and opens it."""
    with ExitStack() as stack:
        link = connect(Place(Connection(url=weaviate.url, grpc_port=weaviate.grpc_port)))
        stack.callback(link.close)
        stack.callback(link.client.collections.delete, NAME)

        def make(kind, values, **changes):
            field = {"tokenization": Tokenization.FIELD, "index_searchable": False} if kind is DataType.TEXT else {}
            made = link.client.collections.create(
                NAME,
                vector_config=Configure.Vectors.self_provided(
                    vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
                ),
                properties=[Property(name="body", data_type=DataType.TEXT), Property(name="own", data_type=kind, **field)],
            )
            vectors = Letters().embed([passage.text for passage in ROWS]).tolist()
            objects = [
                DataObject(properties={"body": passage.text} | ({} if value is None else {"own": value}), uuid=name(row), vector=vector)
                for row, (passage, value, vector) in enumerate(zip(ROWS, values, vectors, strict=True))
            ]
            assert not made.data.insert_many(objects).has_errors
            return opened(**changes)

        def opened(**changes):
            mapped = {"name": NAME, "text_property": "body", "id_property": "own", **changes}
            mapped = {key: value for key, value in mapped.items() if value is not None}
            store = make_weaviate_collection(mapped, str(tmp_path), connection={"url": weaviate.url, "grpc_port": weaviate.grpc_port})
            stack.callback(store.close)
            return store

        make.opened = opened
        yield make


def name(row):
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, str(row)))


CHUNKS = [f"article {row // 4}" for row in range(12)]


def test_an_id_that_several_objects_have_is_refused_with_the_cure(collection):
    store = collection(DataType.TEXT, CHUNKS)
    with pytest.raises(StoreError, match=r"the same 'own', such as 'article \d'.* Leave id_property out .* document_property = \"own\""):
        store.index((), Letters())
    assert not store.complete()


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.get(["article 1"]),
        lambda store: store.vectors(["article 1"]),
        lambda store: store.search([Query("harbour")], 12, how=Search("keyword")),
        lambda store: store.sample(12, seed=0),
    ],
    ids=["get", "vectors", "search", "sample"],
)
def test_reading_without_a_trial_mixes_no_objects_up_either(collection, ask):
    store = collection(DataType.TEXT, CHUNKS)
    with pytest.raises(StoreError, match="Several objects of .* have the same 'own'"):
        ask(store)


def test_the_cure_makes_every_object_a_passage_with_its_own_text(collection):
    store = collection(DataType.TEXT, CHUNKS, id_property=None, document_property="own")
    assert store.index((), Letters()).passages == 12
    for passage in ROWS:
        (hits,) = store.search([Query(passage.text)], 1)
        assert store.get([hits[0].passage_id])[0].text == passage.text
    assert {passage.document for passage, _ in store.iterate()} == set(CHUNKS)
    assert len({passage.id for passage in store.sample(99, seed=0)}) == store.count() == 12


@pytest.mark.parametrize(
    ("kind", "value"),
    [(DataType.TEXT, "u{}".format), (DataType.INT, int), (DataType.UUID, lambda row: uuid.uuid5(uuid.NAMESPACE_URL, str(row)))],
    ids=["text", "int", "uuid"],
)
def test_an_object_without_its_id_is_found_by_the_id_of_the_object(collection, kind, value):
    store = collection(kind, [None if row == 3 else value(row) for row in range(12)])
    store.index((), Letters())
    (hits,) = store.search([Query("harbour")], 12)
    ids = [hit.passage_id for hit in hits]
    assert [passage.id for passage in store.get(ids)] == ids
    assert store.get([name(3)])[0].text == ROWS[3].text
    with pytest.raises(StoreError, match="1 of 1 passages are not in"):
        store.get([name(4)])  # which has another id


def test_a_property_that_cannot_be_looked_up_is_no_id(collection):
    store = collection(DataType.NUMBER, [float(row) for row in range(12)])
    with pytest.raises(ConfigError, match="'own' of TheirIds holds values of type number, which .* Name one of type text, int, uuid"):
        store.count()


def test_another_mapping_is_another_index(collection):
    store = collection(DataType.TEXT, [f"u{row}" for row in range(12)])
    store.index((), Letters())
    assert store.complete()
    other = collection.opened(text_property="own")
    assert not other.complete()
    assert collection.opened().complete()
    run = SimpleNamespace(seed=0)
    assert _key_of_own(run, other, Letters()) != _key_of_own(run, store, Letters()) == _key_of_own(run, collection.opened(), Letters())

"""Collections that somebody else made, with the bare client: read as they are, and left as they were."""

import datetime
import uuid

import numpy as np
import pytest
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.classes.data import DataObject
from weaviate.classes.tenants import Tenant

from services.letters import LETTERS, Letters, passages
from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.doctor.stores import look_at_store
from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import ConfigError, StoreError
from spacy_synthesizrr.stores.base import Condition, Filter, Query, Search
from spacy_synthesizrr.stores.weaviate.connect import connect
from spacy_synthesizrr.stores.weaviate.making import make_weaviate_collection
from spacy_synthesizrr.stores.weaviate.settings import Connection, Place

ROWS = passages(120)
VECTORS = 3 * Letters().embed([passage.text for passage in ROWS])  # stored as somebody made them, not of length 1
FIELD = {"tokenization": Tokenization.FIELD, "index_searchable": False}


class Reversed(Letters):
    """Another embedder with as many dimensions."""

    id = recipe = "letters-reversed"

    def embed(self, texts):
        return np.ascontiguousarray(super().embed(texts)[:, ::-1])


@pytest.fixture(scope="module")
def client(weaviate):
    link = connect(Place(Connection(url=weaviate.url, grpc_port=weaviate.grpc_port)))
    yield link.client
    link.close()


def month(row):
    return datetime.datetime(2026, 1 + row % 12, 1, tzinfo=datetime.timezone.utc)


def objects():
    return [
        DataObject(
            uuid=uuid.uuid5(uuid.NAMESPACE_DNS, passage.id),
            properties={
                "bodyText": passage.text, "uRL": passage.id, "outlet_9": f"outlet {row % 3}", "thread": passage.document,
                "position": row % 4, "published": month(row), "score": row / 7, "tags": ["x", f"t{row % 5}"],
            },
            vector={"main": VECTORS[row].tolist(), "other": [1.0, float(row)]},
        )
        for row, passage in enumerate(ROWS)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def articles(client):
    """Two named vectors and property names of somebody's taste."""
    hnsw = Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
    dot = Configure.VectorIndex.hnsw(distance_metric=VectorDistances.DOT)
    made = client.collections.create(
        "TheirArticles",
        description="not ours",
        vector_config=[
            Configure.Vectors.self_provided(name="main", vector_index_config=hnsw),
            Configure.Vectors.self_provided(name="other", vector_index_config=dot),
        ],
        properties=[
            Property(name="bodyText", data_type=DataType.TEXT),
            Property(name="uRL", data_type=DataType.TEXT, **FIELD),
            Property(name="outlet_9", data_type=DataType.TEXT, **FIELD),
            Property(name="thread", data_type=DataType.TEXT),
            Property(name="position", data_type=DataType.INT),
            Property(name="published", data_type=DataType.DATE),
            Property(name="score", data_type=DataType.NUMBER),
            Property(name="tags", data_type=DataType.TEXT_ARRAY, **FIELD),
        ],
    )  # fmt: skip
    assert not made.data.insert_many(objects()).has_errors
    before = made.config.get().to_dict(), made.aggregate.over_all(total_count=True).total_count
    yield made
    assert (made.config.get().to_dict(), made.aggregate.over_all(total_count=True).total_count) == before
    client.collections.delete("TheirArticles")


MAPPED = {
    "name": "TheirArticles", "vector_name": "main", "text_property": "bodyText", "id_property": "uRL",
    "source_property": "outlet_9", "document_property": "thread", "number_property": "position",
    "metadata": {"date": "published", "value": "score", "tags": "tags"},
}  # fmt: skip


def opened(weaviate, folder, **changes):
    mapped = {key: value for key, value in {**MAPPED, **changes}.items() if value is not None}
    connection = {"url": weaviate.url, "grpc_port": weaviate.grpc_port}
    return make_weaviate_collection(mapped, str(folder), connection=connection)


@pytest.fixture
def store(weaviate, articles, tmp_path):
    made = opened(weaviate, tmp_path)
    made.index(iter(()), Letters())
    yield made
    made.close()


def expected(row):
    meta = {
        "date": datetime.datetime(2026, 1 + row % 12, 1, tzinfo=datetime.timezone.utc).isoformat(),
        "value": row / 7,
        "tags": ["x", f"t{row % 5}"],
    }
    return Passage(f"id {row}", ROWS[row].text, f"outlet {row % 3}", ROWS[row].document, row % 4, meta)


def test_passages_are_read_as_they_are_mapped(store):
    assert store.get(["id 7", "id 3", "id 7"]) == [expected(7), expected(3), expected(7)]
    assert {passage.id: passage for passage, _ in store.iterate()} == {f"id {row}": expected(row) for row in range(120)}
    assert store.count() == 120
    assert store.location.endswith("collection TheirArticles")


@pytest.mark.parametrize("embedder", [None, "synthesizrr.LsaEmbedder.v1", "tests.Letters.v1"])
def test_the_doctor_says_whether_vectors_that_were_brought_have_an_embedder(weaviate, articles, tmp_path, embedder):
    connection = {"url": weaviate.url, "grpc_port": weaviate.grpc_port}
    store = {"@misc": "synthesizrr.WeaviateCollection.v1", "path": str(tmp_path), "collection": MAPPED, "connection": connection}
    config = {"store": store} | ({} if embedder is None else {"embedder": {"@misc": embedder}})
    bad = [found.name for found in look_at_store(config, tmp_path / "store.cfg") if found.bad]
    assert bad == ([] if embedder == "tests.Letters.v1" else ["embedder"])


def test_the_embedder_is_tried_and_kept(weaviate, articles, tmp_path):
    made = opened(weaviate, tmp_path)
    assert not made.complete()

    def unread():
        raise AssertionError("the passages are those of the collection")
        yield

    counts = made.index(unread(), Letters())
    assert (counts.passages, counts.written) == (120, False)
    assert made.complete()
    assert made.embedder.id == "letters-of-tests"
    made.close()


def test_another_embedder_is_refused(weaviate, articles, tmp_path):
    made = opened(weaviate, tmp_path)
    with pytest.raises(StoreError, match=r"letters-reversed \(26 dimensions\) did not make .* cosine of 0\.\d+ .* 0.99 is needed"):
        made.index(iter(()), Reversed())
    with pytest.raises(StoreError, match="learns from a corpus"):
        made.index(iter(()), make_lsa_embedder())
    assert not made.complete()
    with pytest.raises(StoreError, match="No embedder has been tried"):
        made.search([Query("harbour")], 3)
    made.close()


def test_vector_search_is_the_cosine_of_numpy(store):
    text = ROWS[5].text
    (hits,) = store.search([Query(text)], 30)
    cosines = unit_rows(VECTORS) @ unit_rows(Letters().embed([text]))[0]
    np.testing.assert_allclose([hit.similarity for hit in hits], np.sort(cosines)[::-1][:30], atol=2e-6)
    assert hits[0].passage_id == "id 5"
    np.testing.assert_allclose(store.vectors(["id 5", "id 9"]), unit_rows(VECTORS[[5, 9]]), atol=1e-6)


def test_keyword_search_needs_no_embedder(weaviate, articles, tmp_path):
    made = opened(weaviate, tmp_path)
    (hits,) = made.search([Query(ROWS[33].text)], 3, how=Search("keyword"))
    assert hits[0].passage_id == "id 33"
    made.close()


def test_hybrid_diverse_and_quotas_work_as_anywhere(store):
    (hybrid,) = store.search([Query(ROWS[8].text)], 10, how=Search("hybrid"))
    assert hybrid[0].passage_id == "id 8"
    (few,) = store.search([Query("harbour")], 10, how=Search(per_document=1))
    assert len({(passage.source, passage.document) for passage in store.get([hit.passage_id for hit in few])}) == len(few) == 10
    (diverse,) = store.search([Query("harbour")], 10, how=Search(diversity=0.3))
    assert len(diverse) == 10
    assert diverse != store.search([Query("harbour")], 10)[0]


@pytest.mark.parametrize(
    "condition",
    [
        Condition("source", "==", "outlet 2"),
        Condition("source", "!=", "outlet 2"),
        Condition("number", "<=", 1),
        Condition("value", ">", 9.5),
        Condition("date", ">=", "2026-07-01T00:00:00+00:00"),
        Condition("tags", "in", ("t1", "t4")),
        Condition("unknown", "!=", 1),
        Condition("unknown", "==", 1),
    ],
    ids=str,
)
def test_filters_pass_what_they_should(store, condition):
    filter = Filter(frozenset(["id 0", "id 1"]), (condition,))
    (hits,) = store.search([Query("harbour")], 120, filter=filter)
    wanted = {f"id {row}" for row in range(120) if filter.passes(expected(row))}
    assert {hit.passage_id for hit in hits} == wanted
    assert {passage.id for passage in store.sample(999, seed=0, filter=filter)} == wanted
    assert {passage.id for passage, _ in store.iterate(filter=filter)} == wanted


@pytest.mark.parametrize("value", ["2026-07-01", "2026-07-01T02:00:00+02:00"])
def test_dates_are_the_same_times_however_they_are_written_in_search_sample_and_iterate(store, value):
    filter = Filter(where=(Condition("date", "==", value),))
    (hits,) = store.search([Query("harbour")], 120, filter=filter)
    found = {hit.passage_id for hit in hits}
    assert found == {passage.id for passage in store.sample(999, seed=0, filter=filter)} and len(found) == 10
    assert found == {passage.id for passage, _ in store.iterate(filter=filter)}


def test_a_filter_that_would_compare_words_is_refused(store):
    with pytest.raises(StoreError, match="its property 'thread' is cut into words"):
        store.search([Query("harbour")], 3, filter=Filter(where=(Condition("document", "==", "doc 1"),)))
    with pytest.raises(StoreError, match="the property 'score' holds values of type number"):
        store.search([Query("harbour")], 3, filter=Filter(where=(Condition("value", "==", "text"),)))


def test_excluded_passages_leave_just_k_hits(store):
    closest = [hit.passage_id for hit in store.search([Query("harbour")], 100)[0]]
    (hits,) = store.search([Query("harbour")], 15, filter=Filter(frozenset(closest[:60])))
    assert [hit.passage_id for hit in hits] == closest[60:75]


def test_the_ids_of_objects_are_ids_where_no_property_is(weaviate, articles, tmp_path):
    made = opened(weaviate, tmp_path, id_property=None)
    name = str(uuid.uuid5(uuid.NAMESPACE_DNS, "id 4"))
    assert made.get([name])[0].text == ROWS[4].text
    with pytest.raises(StoreError, match="1 of 1 passages are not in .* 'id 4'"):
        made.get(["id 4"])
    made.close()


def test_nothing_is_written(store):
    with pytest.raises(StoreError, match="is only read"):
        store.delete(["id 1"])
    assert store.sample(5, seed=1) == store.sample(5, seed=1)
    assert store.count() == 120


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"text_property": "bodytext"}, "has no property 'bodytext'. Did you mean 'bodyText'"),
        ({"text_property": "score"}, "'score' of TheirArticles holds no text"),
        ({"vector_name": "mian"}, "has no vector 'mian'. Did you mean 'main'"),
        ({"vector_name": None}, "has several vectors. Name one"),
        ({"tenant": "one"}, "has no tenants. Leave tenant out"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(weaviate, articles, tmp_path, changes, told):
    made = opened(weaviate, tmp_path, **changes)
    with pytest.raises((ConfigError, StoreError), match=told):
        made.count()
    made.close()


def test_a_collection_that_is_not_there_is_told(weaviate, tmp_path):
    made = opened(weaviate, tmp_path, name="NobodyMadeThis")
    with pytest.raises(StoreError, match="There is no collection NobodyMadeThis"):
        made.count()
    made.close()


def test_vectors_that_are_not_compared_by_cosine_are_refused(weaviate, articles, tmp_path):
    made = opened(weaviate, tmp_path, vector_name="other")
    with pytest.raises(StoreError, match="compared by 'dot', not by cosine"):
        made.search([Query("", np.ones(2, dtype=np.float32))], 3)
    made.close()


def test_two_tenants_are_two_stores(weaviate, client, tmp_path):
    made = client.collections.create(
        "TheirTenants",
        multi_tenancy_config=Configure.multi_tenancy(enabled=True),
        vector_config=Configure.Vectors.self_provided(
            vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
        ),
        properties=[Property(name="words", data_type=DataType.TEXT)],
    )
    made.tenants.create([Tenant(name="left"), Tenant(name="right")])
    for tenant, rows in (("left", range(0, 40)), ("right", range(40, 100))):
        rows = [DataObject(properties={"words": ROWS[row].text}, vector=VECTORS[row].tolist()) for row in rows]
        assert not made.with_tenant(tenant).data.insert_many(rows).has_errors
    connection = {"url": weaviate.url, "grpc_port": weaviate.grpc_port}
    for tenant, rows in (("left", range(0, 40)), ("right", range(40, 100))):
        mapped = {"name": "TheirTenants", "text_property": "words", "tenant": tenant}
        store = make_weaviate_collection(mapped, str(tmp_path), connection=connection)
        store.index(iter(()), Letters())
        assert store.count() == len(rows)
        (hits,) = store.search([Query("harbour")], 100)
        assert {passage.text for passage in store.get([hit.passage_id for hit in hits])} == {ROWS[row].text for row in rows}
        store.close()
    for mapped in (
        {"name": "TheirTenants", "text_property": "words", "tenant": "nobody"},
        {"name": "TheirTenants", "text_property": "words"},
    ):
        store = make_weaviate_collection(mapped, str(tmp_path), connection=connection)
        with pytest.raises((ConfigError, StoreError), match="no tenant 'nobody'|has tenants. Name one"):
            store.count()
        store.close()
    client.collections.delete("TheirTenants")


def test_a_collection_in_a_pipeline(weaviate, articles, tmp_path):
    import spacy

    opened(weaviate, tmp_path).index(iter(()), Letters())
    connection = {"url": weaviate.url, "grpc_port": weaviate.grpc_port}
    block = {"@misc": "synthesizrr.WeaviateCollection.v1", "collection": MAPPED, "path": str(tmp_path), "connection": connection}
    nlp = spacy.blank("en")
    nlp.add_pipe("synthesizrr_retriever", config={"store": block, "k": 3, "labels": ["sport"]})
    doc = nlp(ROWS[11].text)
    assert doc._.synthesizrr_passages[0]["id"] == "id 11"
    assert len(LETTERS) == 26

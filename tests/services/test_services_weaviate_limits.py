"""Where a server has its limits: messages that are too large, a second port that is closed, objects with the same id, time zones."""

import datetime
from dataclasses import replace

import grpc
import pytest
from weaviate.classes.config import Configure, DataType, Property, Tokenization, VectorDistances
from weaviate.classes.data import DataObject
from weaviate.exceptions import WeaviateInsertManyAllFailedError, WeaviateQueryError

from services.fixtures import serve
from services.letters import Letters, passages
from services.processes import free_ports
from services.weaviate import running_weaviate
from services.weaviate_stores import store_on, stores_on
from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.stores.base import Condition, Filter, Query, Search
from spacy_synthesizrr.stores.weaviate.connect import Watch, connect
from spacy_synthesizrr.stores.weaviate.faults import refused
from spacy_synthesizrr.stores.weaviate.making import make_weaviate_collection
from spacy_synthesizrr.stores.weaviate.settings import Connection, Place
from spacy_synthesizrr.stores.weaviate.store import WeaviateStore


@pytest.fixture
def make(weaviate, tmp_path):
    with stores_on(weaviate, tmp_path) as made:
        yield made


def test_passages_that_are_larger_together_than_a_message_go_in_and_come_out(tmp_path):
    environment = {"GRPC_MAX_MESSAGE_SIZE": str(8 * 1024 * 1024)}  # the default is 100 MB
    for server in serve(running_weaviate(tmp_path / "server", environment=environment)):
        store = store_on(server, tmp_path, "large")
        rows = [Passage(f"id {row}", f"harbour {row}", number=row, meta={"page": f"{row} " + "x" * 400_000}) for row in range(60)]
        store.index(iter(rows), Letters())
        assert [passage.number for passage, _ in store.iterate()] == list(range(60))
        assert [passage.number for passage in store.get([passage.id for passage in rows])] == list(range(60))
        assert len(store.sample(60, seed=0)) == 60
        mapped = {"name": "Synthesizrr_large", "text_property": "stored", "id_property": "passage_id"}
        theirs = make_weaviate_collection(mapped, str(tmp_path), connection={"url": server.url, "grpc_port": server.grpc_port})
        assert sorted(passage.id for passage, _ in theirs.iterate()) == sorted(passage.id for passage in rows)
        assert len(theirs.get([passage.id for passage in rows])) == len(theirs.sample(60, seed=0)) == 60
        for each in (store, theirs):
            each.close()


def test_a_server_whose_second_port_is_closed_does_not_serve(weaviate):
    """One that starts again may answer on one port before it does on the other."""
    (free,) = free_ports(1)
    link = connect(Place(Connection(url=weaviate.url, grpc_port=weaviate.grpc_port)))
    assert link.serves()
    closed = replace(link, watch=Watch(grpc.insecure_channel(f"127.0.0.1:{free}")))
    assert closed.client.is_ready()
    assert not closed.serves()
    closed.watch.close()
    link.close()


def raised(code):
    """The client's error for what the second port answered."""

    class Answer(grpc.RpcError):
        def code(self):
            return code

    try:
        try:
            raise Answer
        except grpc.RpcError:
            raise WeaviateQueryError("no details", "GRPC search")  # noqa: B904  (as the client does)
    except WeaviateQueryError as error:
        return error


def test_what_a_server_refuses_is_not_asked_again(make):
    store = make()
    store.index(passages(5), Letters())
    with pytest.raises(WeaviateQueryError) as caught:
        store._table.collection.query.near_vector([1.0], target_vector="nobody's", limit=1)
    assert refused(caught.value) == (caught.value.__context__.code() is grpc.StatusCode.INVALID_ARGUMENT)
    assert refused(raised(grpc.StatusCode.INVALID_ARGUMENT))
    assert refused(raised(grpc.StatusCode.UNAUTHENTICATED))


def test_what_a_server_cannot_do_now_is_asked_again():
    assert not refused(raised(grpc.StatusCode.UNAVAILABLE))
    assert not refused(WeaviateInsertManyAllFailedError("Unexpected status code: 429"))
    assert not refused(OSError("connection reset"))
    assert not refused(WeaviateInsertManyAllFailedError("Unexpected status code: 422, store is read-only due to: UpdateVectorIndexConfigs"))


def test_listing_indexes_takes_one_request(make, monkeypatch):
    store = make()
    store.index(passages(5), Letters())
    root = WeaviateStore(store._place, store._folder)
    root._link  # noqa: B018  (connects)
    asked, connection = [], type(root._link.client._connection)
    send = connection._send

    def counted(self, *words, **more):
        asked.append(words)
        return send(self, *words, **more)

    monkeypatch.setattr(connection, "_send", counted)
    assert store._key in root.keys()
    assert len(asked) == 1
    root.close()


# a collection of somebody, with whatever is in it

ZONES = [0, 2, -8]


@pytest.fixture(scope="module")
def letters(weaviate, tmp_path_factory):
    """Times of several zones."""
    with stores_on(weaviate, tmp_path_factory.mktemp("letters")) as make:
        client = make()._link.client
        field = {"tokenization": Tokenization.FIELD, "index_searchable": False}
        made = client.collections.create(
            "TheirLetters",
            vector_config=Configure.Vectors.self_provided(
                vector_index_config=Configure.VectorIndex.hnsw(distance_metric=VectorDistances.COSINE)
            ),
            properties=[
                Property(name="body", data_type=DataType.TEXT),
                Property(name="nr", data_type=DataType.TEXT, **field),
                Property(name="sent", data_type=DataType.DATE),
            ],
        )
        objects = []
        for row in range(60):
            zone = datetime.timezone(datetime.timedelta(hours=ZONES[row % 3]))
            sent = datetime.datetime(2026, 3, 1 + row // 12, 2 * (row % 12), tzinfo=zone)
            text = f"letter number {row % 30} of the harbour"
            objects.append(
                DataObject(
                    properties={"body": text, "nr": f"nr {row}", "sent": sent}, vector=Letters().embed([f"{text} {row}"])[0].tolist()
                )
            )
        assert not made.data.insert_many(objects).has_errors
        yield made
        client.collections.delete("TheirLetters")


@pytest.fixture
def mail(weaviate, letters, tmp_path):
    connection = {"url": weaviate.url, "grpc_port": weaviate.grpc_port}
    mapped = {"name": "TheirLetters", "text_property": "body", "id_property": "nr", "metadata": {"sent": "sent"}}
    store = make_weaviate_collection(mapped, str(tmp_path), connection=connection)
    store.index(iter(()), Letters())
    yield store
    store.close()


def test_a_smaller_sample_is_the_beginning_of_a_larger_one(mail):
    ten, all_of_them = mail.sample(10, seed=1), mail.sample(99, seed=1)
    assert all_of_them[:10] == ten
    assert len(all_of_them) == 60
    assert mail.sample(10, seed=2) != ten
    assert mail.sample(0, seed=1) == []


@pytest.mark.parametrize(
    ("op", "value"),
    [
        (">=", "2026-03-02"),
        ("<=", "2026-03-03T00:00:00Z"),
        ("==", "2026-03-01"),
        (">", "2026-03-02T23:00:00+02:00"),
        ("!=", "2026-03-01T02:00:00+02:00"),
        ("in", ("2026-03-01", "2026-03-01T08:00:00-08:00")),
    ],
)
def test_times_of_all_zones_compare_as_times(mail, letters, op, value):
    found = letters.iterator(return_properties=["nr", "sent"])
    times = {each.properties["nr"]: each.properties["sent"].timestamp() for each in found}
    limits = [stamp(text) for text in (value if isinstance(value, tuple) else (value,))]
    fits = {
        ">=": lambda at: at >= limits[0], "<=": lambda at: at <= limits[0], "==": lambda at: at == limits[0],
        ">": lambda at: at > limits[0], "!=": lambda at: at != limits[0], "in": lambda at: at in limits,
    }[op]  # fmt: skip
    wanted = {name for name, at in times.items() if fits(at)}
    filter = Filter(where=(Condition("sent", op, value),))
    (hits,) = mail.search([Query("letter of the harbour")], 99, filter=filter)
    assert {hit.passage_id for hit in hits} == wanted
    assert {passage.id for passage in mail.sample(99, seed=0, filter=filter)} == wanted


def stamp(text):
    found = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)).timestamp()


@pytest.mark.parametrize("mode", ["vector", "keyword", "hybrid"])
def test_equal_hits_come_in_the_order_of_the_corpus_however_many_there_are(make, mode):
    store = make()
    rows = [Passage(f"id {row}", "the harbour at noon") for row in range(400)]
    store.index(rows, Letters())
    (hits,) = store.search([Query("the harbour")], 20, how=Search(mode))
    assert [hit.passage_id for hit in hits] == [f"id {row}" for row in range(20)]

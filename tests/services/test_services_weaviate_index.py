"""Indexing into a real Weaviate when something goes wrong on the way: nothing is lost, nothing is done twice."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.fixtures import serve
from services.letters import COUNT, Letters, passages, word
from services.weaviate import choose_ports, running_weaviate
from services.weaviate_stores import store_on, stores_on
from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.base import Condition, Filter, Query, Search
from spacy_synthesizrr.stores.weaviate.schema import all_properties, object_id
from spacy_synthesizrr.stores.weaviate.store import WeaviateStore

TESTS = os.path.dirname(os.path.dirname(__file__))


@pytest.fixture
def make(weaviate, tmp_path):
    """Makes stores of this test alone."""
    with stores_on(weaviate, tmp_path) as made:
        yield made


def times(store):
    """When each object was written last, by its id: shows every write that the server did."""
    from weaviate.classes.query import MetadataQuery

    asked = MetadataQuery(last_update_time=True)
    return {str(found.uuid): found.metadata.last_update_time for found in store._table.collection.iterator(return_metadata=asked)}


def assert_whole(store, rows, embedder=Letters):
    """The index is there to the last passage, each with its vector, and every one is found by it."""
    assert store.complete()
    assert store.count() == len(rows)
    found = [*store.iterate(with_vectors=True)]
    assert [passage for passage, _ in found] == rows
    vectors = embedder().embed([passage.text for passage in rows])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(np.array([vector for _, vector in found]), vectors, atol=1e-6)
    some = range(0, len(rows), max(1, len(rows) // 200))
    hits = store.search([Query("", vectors[row]) for row in some], 5)
    exact = vectors[list(some)] @ vectors.T
    for row, found_here, cosines in zip(some, hits, exact, strict=True):
        np.testing.assert_allclose([hit.similarity for hit in found_here], np.sort(cosines)[::-1][:5], atol=2e-6, err_msg=str(row))


def test_what_goes_in_is_found_and_comes_out(make):
    store = make()
    counts = store.index(iter(passages()), Letters())
    assert (counts.passages, counts.equal_ids, counts.written) == (COUNT, 0, True)
    assert_whole(store, passages())


def test_indexing_again_writes_nothing(make):
    store = make()
    store.index(passages(300), Letters())
    before = times(store)
    assert not store.index(passages(300), Letters()).written
    assert times(store) == before


def test_another_machine_writes_nothing_either(make, weaviate, tmp_path):
    store = make()
    store.index(passages(300), Letters())
    before = times(store)
    other = store_on(weaviate, tmp_path / "other", store._key)
    assert not other.complete()
    with pytest.raises(StoreError, match="was built elsewhere. Run the step 'index' here, too"):
        other.search([Query("harbour")], 3)
    assert not other.index(passages(300), Letters()).written
    assert times(other) == before
    assert other.search([Query("harbour")], 3) == store.search([Query("harbour")], 3)
    other.close()


def test_a_changed_corpus_writes_what_changed_and_removes_what_is_gone(make):
    store = make()
    rows = passages(300)
    store.index(rows, Letters())
    before = times(store)
    changed = [*rows[:10], Passage("new", "a new text"), *rows[11:299]]
    assert store.index(changed, Letters()).written
    after = times(store)
    assert_whole(store, changed)
    assert {name for name in after if after[name] != before.get(name)} == {object_id("new")}
    assert set(before) - set(after) == {object_id("id 10"), object_id("id 299")}


def test_another_embedder_builds_the_collection_anew(make):
    store = make()
    store.index(passages(60), Letters())
    lsa = make_lsa_embedder(dimensions=8)
    assert store.index(passages(60), lsa).written
    assert store.vectors(["id 3"]).shape == (1, 8)
    assert store.count() == 60


def test_searching_with_another_embedder_is_refused(make):
    store = make()
    store.index(passages(60), Letters())
    other = make_lsa_embedder(dimensions=8)
    other.fit((passage.text for passage in passages(60)), seed=0)
    refused = WeaviateStore(store._place, store._folder, store._key, other)
    with pytest.raises(StoreError, match="built with the embedder letters-of-tests .* cannot be compared"):
        refused.search([Query("harbour")], 3)
    with pytest.raises(StoreError, match="cannot be compared"):
        refused.search([Query("", np.ones(26, dtype=np.float32))], 3)
    refused.close()


def test_a_collection_of_somebody_else_is_left_alone(make):
    store = make()
    store._link.client.collections.create(store._name, description="precious")
    for call in (store.complete, lambda: store.index(passages(3), Letters())):
        with pytest.raises(StoreError, match="not made by this release, or by somebody else"):
            call()
    assert store._table.collection.config.get().description == "precious"


def test_passages_that_the_server_turns_away_are_counted_and_shown(make):
    from weaviate.classes.config import Configure, DataType, Property

    store = make()
    store.index(passages(50), Letters())
    description = store._state.but(complete=False).to_text()
    store._table.drop()
    right = [column for column in all_properties(store._place, {}) if column.name != "stored"]
    store._link.client.collections.create(
        store._name,
        description=description,
        vector_config=Configure.Vectors.self_provided(),
        properties=[*right, Property(name="stored", data_type=DataType.INT)],
    )
    with pytest.raises(StoreError, match=r"turned 50 passages away and kept the others. It said: id \d+: .*stored"):
        store.index(passages(50), Letters())
    assert not store.complete()


def test_a_server_that_cannot_write_is_told(make):
    store = make()
    store.index(passages(20), Letters())
    config = store._table.collection.config
    config.update_shards(status="READONLY")
    try:
        with pytest.raises(StoreError, match="read-only.* Its disk is probably full: free some, then restart it"):
            store.index(passages(20, start=5), Letters())
    finally:
        config.update_shards(status="READY")
    assert store.index(passages(20, start=5), Letters()).written
    assert_whole(store, passages(20, start=5))


def test_an_index_that_was_not_finished_is_not_searched(make):
    store = make()
    store.index(passages(20), Letters())
    store._table.write_state(store._state.but(complete=False))
    store.close()
    assert not store.complete()
    with pytest.raises(StoreError, match="was not finished. Run the step 'index' again. It goes on where it stopped"):
        store.search([Query("harbour")], 3)


def test_deleted_passages_come_back_with_the_next_indexing(make):
    store = make()
    store.index(passages(30), Letters())
    assert store.delete(["id 3", "id 4"]) == 2
    assert store.get(["id 3"]) == [passages(30)[3]]
    store.index(passages(30), Letters())
    assert_whole(store, passages(30))


# killed servers and killed processes


@pytest.fixture
def mortal(tmp_path):
    """A server that a test may kill: a function that starts it, again and again, on the same data and ports."""
    ports, state = choose_ports(), tmp_path / "server"
    with ExitStack() as stack:

        def start():
            return stack.enter_context(running_weaviate(state, ports=ports))

        yield start


def test_the_server_is_killed_and_started_again_while_we_write(mortal, tmp_path):
    server, killed = mortal(), threading.Event()

    def kill(batch):
        if batch == 1:
            os.kill(server.pid, signal.SIGKILL)
            killed.set()

    store = store_on(server, tmp_path, "killed", pace={"batch": 50, "uploads": 2, "patience": 60.0})
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(store.index, passages(), Letters(kill))
        assert killed.wait(60)
        mortal()
        assert writing.result(120).written
    assert_whole(store, passages())
    store.close()


def test_the_server_is_killed_and_the_next_run_goes_on(mortal, tmp_path):
    server = mortal()

    def kill(batch):
        if batch == 2:
            os.kill(server.pid, signal.SIGKILL)

    store = store_on(server, tmp_path, "killed", pace={"batch": 50, "uploads": 2, "patience": 1.0})
    with pytest.raises(StoreError, match="cannot be reached any more.* it goes on where it stopped"):
        store.index(passages(), Letters(kill))
    store.close()
    mortal()
    store = store_on(server, tmp_path, "killed")  # as patient as usual: the server is ready before its shards are
    assert not store.complete()
    embedder = Letters()
    assert store.index(passages(), embedder).written
    assert embedder.batches < 3  # what had arrived was not embedded again
    assert_whole(store, passages())
    store.close()


def test_a_server_restarted_between_two_steps_has_everything(mortal, tmp_path):
    server = mortal()
    store = store_on(server, tmp_path, "restarted")
    store.index(passages(500), Letters())
    os.kill(server.pid, signal.SIGKILL)
    mortal()
    assert_whole(store, passages(500))
    store.close()


OURS_KILLED = """
    import os, signal, sys
    sys.path[:0] = sys.argv[4:]
    from pathlib import Path
    from services.letters import Letters, passages
    from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store

    def kill(batch):
        if batch == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    connection = {"url": sys.argv[1], "grpc_port": int(sys.argv[2])}
    make_weaviate_store(sys.argv[3], "ours", connection=connection, pace={"batch": 50}).index(passages(), Letters(kill))
"""


def test_our_process_is_killed_and_the_next_goes_on(weaviate, tmp_path):
    words = [weaviate.url, str(weaviate.grpc_port), str(tmp_path), TESTS]
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(OURS_KILLED), *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == -9, done.stderr
    store = store_on(weaviate, tmp_path, "ours")
    try:
        assert not store.complete()
        before = times(store)
        assert 0 < len(before) < COUNT
        assert store.index(passages(), Letters()).written
        after = times(store)
        tail = 6 * 4 * 50  # what was written last is written again: nobody knows what killed us
        again = {name for name in before if after[name] != before[name]}
        assert again <= set(sorted(before, key=before.get)[-tail - 4 * 50 :])  # and what was on its way when we looked
        assert len(again) < len(before)
        assert_whole(store, passages())
    finally:
        store._table.drop()
        store.close()


@pytest.mark.parametrize("folders", [("one", "one"), ("one", "other")], ids=["one machine", "two machines"])
def test_two_writers_at_once(weaviate, tmp_path, folders):
    both = threading.Barrier(2, timeout=60)
    started = []

    def together(batch):
        if batch == 0 and folders[0] != folders[1]:
            both.wait()
        started.append(batch)

    stores = [store_on(weaviate, tmp_path / folder, "both") for folder in folders]
    counts, errors = [], []

    def write(store):
        try:
            counts.append(store.index(passages(600), Letters(together)))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [one.passages for one in counts] == [600, 600]
    if folders[0] == folders[1]:
        assert sorted(one.written for one in counts) == [False, True]
    assert_whole(stores[0], passages(600))
    stores[0]._table.drop()
    for store in stores:
        store.close()


def test_a_server_that_indexes_behind_our_back_is_waited_for(tmp_path_factory, tmp_path):
    environment = {"ASYNC_INDEXING": "true", "ASYNC_INDEXING_STALE_TIMEOUT": "1s"}
    for server in serve(running_weaviate(tmp_path_factory.mktemp("lazy"), environment=environment)):
        store = store_on(server, tmp_path, "lazy")
        store.index(passages(), Letters())
        assert store._table.unindexed() == 0
        assert_whole(store, passages())
        store.close()


# odd passages

odd_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
odd_meta = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | odd_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd_text, inner, max_size=3),
    max_leaves=8,
)
odd_passages = st.lists(
    st.builds(
        Passage, odd_text.filter(bool), odd_text, odd_text, odd_text, st.integers(0, 2**40), st.dictionaries(odd_text, odd_meta, max_size=4)
    ),
    min_size=1, max_size=12, unique_by=lambda passage: passage.id,
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=odd_passages)
def test_odd_passages_come_out_as_they_went_in(weaviate, tmp_path_factory, rows):
    with stores_on(weaviate, tmp_path_factory.mktemp("odd")) as make:
        store = make()
        store.index(rows, Letters())
        assert [passage for passage, _ in store.iterate()] == rows
        assert store.get([passage.id for passage in rows]) == rows
        some = rows[0]
        for field in ("source", "document"):
            filter = Filter(where=(Condition(field, "==", getattr(some, field)),))
            found = {passage.id for passage in store.sample(99, seed=0, filter=filter)}
            assert found == {passage.id for passage in rows if filter.passes(passage)}


CONDITIONS = [
    Condition("odd key ä", "==", " trailing "),
    Condition("odd key ä", "==", "trailing"),
    Condition("Key", "==", "upper"),
    Condition("key", "==", "lower"),
    Condition("mixed", "<", 3),
    Condition("mixed", "<", "b"),
    Condition("mixed", "!=", 2),
    Condition("mixed", "in", (2, "two", True)),
    Condition("list", ">=", 5.5),
    Condition("list", "==", "x"),
    Condition("number", ">", 1.5),
    Condition("nothing", "!=", 1),
    Condition("nothing", "==", 1),
]


@pytest.fixture(scope="module")
def mixed(weaviate, tmp_path_factory):
    """Metadata under odd keys, with values of several kinds under one key."""
    metas = [
        {"odd key ä": " trailing ", "Key": "upper", "mixed": 2},
        {"odd key ä": "trailing", "key": "lower", "mixed": "two"},
        {"mixed": True, "list": [1, "x", 7.5, None, {"deep": 1}]},
        {"mixed": None, "list": []},
        {"mixed": [1, "a"], "list": ["x"]},
        {},
    ]
    rows = [Passage(str(row), f"text {word(row)}", number=row, meta=meta) for row, meta in enumerate(metas)]
    with stores_on(weaviate, tmp_path_factory.mktemp("mixed")) as make:
        store = make()
        store.index(rows, Letters())
        yield store, rows


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_conditions_hold_as_they_are_defined(mixed, condition):
    store, rows = mixed
    (hits,) = store.search([Query("text")], 10, filter=Filter(where=(condition,)))
    assert sorted(hit.passage_id for hit in hits) == [passage.id for passage in rows if condition.holds(passage)]


def test_thousands_of_excluded_passages_leave_just_k_hits(make):
    store = make()
    store.index(passages(1500), Letters())
    closest = [hit.passage_id for hit in store.search([Query("harbour")], 1400)[0]]
    (hits,) = store.search([Query("harbour")], 20, filter=Filter(frozenset(closest[:1000])))
    assert [hit.passage_id for hit in hits] == closest[1000:1020]
    (hits,) = store.search([Query("harbour")], 20, filter=Filter(frozenset(closest[:1390])), how=Search(min_similarity=-1.0))
    assert [hit.passage_id for hit in hits][:10] == closest[1390:]


def test_hybrid_search_is_the_servers_own(make):
    from weaviate.classes.query import HybridFusion, MetadataQuery

    store = make()
    rows = passages(400)
    store.index(rows, Letters())
    for row in (5, 77, 301):
        text = rows[row].text
        (hits,) = store.search([Query(text)], 30, how=Search("hybrid", alpha=0.4, fetch=120))
        vector = store.embedder.embed([text])[0]
        theirs = store._table.collection.query.hybrid(
            text, vector=vector.tolist(), alpha=0.4, query_properties=["text"], limit=120, fusion_type=HybridFusion.RELATIVE_SCORE,
            return_metadata=MetadataQuery(score=True), return_properties=["row"],
        ).objects  # fmt: skip
        np.testing.assert_allclose([hit.similarity for hit in hits], [found.metadata.score for found in theirs[:30]], atol=1e-4)


def test_what_is_stored_says_what_it_is(make):
    store = make()
    store.index(passages(30), Letters())
    about = json.loads(store._table.collection.config.get().description)
    assert about["complete"] is True
    assert about["passages"] == 30
    assert about["embedder"] == {"id": "letters-of-tests", "dimensions": 26, "normalised": True}


def test_the_indexes_of_a_server_can_be_listed(weaviate, tmp_path):
    root = store_on(weaviate, tmp_path, "listed")
    store = root.at("abc")
    store.index(passages(5), Letters())
    assert root.keys() == ["abc"]
    store._table.drop()
    for each in (root, store):
        each.close()


MEASURED = """
    import sys
    sys.path[:0] = sys.argv[5:]
    from services.letters import Letters, passages
    from spacy_synthesizrr.candidates import Passage
    from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store

    rows = (Passage(f"id {row}", f"harbour {row} " + "word " * 20) for row in range(int(sys.argv[4])))
    connection = {"url": sys.argv[1], "grpc_port": int(sys.argv[2])}
    store = make_weaviate_store(sys.argv[3], "m" + sys.argv[4], connection=connection)
    store.index(rows, Letters())
    store._table.drop()
    store.close()
    print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the peak memory from /proc")
def test_memory_while_indexing_does_not_follow_the_number_of_passages(weaviate, tmp_path):
    def peak(count):
        words = [weaviate.url, str(weaviate.grpc_port), str(tmp_path), str(count), TESTS]
        command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(MEASURED), *words]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert peak(12_000) < 1.15 * peak(3_000)

"""Corpora as tenants of one collection: whatever holds for a collection of its own holds for a tenant."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import ExitStack, closing
from itertools import count

import numpy as np
import pytest

from services.letters import LETTERS, Letters, passages
from services.weaviate import choose_ports, running_weaviate
from services.weaviate_stores import store_on
from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.embedders.brought import BroughtVectors
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.base import Condition, Filter, Query, Search
from spacy_synthesizrr.stores.weaviate.schema import object_id
from spacy_synthesizrr.stores.weaviate.store import WeaviateStore
from spacy_synthesizrr.stores.weaviate.tenants import shared_by, tenant_name
from spacy_synthesizrr.stores.weaviate.vectorizer import make_weaviate_vectorizer

TESTS = os.path.dirname(os.path.dirname(__file__))
_numbers = count()


@pytest.fixture
def name(weaviate, tmp_path):
    """What names a collection of this test alone, with what belongs to it."""
    chosen = f"shared{next(_numbers)}"
    yield chosen
    store = store_on(weaviate, tmp_path, "none", tenants=chosen)
    for each in (store._table.name, f"{store._table.name}_states"):
        store._link.client.collections.delete(each)
    store.close()


@pytest.fixture
def at(weaviate, tmp_path, name):
    """Opens tenants by their keys."""
    opened = []

    def make(key, folder="here", **sections):
        opened.append(store_on(weaviate, tmp_path / folder, key, tenants=name, **sections))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def assert_whole(store, rows):
    assert store.complete()
    assert store.count() == len(rows)
    found = [*store.iterate(with_vectors=True)]
    assert [passage for passage, _ in found] == rows
    vectors = unit_rows(Letters().embed([passage.text for passage in rows]))
    np.testing.assert_allclose(np.array([vector for _, vector in found]), vectors, atol=1e-6)
    (hits,) = store.search([Query("", vectors[0])], 5)
    np.testing.assert_allclose([hit.similarity for hit in hits], np.sort(vectors @ vectors[0])[::-1][:5], atol=2e-6)


def test_two_corpora_share_a_collection_and_nothing_else(at, name):
    one, other = at("one"), at("other")
    one.index(passages(200), Letters())
    other.index(passages(80, start=150), Letters())
    assert_whole(one, passages(200))
    assert_whole(other, passages(80, start=150))
    assert other.location == f"{one.place.url}, collection Synthesizrr_{name}, tenant other"
    listed = one._link.client.collections.list_all()
    assert {each for each in listed if name in each} == {f"Synthesizrr_{name}", f"Synthesizrr_{name}_states"}


def test_every_kind_of_search_stays_within_the_tenant(at):
    one, other = at("one"), at("other")
    one.index([Passage("a", "the harbour at noon", "paper", meta={"year": 2024})], Letters())
    rows = [Passage(f"b{row}", f"the harbour number {row}", "wire", meta={"year": 2000 + row, "desk": "city"}) for row in range(30)]
    other.index(rows, Letters())
    for how in (Search(), Search("keyword"), Search("hybrid"), Search(diversity=0.5)):
        (hits,) = one.search([Query("the harbour")], 5, how=how)
        assert [hit.passage_id for hit in hits] == ["a"]
        (hits,) = other.search([Query("the harbour")], 50, how=how, filter=Filter(where=(Condition("year", ">=", 2020),)))
        assert {hit.passage_id for hit in hits} == {f"b{row}" for row in range(20, 30)}
    assert one.sample(5, seed=0, filter=Filter(where=(Condition("desk", "==", "city"),))) == []
    with pytest.raises(StoreError, match=r"1 of 1 passages are not in the index .*tenant one, the first is 'b1'"):
        one.get(["b1"])


def test_indexing_again_writes_nothing_and_a_change_writes_what_changed(at):
    store = at("one")
    rows = passages(200)
    assert store.index(rows, Letters()).written
    before = times(store)
    assert not at("one").index(rows, Letters()).written
    assert times(store) == before
    changed = [*rows[:10], Passage("new", "a new text", meta={"fresh": True}), *rows[11:]]
    assert store.index(changed, Letters()).written
    assert_whole(store, changed)
    after = times(store)
    assert {each for each in after if after[each] != before.get(each)} == {object_id("new")}


def times(store):
    from weaviate.classes.query import MetadataQuery

    asked = MetadataQuery(last_update_time=True)
    return {str(found.uuid): found.metadata.last_update_time for found in store._table.collection.iterator(return_metadata=asked)}


def test_deleting_and_dropping_leave_the_others_alone(at):
    one, other = at("one"), at("other")
    for store in (one, other):
        store.index(passages(30), Letters())
    assert one.delete(["id 3", "id 4"]) == 2
    assert (one.count(), other.count()) == (28, 30)
    one.drop()
    assert not one.complete()
    assert at("none").keys() == []
    assert at("").keys() == ["other"]
    assert_whole(other, passages(30))
    assert one.index(passages(20), Letters()).written
    assert_whole(one, passages(20))


def test_the_indexes_of_a_collection_can_be_listed(at):
    root = at("run")
    root.at("abc").index(passages(5), Letters())
    root.at("odd key.").index(passages(5), Letters())
    unfinished = root.at("xyz")
    unfinished.index(passages(5), Letters())
    unfinished._table.write_state(unfinished._state.but(complete=False))
    assert root.keys() == sorted(["abc", tenant_name("run_odd key.").removeprefix("run_")])
    assert [store_keys for store_keys, state in root.states().items() if not state.complete] == ["xyz"]
    assert root.at(root.keys()[-1]).count() == 5


def test_another_embedder_needs_another_collection(at):
    at("one").index(passages(60), Letters())
    with pytest.raises(StoreError, match=r"is for the embedder letters-of-tests, not for lsa.* tenants = \"ANOTHER_NAME\""):
        at("other").index(passages(60), make_lsa_embedder(dimensions=8))
    with pytest.raises(StoreError, match="is for the embedder letters-of-tests"):
        at("one").index(passages(60), make_lsa_embedder(dimensions=8))
    assert_whole(at("one"), passages(60))


def test_corpora_that_bring_vectors_of_one_embedder_share_a_collection(at, tmp_path):
    for key, rows in (("one", passages(40)), ("other", passages(40, start=40)), ("one", passages(60))):
        with closing(BroughtVectors(Letters(), corpus=tmp_path / "c.jsonl", column="v", spool=tmp_path / "spool")) as brought:
            for row, passage in enumerate(rows):
                brought.add(passage, row, Letters().embed([passage.text])[0].tolist())
            at(key).index(rows, brought)
        assert_whole(at(key), rows)
    at("third").index(passages(20), Letters())  # embedded here, by the same embedder


def test_a_module_shares_no_collection_with_vectors_that_were_brought(tmp_path):
    module = make_weaviate_vectorizer("text2vec-ollama", {"model": "words"})
    with closing(BroughtVectors(module, corpus=tmp_path / "c.jsonl", column="v", spool=tmp_path / "spool")) as brought:
        assert shared_by(brought) == f"{module.recipe}-brought" != shared_by(module)


def test_fits_of_one_embedder_share_a_collection_but_are_not_mixed_up(at):
    one, other = at("one"), at("other")
    one.index(passages(60), make_lsa_embedder(dimensions=8))
    other.index(passages(60, start=60), make_lsa_embedder(dimensions=8))
    refused = WeaviateStore(one._place, one._folder, one._key, other.embedder)
    with pytest.raises(StoreError, match="cannot be compared"):
        refused.search([Query("harbour")], 3)
    refused.close()


def test_a_collection_of_somebody_else_is_left_alone(at, name):
    store = at("one")
    store._link.client.collections.create(f"Synthesizrr_{name}", description="precious")
    for call in (store.complete, lambda: store.index(passages(3), Letters())):
        with pytest.raises(StoreError, match="was not made for tenants by this release, or by somebody else"):
            call()


def test_a_tenant_or_a_state_that_somebody_deleted_is_built_again(at):
    store = at("one")
    store.index(passages(40), Letters())
    store._table._shared.tenants.remove("one")
    assert not store.complete()
    assert store.index(passages(40), Letters()).written
    assert_whole(store, passages(40))
    store._link.client.collections.delete(store._table._notes)
    assert not store.complete()
    assert store.index(passages(40), Letters()).written
    assert_whole(store, passages(40))


def test_a_tenant_that_sleeps_is_woken(at):
    store = at("one")
    store.index(passages(40), Letters())
    store._table._shared.tenants.deactivate("one")
    assert_whole(store, passages(40))


KILLED = """
    import os, signal, sys
    sys.path[:0] = sys.argv[5:]
    from services.letters import Letters, passages
    from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store

    def kill(batch):
        if batch == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    connection = {"url": sys.argv[1], "grpc_port": int(sys.argv[2])}
    make_weaviate_store(sys.argv[3], "one", connection=connection, pace={"batch": 50}, tenants=sys.argv[4]).index(passages(), Letters(kill))
"""


def test_what_was_killed_is_not_searched_and_goes_on(at, weaviate, tmp_path, name):
    words = [weaviate.url, str(weaviate.grpc_port), str(tmp_path / "here"), name, TESTS]
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr
    store = at("one")
    assert not store.complete()
    with pytest.raises(StoreError, match="was not finished. Run the step 'index' again. It goes on"):
        store.search([Query("harbour")], 3)
    before = times(store)
    assert before
    assert store.index(passages(), Letters()).written
    after = times(store)
    assert any(after[each] == before[each] for each in before)
    assert_whole(store, passages())


def test_a_server_that_was_killed_and_started_again_has_everything(tmp_path):
    ports = choose_ports()
    with ExitStack() as stack:
        server = stack.enter_context(running_weaviate(tmp_path / "server", ports=ports))
        store = store_on(server, tmp_path, "one", tenants="killed")
        store.index(passages(300), Letters())
        os.kill(server.pid, signal.SIGKILL)
        stack.enter_context(running_weaviate(tmp_path / "server", ports=ports))
        assert_whole(store, passages(300))
        store.close()


@pytest.mark.parametrize("keys", [("both", "both"), ("one", "other")], ids=["one tenant", "two tenants"])
def test_two_writers_at_once(at, keys):
    both = threading.Barrier(2, timeout=60)
    stores = [at(key, folder) for key, folder in zip(keys, ("here", "there"), strict=True)]
    counts, errors = [], []

    class Together(Letters):
        def fit(self, texts, *, seed):
            both.wait()  # both know that there is nothing yet

    def write(store):
        try:
            counts.append(store.index(passages(600), Together()))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [one.passages for one in counts] == [600, 600]
    for store in stores:
        assert_whole(store, passages(600))
    assert len(LETTERS) == stores[0].embedder.dimensions

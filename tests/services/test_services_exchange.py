"""An index travels between the store in this process and a real Weaviate, through a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner
from weaviate.classes.config import DataType, Property
from weaviate.classes.data import DataObject

from services.letters import Letters
from services.letters import passages as letter_passages
from services.weaviate import Weaviate
from services.weaviate_stores import store_on
from spacy_synthesizrr.candidates import Passage, passage_id
from spacy_synthesizrr.cli import app
from spacy_synthesizrr.doctor.stores import look_at_store
from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import InputError, StoreError
from spacy_synthesizrr.stores.base import Filter, Query, Search
from spacy_synthesizrr.stores.exchange.moving import import_index, plan_import
from spacy_synthesizrr.stores.exchange.writing import export_index
from spacy_synthesizrr.stores.memory import MemoryStore, make_memory_store
from spacy_synthesizrr.stores.survey import look_up, remove, survey
from spacy_synthesizrr.stores.weaviate.making import make_weaviate_collection
from spacy_synthesizrr.stores.weaviate.store import WeaviateStore
from spacy_synthesizrr.stores.weaviate.vectorizer import make_weaviate_vectorizer

WORDS = "ferry harbour storm choir concert song keeper penalty match loan bank interest market tide".split()
KEY = "exchanged"
QUERIES = [Query("a storm in the harbour"), Query("interest of the bank"), Query("song")]


def passages(count=300):
    draw = np.random.default_rng(0)
    texts = [f"{' '.join(draw.choice(WORDS, 8))} number{row}" for row in range(count)] + ["", "null\0byte 🎈"]
    days = [f"2026-01-{row % 28 + 1:02}" for row in range(len(texts))]
    rows = enumerate(zip(texts, days, strict=True))
    return [Passage(passage_id("paper", str(row), 0, text), text, "paper", str(row), 0, {"date": day}) for row, (text, day) in rows]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> MemoryStore:
    """A place in this process with one index and its notes."""
    made = make_memory_store(str(tmp_path_factory.mktemp("memory") / "index"))
    store = made.at(KEY)
    store.index(iter(passages()), make_lsa_embedder(dimensions=16), seed=5)
    store.notes.mkdir()
    (store.notes / "corpus_rejected.jsonl").write_text('{"reason": "short"}\n')
    (store.notes / "corpus.json").write_text(json.dumps({"passages": store.count(), "seed": 5}))
    return made


@pytest.fixture(scope="module")
def file(root, tmp_path_factory) -> Path:
    """Its file."""
    path = tmp_path_factory.mktemp("file") / "index.parquet"
    export_index(root.at(KEY), look_up(root, KEY), path)
    return path


@pytest.fixture
def place(weaviate: Weaviate, tmp_path: Path) -> Iterator[WeaviateStore]:
    """A Weaviate without that index."""
    made = store_on(weaviate, tmp_path / "index")
    yield made
    made.at(KEY).drop()
    made.close()


def everything(root):
    return [(passage, vector.tobytes()) for passage, vector in root.at(KEY).iterate(with_vectors=True)]


def test_there_and_back_again_nothing_changed(root, file, place, tmp_path):
    assert import_index(place, file)
    export_index(place.at(KEY), look_up(place, KEY), tmp_path / "from_weaviate.parquet")
    back = make_memory_store(str(tmp_path / "back"))
    import_index(back, tmp_path / "from_weaviate.parquet")
    assert everything(place) == everything(root) == everything(back)
    assert (tmp_path / "from_weaviate.parquet").read_bytes() == file.read_bytes()
    assert sorted(path.name for path in back.at(KEY).notes.iterdir()) == ["corpus.json", "corpus_rejected.jsonl"]


@pytest.mark.parametrize("how", [Search(), Search(diversity=0.5), Search(per_document=1)])
def test_searches_give_the_same_hits(root, file, place, how):
    import_index(place, file)
    filter = Filter(exclude=frozenset({passages()[3].id}))
    ours, theirs = (store.at(KEY).search(QUERIES, 10, how=how, filter=filter) for store in (root, place))
    for mine, other in zip(ours, theirs, strict=True):
        assert [hit.passage_id for hit in mine] == [hit.passage_id for hit in other]
        np.testing.assert_allclose([hit.similarity for hit in mine], [hit.similarity for hit in other], atol=2e-5)


def test_an_import_that_was_killed_goes_on_with_the_vectors_of_the_file(file, place, monkeypatch):
    from spacy_synthesizrr.stores.weaviate.writing import Filling

    seal = Filling._seal

    def dies(self, row):
        raise KeyboardInterrupt

    monkeypatch.setattr(Filling, "_seal", dies)
    with pytest.raises(KeyboardInterrupt):
        import_index(place, file)
    monkeypatch.setattr(Filling, "_seal", seal)
    monkeypatch.setattr("spacy_synthesizrr.embedders.lsa.LsaEmbedder.embed", lambda *_: pytest.fail("embedded anew"))
    assert plan_import(place, file).begun
    assert import_index(place, file)
    assert plan_import(place, file).there


def test_importing_twice_sends_nothing(file, place):
    import_index(place, file)
    assert not import_index(place, file)


def test_an_index_from_elsewhere_gets_its_embedder_from_the_file(file, place, weaviate, tmp_path):
    import_index(place, file)
    elsewhere = store_on(weaviate, tmp_path / "elsewhere")
    assert not elsewhere.at(KEY).complete()
    assert not import_index(elsewhere, file)  # nothing had to be sent
    assert elsewhere.at(KEY).complete()
    assert elsewhere.at(KEY).search(QUERIES, 3) == place.at(KEY).search(QUERIES, 3)


def test_another_index_under_the_key_is_left_alone(file, place):
    place.at(KEY).index(iter(passages(20)), make_lsa_embedder(dimensions=4))
    with pytest.raises(StoreError, match="holds another index"):
        import_index(place, file)
    assert place.at(KEY).count() == 22


def test_a_file_that_was_cut_off_makes_no_collection(file, place, tmp_path):
    (tmp_path / "half.parquet").write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError):
        import_index(place, tmp_path / "half.parquet")
    assert look_up(place, KEY) is None


def test_deleted_passages_stay_behind(file, place, tmp_path):
    import_index(place, file)
    place.at(KEY).delete([passages()[0].id])
    manifest = export_index(place.at(KEY), look_up(place, KEY), tmp_path / "less.parquet")
    assert manifest.passages == len(passages()) - 1


def test_an_index_that_is_taken_away_is_gone_on_the_server_and_here(file, place, tmp_path):
    import_index(place, file)
    remove(place.at(KEY))
    assert KEY not in [held.key for held in survey(place)]
    assert not [path for path in (tmp_path / "index").rglob("*") if path.is_file() and path.name != ".lock"]


def test_a_key_that_the_server_has_under_another_name_is_found(file, place):
    try:
        import_index(place, file, "my-corpus")
        assert plan_import(place, file, "my-corpus").there
    finally:
        place.at("my-corpus").drop()


def test_an_index_goes_into_a_tenant_and_out_of_it(root, file, weaviate, tmp_path):
    shared = store_on(weaviate, tmp_path / "index", tenants="exchange")
    try:
        import_index(shared, file)
        assert everything(shared) == everything(root)
        export_index(shared.at(KEY), look_up(shared, KEY), tmp_path / "tenant.parquet")
        assert (tmp_path / "tenant.parquet").read_bytes() == file.read_bytes()
        remove(shared.at(KEY))
        assert survey(shared) == []
    finally:
        for name in (shared._table.name, f"{shared._table.name}_states"):
            shared._link.client.collections.delete(name)
        shared.close()


def test_vectors_that_a_module_made_go_to_another_collection(weaviate_modules, embeddings, tmp_path):
    given = {"apiEndpoint": embeddings.url, "model": "words"}
    place = store_on(weaviate_modules, tmp_path / "index")
    try:
        place.at(KEY).index(iter(passages(40)), make_weaviate_vectorizer("text2vec-ollama", given))
        export_index(place.at(KEY), look_up(place, KEY), tmp_path / "index.parquet")
        embeddings.asked.clear()
        import_index(place, tmp_path / "index.parquet", "second")
        assert embeddings.texts() == []
        mine, other = (place.at(key).search(QUERIES, 5) for key in (KEY, "second"))
        assert [[hit.passage_id for hit in hits] for hits in mine] == [[hit.passage_id for hit in hits] for hits in other]
    finally:
        for key in (KEY, "second"):
            place.at(key).drop()
        place.close()


def test_a_run_on_weaviate_finds_what_was_imported(walked, weaviate, monkeypatch):
    """Its step `index` embeds nothing and reads no corpus."""

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == 0, done.output + repr(done.exception)
        return done.output

    monkeypatch.setenv("WEAVIATE_URL", weaviate.url)
    monkeypatch.setenv("WEAVIATE_GRPC_PORT", str(weaviate.grpc_port))
    run("index", "export", "tiny.parquet", "--run", "tiny")
    run("prepare", "--task", "tiny", "--run", "other", "--store", "weaviate", "--per-label", "4")
    assert "The run 'other' will find it." in run("index", "import", "tiny.parquet", "--run", "other")
    try:
        monkeypatch.setattr("spacy_synthesizrr.steps.index.read_passages", lambda *_, **__: pytest.fail("read the corpus"))
        assert "24 passages from 24 documents" in run("index", "--run", "other")
        assert "24 passages" in run("index", "ls", "--run", "other")
    finally:
        assert "deleted" in run("index", "delete", "--run", "other", "--yes")


@pytest.fixture
def theirs(weaviate, tmp_path):
    """A collection of somebody else, as a store."""
    place = store_on(weaviate, tmp_path / "index")
    client, rows = place._link.client, letter_passages(90)
    made = client.collections.create("TheirNotes", properties=[Property(name="body", data_type=DataType.TEXT)])
    vectors = unit_rows(Letters().embed([passage.text for passage in rows]))
    objects = [DataObject(properties={"body": passage.text}, vector=vectors[row].tolist()) for row, passage in enumerate(rows)]
    assert not made.data.insert_many(objects).has_errors
    connection = {"url": weaviate.url, "grpc_port": weaviate.grpc_port}
    store = make_weaviate_collection({"name": "TheirNotes", "text_property": "body"}, str(tmp_path / "index"), connection=connection)
    store.at(KEY).index(iter(()), Letters())
    yield store
    client.collections.delete("TheirNotes")
    store.close()
    place.close()


def test_a_collection_of_somebody_else_can_be_taken_out(theirs, tmp_path):
    manifest = export_index(theirs.at(KEY), look_up(theirs, KEY), tmp_path / "theirs.parquet")
    assert manifest.passages == 90
    other = make_memory_store(str(tmp_path / "memory"))
    import_index(other, tmp_path / "theirs.parquet")
    (mine,), (found,) = (store.at(KEY).search([Query("the storm harbour")], 5) for store in (other, theirs))
    np.testing.assert_allclose([hit.similarity for hit in mine], [hit.similarity for hit in found], atol=2e-5)


def test_nothing_is_imported_into_a_collection_of_somebody_else(file, theirs):
    with pytest.raises(StoreError, match="only read: no index can be imported"):
        import_index(theirs, file)
    with pytest.raises(StoreError, match="only read: nothing is deleted"):
        remove(theirs.at(KEY))


def test_the_doctor_counts_a_collection_of_somebody_else(theirs, weaviate):
    connection = {"url": weaviate.url, "grpc_port": weaviate.grpc_port}
    block = {"@misc": "synthesizrr.WeaviateCollection.v1", "collection": {"name": "TheirNotes", "text_property": "body"}}
    config = {"store": {**block, "connection": connection}, "embedder": {"@misc": "tests.Letters.v1"}}
    found = {each.name: each for each in look_at_store(config, Path("store.cfg"))}
    assert "90 objects; only read" in found["collection"].detail
    assert not [each for each in found.values() if each.bad]

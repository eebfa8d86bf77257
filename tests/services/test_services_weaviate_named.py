"""The step `index` on a real Weaviate: an index with a name is brought up to date, and vectors that are kept or brought."""

import json
from pathlib import Path

import numpy as np
import pytest
from spacy.util import registry

from services.letters import Letters, word
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.fingerprints import fingerprint
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.steps import index
from spacy_synthesizrr.stores.opening import configured_store, open_store
from spacy_synthesizrr.taskfile import read_task

TASK = """
name: towns
labels:
  sport: {verbalization: about sport}
  money: {verbalization: about money}
prompt: {instruction: "Write a headline {verbalization}."}
corpus: {path: corpus.jsonl, id: id}
"""
STORE = """
[store]
@misc = "synthesizrr.WeaviateStore.v1"
path = "index"

[store.connection]
url = "URL"
grpc_port = PORT

[embedder]
@misc = "tests.KnownLetters.v1"

[passages]
min_words = 1
max_words = 8

[index]
name = "NAME"
"""


class KnownLetters(Letters):
    """The same, and it says that it learns nothing."""

    pretrained = True
    texts: list[str] = []

    def embed(self, texts):
        self.texts.extend(texts)
        return super().embed(texts)

    def load(self, folder):
        return KnownLetters()


registry.misc("tests.KnownLetters.v1", func=KnownLetters)


def rows(count, *, first=0):
    return [{"id": f"d{row}", "text": f"{word(row)} harbour. {word(7 * row + 1)} ferry."} for row in range(first, first + count)]


@pytest.fixture
def project(weaviate, tmp_path, monkeypatch):
    """Makes runs that `prepare` has set up, in the working directory; what they built is deleted afterwards."""
    monkeypatch.chdir(tmp_path)
    name, made = f"news{tmp_path.name}", []

    def make(found, *, run="one", task=TASK, store=STORE):
        store = store.replace("URL", weaviate.url).replace("PORT", str(weaviate.grpc_port)).replace("NAME", name)
        Path("task.yml").write_text(task)
        Path(f"{run}.cfg").write_text(store)
        Path("corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
        inputs = {
            "identity": {"task": "task.yml"},
            "settings": {"seed": 0, "lang": "en"},
            "task": {"fingerprint": read_task(Path("task.yml")).fingerprint()},
            "files": {"corpus": {"path": "corpus.jsonl", **fingerprint(Path("corpus.jsonl"))}},
            "configs": {"store": {"path": f"{run}.cfg", "sha256": fingerprint(Path(f"{run}.cfg"))["sha256"]}},
        }
        made.append(Context(RunFolder(Path("runs") / run), inputs))
        KnownLetters.texts.clear()
        return made[-1]

    yield make
    store = configured_store(made[0]).at(name)
    store._table.drop()
    store.close()


def times(ctx):
    """When each object was written last, by its document: shows every write that the server did."""
    from weaviate.classes.query import MetadataQuery

    store = open_store(ctx)
    found = store._table.collection.iterator(return_properties=["document"], return_metadata=MetadataQuery(last_update_time=True))
    told = {str(each.properties["document"]): each.metadata.last_update_time for each in found}
    store.close()
    return told


def held(ctx):
    """Documents to texts and vectors, as they lie there."""
    store = open_store(ctx)
    found = {passage.document: (passage.text, vector) for passage, vector in store.iterate(with_vectors=True)}
    store.close()
    return found


def test_a_changed_document_replaces_its_passages_and_the_others_are_not_written(project):
    index.run(project(rows(30)))
    before = times(project(rows(30)))
    changed = rows(30)
    changed[7]["text"] = "the keeper saw a storm"
    ctx = project([row for row in changed if row["id"] != "d29"] + rows(2, first=40))
    assert index.run(ctx)
    after = times(ctx)
    assert set(after) == {f"d{row}" for row in [*range(29), 40, 41]}
    assert {name for name, time in after.items() if before.get(name) != time} == {"d7", "d40", "d41"}
    assert held(ctx)["d7"][0] == "the keeper saw a storm"
    assert "the keeper saw a storm" in KnownLetters.texts
    assert rows(1)[0]["text"] not in KnownLetters.texts


def test_indexing_twice_writes_nothing(project):
    index.run(project(rows(30)))
    before = times(project(rows(30)))
    assert not index.run(project(rows(30)))
    other = project(rows(30), run="two")
    assert index.run(other)
    assert times(other) == before


def test_a_document_in_front_embeds_nothing_but_itself(project):
    index.run(project(rows(30)))
    ctx = project([{"id": "new", "text": "a new harbour"}, *rows(30)])
    index.run(ctx)
    assert not {row["text"] for row in rows(30)} & set(KnownLetters.texts)
    assert [*held(ctx)] == ["new", *(f"d{row}" for row in range(30))]


def test_a_run_is_told_that_its_index_holds_another_corpus_now(project):
    one = project(rows(9))
    index.run(one)
    index.run(project(rows(12), run="two"))
    with pytest.raises(StoreError, match=r"holds another corpus"):
        open_store(one)
    one = project(rows(9))
    assert index.run(one)
    assert len(held(one)) == 9


def test_what_another_store_embedded_is_not_embedded_again(project):
    memory = '[store]\n@misc = "synthesizrr.MemoryStore.v1"\npath = "index"\n' + STORE[STORE.index("\n[embedder]") :]
    project(rows(1))  # what the fixture cleans up is in Weaviate
    index.run(project(rows(30), run="memory", store=memory))
    ctx = project(rows(30))
    index.run(ctx)
    assert not {row["text"] for row in rows(30)} & set(KnownLetters.texts)
    assert len(held(ctx)) == 30


def test_settings_of_the_server_follow_the_config_though_nothing_is_written(project):
    index.run(project(rows(5)))
    ctx = project(rows(5), store=STORE + "\n[store.words]\nk1 = 2.0\n")
    assert index.run(ctx)
    store = open_store(ctx)
    assert store._table.collection.config.get().inverted_index_config.bm25.k1 == 2.0
    assert KnownLetters.texts == []
    store.close()


def test_brought_vectors_are_written_and_so_are_others_of_the_same_texts(project):
    task = TASK.replace("id: id", "id: id, vector: vector")

    def found(more):
        vectors = Letters().embed([row["text"] for row in rows(30)]) + more
        return [{**row, "vector": vector.tolist()} for row, vector in zip(rows(30), vectors, strict=True)]

    for more in (0.0, 0.05):
        ctx = project(found(more), task=task)
        index.run(ctx)
        expected = np.array([row["vector"] for row in found(more)])
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose([vector for _, vector in held(ctx).values()], expected, atol=1e-6)

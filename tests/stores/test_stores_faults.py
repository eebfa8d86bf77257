"""What may be wrong around an index in this process: an embedder that gives too little, files of a killed writer, a folder that
somebody built anew meanwhile."""

import json
import shutil

import numpy as np
import pytest

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import load_embedder
from spacy_synthesizrr.embedders.lsa import LsaEmbedder, make_lsa_embedder
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.base import Query, Search
from spacy_synthesizrr.stores.memory import MemoryStore

TEXTS = ["a ferry in the harbour", "a choir sang a song", "the keeper saved a penalty", "the bank lowered its interest"]


def passages(texts=TEXTS):
    return [Passage(f"id{number}", text) for number, text in enumerate(texts)]


def built(folder, texts=TEXTS):
    store = MemoryStore(folder)
    store.index(passages(texts), make_lsa_embedder(dimensions=8))
    return store


@pytest.mark.parametrize("change", [lambda found: found[:-1], lambda found: found[:, :-1], lambda found: np.vstack([found, found])])
def test_an_embedder_that_gives_vectors_of_another_shape_is_refused(tmp_path, monkeypatch, change):
    embed = LsaEmbedder.embed
    monkeypatch.setattr(LsaEmbedder, "embed", lambda self, texts: change(embed(self, texts)))
    with pytest.raises(StoreError, match=r"The embedder lsa-v1-.* gave vectors of shape \(\d, \d\) for 4 texts, .* \(4, 4\) are needed"):
        built(tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_an_embedder_that_gives_queries_vectors_of_another_shape_is_refused(tmp_path, monkeypatch):
    store = built(tmp_path / "index")
    embed = LsaEmbedder.embed
    monkeypatch.setattr(LsaEmbedder, "embed", lambda self, texts: embed(self, texts)[:1])
    with pytest.raises(StoreError, match=r"gave vectors of shape \(1, 4\) for 2 texts"):
        store.search([Query("a ferry"), Query("a song")], 1)


def test_what_a_killed_deletion_left_is_no_foreign_file(tmp_path):
    store = built(tmp_path / "index")
    (tmp_path / "index" / ".deleted.json.abc123.part").write_text("[0")
    assert store.index(passages(TEXTS[:2]), make_lsa_embedder(dimensions=8)).passages == 2


def test_nothing_is_deleted_from_an_index_that_was_built_anew_meanwhile(tmp_path):
    store = built(tmp_path / "index")
    assert store.count() == 4
    other = built(tmp_path / "index", TEXTS[::-1])
    with pytest.raises(StoreError, match="has been built anew since it was opened"):
        store.delete(["id0"])
    assert MemoryStore(tmp_path / "index").count() == other.count() == 4
    store.close()
    assert store.delete(["id0"]) == 1


def test_words_are_not_written_into_an_index_that_was_built_anew_meanwhile(tmp_path):
    store = built(tmp_path / "index")
    assert store.count() == 4
    built(tmp_path / "index", TEXTS[::-1]).search([Query("ferry")], 1, how=Search("keyword"))
    before = (tmp_path / "index" / "keywords" / "keywords.json").read_bytes()
    with pytest.raises(StoreError, match="has been built anew since it was opened"):
        store.search([Query("ferry")], 1, how=Search("keyword"))
    assert (tmp_path / "index" / "keywords" / "keywords.json").read_bytes() == before


@pytest.mark.parametrize("opened", ["embedder", "passages", "deleted"])
def test_files_of_two_indexes_are_never_mixed(tmp_path, opened):
    """A reader opens each file when it first needs it; meanwhile another run may have built the index anew."""
    store = built(tmp_path / "index")
    ask = Query("ferry", store.embedder.embed(["a ferry"])[0])
    store.close()
    {"embedder": lambda: store.embedder, "passages": lambda: store.get(["id0"]), "deleted": store.count}[opened]()
    built(tmp_path / "index", TEXTS[::-1])
    with pytest.raises(StoreError, match="has been built anew since it was opened"):
        store.search([ask], 1)
    store.close()
    assert store.search([Query("a ferry in the harbour")], 1)[0][0].passage_id == "id3"


def test_a_reader_of_an_index_that_was_deleted_meanwhile_is_told(tmp_path):
    store = built(tmp_path / "index")
    store.embedder  # noqa: B018
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(StoreError, match="or deleted"):
        store.get(["id0"])


def test_content_follows_from_what_lies_there_now(tmp_path):
    store = built(tmp_path / "index")
    first = store.content()
    built(tmp_path / "index", TEXTS[::-1])
    second = store.content()
    built(tmp_path / "index")
    assert first and first != second and store.content() == first
    assert MemoryStore(tmp_path / "nothing").content() == ""


@pytest.mark.parametrize("lost", ["fingerprint", "factory", "parameters"])
def test_an_embedder_whose_file_lacks_something_is_told(tmp_path, lost):
    built(tmp_path / "index")
    path = tmp_path / "index" / "embedder" / "embedder.json"
    about = json.loads(path.read_text())
    del about[lost]
    path.write_text(json.dumps(about))
    with pytest.raises(StoreError, match="The embedder of this index cannot be made from .*embedder.json"):
        load_embedder(path.parent)

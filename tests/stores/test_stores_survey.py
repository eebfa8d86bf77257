"""What lies in a store, and how one index of it is taken away."""

import json

import pytest

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.stores.memory import make_memory_store
from spacy_synthesizrr.stores.survey import look_up, remove, survey


@pytest.fixture
def root(tmp_path):
    """A place with the indexes "a" and "b" and something else."""
    made = make_memory_store(str(tmp_path / "index"))
    for key, count in (("b", 4), ("a", 3)):
        made.at(key).index([Passage(str(n), f"one text number{n}") for n in range(count)], make_lsa_embedder())
    (tmp_path / "index" / "weaviate").mkdir()
    return made


def test_indexes_come_in_the_order_of_their_keys(root):
    found = survey(root)
    assert [(held.key, held.whole, held.passages) for held in found] == [("a", True, 3), ("b", True, 4)]
    assert found[0].embedder == {"id": root.at("a").embedder.id, "dimensions": root.at("a").embedder.dimensions, "normalised": True}


def test_deleted_passages_are_counted_apart(root):
    root.at("b").delete(["0", "1"])
    assert (look_up(root, "b").passages, look_up(root, "b").deleted) == (2, 2)


def test_a_store_at_an_index_knows_that_one(root):
    (held,) = survey(root.at("a"))
    assert (held.key, held.passages) == ("", 3)


def test_nothing_is_found_where_nothing_is(root, tmp_path):
    assert look_up(root, "c") is None
    assert survey(make_memory_store(str(tmp_path / "nowhere"))) == []


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"format": 1})])
def test_an_index_that_cannot_be_read_is_not_whole(root, tmp_path, text):
    (tmp_path / "index" / "a" / "meta.json").write_text(text)
    assert [(held.key, held.whole) for held in survey(root)] == [("a", False), ("b", True)]


def test_an_index_that_is_taken_away_leaves_the_others(root, tmp_path):
    remove(root.at("a"))
    assert [held.key for held in survey(root)] == ["b"]
    assert sorted(path.name for path in (tmp_path / "index").iterdir()) == [".lock", "b", "weaviate"]

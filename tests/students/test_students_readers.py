"""How a training reads its rows."""

from __future__ import annotations

from collections import Counter

import pytest
import spacy
from spacy.util import registry

from spacy_synthesizrr.errors import StudentError
from spacy_synthesizrr.students.export import ROW_SCORE, ROW_SOURCE, write_docs
from spacy_synthesizrr.students.readers import make_corpus
from spacy_synthesizrr.students.rows import StudentRow

LABELS = ("a", "b")


@pytest.fixture
def shards(tmp_path):
    rows = [StudentRow(f"r{i}", f"text number {i}", (LABELS[i % 2],), "human", 0.5) for i in range(10)]
    write_docs(rows, tmp_path / "train.spacy", nlp=spacy.blank("en"), labels=LABELS, shard_rows=4)
    return tmp_path / "train.spacy"


def texts(reader, nlp):
    return [example.text for example in reader(nlp)]


def test_every_pass_has_every_row_once_and_another_order(shards):
    nlp, reader = spacy.blank("en"), make_corpus(shards)
    first, second = texts(reader, nlp), texts(reader, nlp)
    assert Counter(first) == Counter(second) == Counter(f"text number {i}" for i in range(10))
    assert first != second


def test_same_seed_gives_the_same_orders(shards):
    nlp = spacy.blank("en")
    one, other = make_corpus(shards, seed=3), make_corpus(shards, seed=3)
    assert [texts(one, nlp) for _ in range(2)] == [texts(other, nlp) for _ in range(2)]


def test_without_shuffling_rows_come_as_they_stand(shards):
    assert texts(make_corpus(shards, shuffle=False), spacy.blank("en")) == [f"text number {i}" for i in range(10)]


def test_example_has_labels_and_who_chose_them(shards):
    example = next(make_corpus(shards, shuffle=False)(spacy.blank("en")))
    assert example.reference.cats == {"a": 1.0, "b": 0.0}
    assert (example.reference.user_data[ROW_SOURCE], example.reference.user_data[ROW_SCORE]) == ("human", 0.5)
    assert not example.predicted.cats


def test_it_is_a_reader_for_any_spacy_config(shards):
    make = registry.readers.get("synthesizrr.Corpus.v1")
    assert len(list(make(path=shards)(spacy.blank("en")))) == 10


@pytest.mark.parametrize("path", [None, "nowhere.spacy"])
def test_missing_rows_are_named(path):
    with pytest.raises(StudentError, match=f"'{path}'.*--paths.train"):
        make_corpus(path)

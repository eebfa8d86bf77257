"""Rows become DocBins: whole, in order, a shard at a time."""

from __future__ import annotations

import warnings

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Corpus

from spacy_synthesizrr.errors import StudentError
from spacy_synthesizrr.students.export import ROW_ID, remove_docs, write_docs
from spacy_synthesizrr.students.rows import StudentRow

LABELS = ("sport", "business")


def rows(number):
    return [StudentRow(f"id{i}", f"Row {i} says 'ß' and goes.", (LABELS[i % 2],)) for i in range(number)]


def read(path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def write(path, items, **options):
    return write_docs(items, path, nlp=spacy.blank("en"), labels=LABELS, **options)


def test_docs_carry_text_all_labels_and_id(tmp_path):
    write(tmp_path / "train.spacy", rows(2))
    docs = read(tmp_path / "train.spacy")
    assert [doc.text for doc in docs] == [row.text for row in rows(2)]
    assert docs[1].cats == {"sport": 0.0, "business": 1.0}
    assert [doc.user_data[ROW_ID] for doc in docs] == ["id0", "id1"]


def test_multi_label_row_counts_under_each_label(tmp_path):
    written = write(tmp_path / "train.spacy", [StudentRow("x", "Both.", ("sport", "business"))])
    assert (written.rows, dict(written.labels)) == (1, {"sport": 1, "business": 1})
    assert read(tmp_path / "train.spacy")[0].cats == {"sport": 1.0, "business": 1.0}


@pytest.mark.parametrize(("number", "shards"), [(3, 1), (4, 2), (7, 3)])
def test_more_rows_than_a_shard_holds_become_a_folder_that_spacy_reads(tmp_path, number, shards):
    path = tmp_path / "train.spacy"
    write(path, rows(number), shard_rows=3)
    assert path.is_dir() == (shards > 1)
    assert len(list(path.glob("*.spacy")) or [path]) == shards
    assert sorted(example.reference.user_data[ROW_ID] for example in Corpus(path)(spacy.blank("en"))) == [f"id{i}" for i in range(number)]


@pytest.mark.parametrize(("first", "second"), [(7, 2), (2, 7), (7, 4), (2, 1)])
def test_second_export_replaces_the_first_whatever_its_shape(tmp_path, first, second):
    path = tmp_path / "train.spacy"
    write(path, rows(first), shard_rows=3)
    write(path, rows(second), shard_rows=3)
    assert len(list(Corpus(path)(spacy.blank("en")))) == second
    assert [file.name for file in tmp_path.iterdir()] == ["train.spacy"]


def test_one_shard_of_docs_is_in_memory_at_a_time(tmp_path):
    path, seen = tmp_path / "train.spacy", []

    def stream():
        for row in rows(10):
            seen.append(len(list((tmp_path / ".train.spacy.new").glob("*.spacy"))))
            yield row

    write(path, stream(), shard_rows=2)
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_new_words_do_not_stay_in_the_vocabulary(tmp_path):
    nlp = spacy.blank("en")
    before = len(nlp.vocab.strings)
    written = write_docs((StudentRow(str(i), f"word{i}x", ("sport",)) for i in range(50)), tmp_path / "t.spacy", nlp=nlp, labels=LABELS)
    assert written.rows == 50
    assert len(nlp.vocab.strings) - before < 10


def test_no_rows_make_an_empty_set(tmp_path):
    write(tmp_path / "dev.spacy", [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(Corpus(tmp_path / "dev.spacy")(spacy.blank("en"))) == []


def test_same_rows_give_the_same_bytes(tmp_path):
    for name in ("one.spacy", "two.spacy"):
        write(tmp_path / name, rows(20))
    assert (tmp_path / "one.spacy").read_bytes() == (tmp_path / "two.spacy").read_bytes()


def test_failure_midway_leaves_the_old_set(tmp_path):
    path = tmp_path / "train.spacy"
    write(path, rows(2))

    def broken():
        yield from rows(1)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write(path, broken())
    assert len(read(path)) == 2


def test_text_longer_than_a_student_reads_is_refused_by_id(tmp_path):
    nlp = spacy.blank("en")
    nlp.max_length = 10
    with pytest.raises(StudentError, match="row test:7 has 12 characters; a student reads at most 10"):
        write_docs([StudentRow("test:7", "x" * 12, ("sport",))], tmp_path / "test.spacy", nlp=nlp, labels=LABELS)


@pytest.mark.parametrize("number", [0, 1, 7])
def test_remove_takes_files_folders_and_nothing(tmp_path, number):
    path = tmp_path / "train.spacy"
    if number:
        write(path, rows(number), shard_rows=3)
    remove_docs(path)
    assert not path.exists()

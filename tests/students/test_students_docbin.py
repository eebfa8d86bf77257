"""Docs in spaCy's file format: what DocBin itself reads and writes."""

from __future__ import annotations

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.vocab import Vocab

from spacy_synthesizrr.students.docbin import pack, unpack


@pytest.fixture
def docs():
    nlp = spacy.blank("en")
    found = [nlp.make_doc(f"Text number {number}.") for number in range(3)]
    for number, doc in enumerate(found):
        doc.cats = {"a": float(number % 2), "b": 1.0 - number % 2}
        doc.user_data |= {"id": f"r{number}", "score": 0.25, "pair": (1, "x")}
    return found


def told(docs):
    return [(doc.text, doc.cats, dict(doc.user_data)) for doc in docs]


def usual(docs):
    return DocBin(attrs=[], store_user_data=True, docs=docs)


def test_bytes_are_those_of_docbin(docs):
    assert pack(docs).to_bytes() == usual(docs).to_bytes()


def test_docbin_reads_what_is_packed_here(docs, tmp_path):
    pack(docs).to_disk(tmp_path / "x.spacy")
    assert told(DocBin().from_disk(tmp_path / "x.spacy").get_docs(Vocab())) == told(docs)


def test_what_docbin_writes_is_unpacked(docs, tmp_path):
    usual(docs).to_disk(tmp_path / "x.spacy")
    assert told(unpack(tmp_path / "x.spacy", Vocab())) == told(docs)


def test_file_without_user_data_is_unpacked(docs, tmp_path):
    DocBin(attrs=[], docs=docs).to_disk(tmp_path / "x.spacy")
    assert [(text, cats) for text, cats, _ in told(unpack(tmp_path / "x.spacy", Vocab()))] == [(doc.text, doc.cats) for doc in docs]


def test_empty_file_has_no_docs(tmp_path):
    pack([]).to_disk(tmp_path / "x.spacy")
    assert list(unpack(tmp_path / "x.spacy", Vocab())) == []

import math

import numpy as np
import pytest
from tiny_onnx import write_model

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import embed_queries, load_embedder
from spacy_synthesizrr.embedders.brought import WAITING, BroughtVectors
from spacy_synthesizrr.embedders.fast import make_fast_embedder
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import InputError, StoreError

TEXTS = ["storm harbour", "ferry", "choir song keeper", "penalty storm", "song song ferry"]
PASSAGES = [Passage(f"id{number}", text) for number, text in enumerate(TEXTS)]


@pytest.fixture
def embedder(tmp_path):
    found = make_fast_embedder(folder=str(write_model(tmp_path / "model")))
    found.fit((), seed=0)
    return found


@pytest.fixture
def vectors(embedder):
    return embedder.embed(TEXTS) * 3


def brought(inner, tmp_path, rows=()):
    found = BroughtVectors(inner, corpus=tmp_path / "corpus.jsonl", column="vector", spool=tmp_path / ".vectors.part")
    for line, (passage, vector) in enumerate(rows, 1):
        found.add(passage, line, vector)
    return found


def pairs(vectors):
    return list(zip(PASSAGES, vectors.tolist(), strict=True))


def test_passages_get_the_vectors_that_were_brought_in_any_order(embedder, tmp_path, vectors):
    found = brought(embedder, tmp_path, pairs(vectors))
    found.fit((), seed=0)
    np.testing.assert_array_equal(found.embed_passages(PASSAGES[::-2]), vectors[::-2])
    np.testing.assert_array_equal(embed_queries(found, ["storm"]), embedder.embed(["storm"]))


def test_many_vectors_wait_on_disk(embedder, tmp_path):
    rows = np.random.default_rng(0).normal(size=(2 * WAITING + 5, 6)).astype(np.float32)
    many = [Passage(f"id{number}", "storm") for number in range(len(rows))]
    found = brought(embedder, tmp_path, zip(many, rows.tolist(), strict=True))
    assert len(found._waiting) == 5
    np.testing.assert_array_equal(found.embed_passages(many), rows)


def test_closing_leaves_no_file(embedder, tmp_path, vectors):
    found = brought(embedder, tmp_path, pairs(vectors))
    found.embed_passages(PASSAGES)
    found.close()
    assert not list(tmp_path.glob(".vectors*"))


def test_who_searches_needs_the_embedder_alone(embedder, tmp_path, vectors):
    found = brought(embedder, tmp_path, pairs(vectors))
    found.fit((), seed=0)
    found.save(tmp_path / "saved")
    assert load_embedder(tmp_path / "saved").id == found.id == embedder.id


def test_other_vectors_are_another_recipe(embedder, tmp_path, vectors):
    one, other = brought(embedder, tmp_path, pairs(vectors)), brought(embedder, tmp_path / "b", pairs(vectors + 1))
    assert one.recipe != other.recipe
    assert one.recipe.startswith(embedder.recipe)


@pytest.mark.parametrize("change", [lambda rows: rows[::-1], lambda rows: rows[:, :5]])
def test_an_embedder_that_did_not_make_them_is_refused(embedder, tmp_path, vectors, change):
    found = brought(embedder, tmp_path, pairs(change(vectors)))
    with pytest.raises(StoreError, match=r"did not make the vectors in the column 'vector' of .*corpus.jsonl.*0\.99 is needed.*the title"):
        found.fit((), seed=0)


def test_one_that_learns_from_a_corpus_is_refused(tmp_path, vectors):
    with pytest.raises(StoreError, match=r"learns from a corpus.*pretrained one in \[embedder\]"):
        brought(make_lsa_embedder(), tmp_path, pairs(vectors)).fit((), seed=0)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, r"corpus.jsonl:2: There is no vector in this row \(column 'vector'\)"),
        ([1.0] * 5, "corpus.jsonl:2: This vector has 5 numbers; those before it have 6"),
        ([1.0] * 5 + [math.nan], "corpus.jsonl:2: This vector holds NaN"),
        ([1.0] * 5 + [math.inf], "corpus.jsonl:2: This vector holds NaN, infinity"),
        ([1.0] * 5 + [1e300], "corpus.jsonl:2: .*too large for float32"),
        ([0.0] * 6, "corpus.jsonl:2: This vector is all zeros"),
        ("0.1 0.2", "corpus.jsonl:2: This is no vector: 0.1 0.2"),
        ([], r"corpus.jsonl:2: This is no vector: \[\]"),
        (["0.1"] * 6, "corpus.jsonl:2: This is no vector"),
        ([True] * 6, "corpus.jsonl:2: This is no vector"),
        ([[1.0] * 6], "corpus.jsonl:2: This is no vector"),
    ],
)
def test_what_is_no_vector_is_told_with_file_and_line(embedder, tmp_path, value, says):
    with pytest.raises(InputError, match=says):
        brought(embedder, tmp_path, [(PASSAGES[0], [1.0] * 6), (PASSAGES[1], value)])


def test_numbers_may_be_whole(embedder, tmp_path):
    found = brought(embedder, tmp_path, [(PASSAGES[0], [1, 2, 3, 4, 5, 6])])
    np.testing.assert_array_equal(found.embed_passages(PASSAGES[:1]), [[1, 2, 3, 4, 5, 6]])


def test_a_passage_that_brought_none_is_told(embedder, tmp_path, vectors):
    found = brought(embedder, tmp_path, pairs(vectors)[:2])
    with pytest.raises(StoreError, match="3 passages brought no vector, the first is id2"):
        found.embed_passages(PASSAGES)

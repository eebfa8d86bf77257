import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny_onnx import write_model

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders import cache
from spacy_synthesizrr.embedders.base import embed_queries, load_embedder
from spacy_synthesizrr.embedders.cache import PIECE, CachedEmbedder, can_be_kept
from spacy_synthesizrr.embedders.fast import make_fast_embedder
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.embedders.onnx import OnnxModel
from spacy_synthesizrr.errors import StoreError

WORDS = "storm harbour ferry choir song keeper penalty".split()


def passages(count, *, first=0):
    texts = [
        " ".join(WORDS[(number + place) % 7] for place in range(1 + number % 9)) + f" {number}" for number in range(first, first + count)
    ]
    return [Passage(f"id{number}", text) for number, text in enumerate(texts, first)]


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model")


@pytest.fixture
def asked(monkeypatch):
    """Texts that a model was asked for."""
    texts, embed = [], OnnxModel.embed

    def counting(self, some, batch):
        texts.extend(some)
        return embed(self, some, batch)

    monkeypatch.setattr(OnnxModel, "embed", counting)
    return texts


def cached(folder, tmp_path, **parameters):
    embedder = CachedEmbedder(make_fast_embedder(folder=str(folder), **parameters), tmp_path / "vectors")
    embedder.fit((), seed=0)
    return embedder


def test_a_text_is_embedded_once(model, tmp_path, asked):
    some = passages(300)
    first = cached(model, tmp_path).embed_passages(some)
    asked.clear()
    second = cached(model, tmp_path)
    np.testing.assert_array_equal(second.embed_passages(some), first)
    assert (second.embedded, second.reused) == (0, 300)
    assert not set(asked) & {passage.text for passage in some}


def test_only_what_is_new_is_embedded(model, tmp_path, asked):
    cached(model, tmp_path).embed_passages(passages(200))
    asked.clear()
    again = cached(model, tmp_path)
    again.embed_passages(passages(250))
    assert (again.embedded, again.reused) == (50, 200)
    assert {passage.text for passage in passages(50, first=200)} <= set(asked)


def test_vectors_are_those_of_the_embedder_to_the_last_bit(model, tmp_path):
    some = passages(PIECE + 20)
    plain = make_fast_embedder(folder=str(model), normalise=False)
    plain.fit((), seed=0)
    expected = plain.embed([passage.text for passage in some])
    for _ in range(2):
        found = cached(model, tmp_path, normalise=False).embed_passages(some)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)


def test_a_text_that_comes_twice_in_a_batch_is_embedded_once(model, tmp_path, asked):
    embedder = cached(model, tmp_path)
    asked.clear()
    found = embedder.embed_passages([Passage("a", "storm"), Passage("b", "ferry"), Passage("c", "storm")])
    assert asked.count("storm") == 1
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("change", [{"pooling": "cls"}, {"passage_prefix": "query : "}, {"max_tokens": 3}, {"normalise": False}])
def test_an_embedder_that_is_another_one_takes_nothing(model, tmp_path, change):
    cached(model, tmp_path).embed_passages(passages(9))
    other = cached(model, tmp_path, **change)
    other.embed_passages(passages(9))
    assert (other.embedded, other.reused) == (9, 0)
    assert len(list((tmp_path / "vectors").glob("*.sqlite"))) == 2


def test_another_model_in_the_same_place_takes_nothing(model, tmp_path):
    cached(model, tmp_path).embed_passages(passages(9))
    write_model(model, seed=1)
    other = cached(model, tmp_path)
    other.embed_passages(passages(9))
    assert other.reused == 0


def test_an_embedder_whose_id_does_not_say_that_it_changed_is_refused(model, tmp_path, monkeypatch):
    cached(model, tmp_path).embed_passages(passages(9))
    known = cached(model, tmp_path).inner.recipe
    write_model(model, seed=1)
    other = make_fast_embedder(folder=str(model))
    other.fit((), seed=0)
    other.recipe = known
    with pytest.raises(StoreError, match=r"of another model.*Delete it.*\[vector_cache\] path"):
        CachedEmbedder(other, tmp_path / "vectors").embed_passages(passages(1))


def test_a_space_more_is_another_text(model, tmp_path):
    embedder = cached(model, tmp_path)
    embedder.embed_passages([Passage("a", "storm")])
    embedder.embed_passages([Passage("a", "storm ")])
    assert (embedder.embedded, embedder.reused) == (2, 0)


def test_the_file_holds_no_text(model, tmp_path):
    embedder = cached(model, tmp_path)
    embedder.embed_passages([Passage("a", "harbour keeper penalty")])
    embedder.close()
    assert b"harbour" not in embedder.path.read_bytes()


def test_queries_and_other_texts_are_neither_kept_nor_looked_up(model, tmp_path):
    embedder = cached(model, tmp_path, query_prefix="query : ")
    np.testing.assert_array_equal(embed_queries(embedder, ["storm"]), embedder.inner.embed_queries(["storm"]))
    np.testing.assert_array_equal(embedder.embed(["storm"]), embedder.inner.embed(["storm"]))
    assert not (tmp_path / "vectors").exists()


def test_what_is_saved_knows_nothing_of_the_cache(model, tmp_path):
    embedder = cached(model, tmp_path)
    embedder.save(tmp_path / "saved")
    assert type(load_embedder(tmp_path / "saved")) is type(embedder.inner)


def test_a_loaded_one_keeps_its_cache(model, tmp_path):
    embedder = cached(model, tmp_path)
    embedder.embed_passages(passages(5))
    embedder.save(tmp_path / "saved")
    loaded = embedder.load(tmp_path / "saved")
    loaded.embed_passages(passages(6))
    assert (loaded.embedded, loaded.reused) == (6, 5)


def test_what_is_fitted_on_a_corpus_is_not_kept(model):
    assert can_be_kept(make_fast_embedder(folder=str(model)))
    assert not can_be_kept(make_lsa_embedder())


def test_texts_of_like_length_are_embedded_together(model, tmp_path, monkeypatch):
    pieces, embed = [], OnnxModel.embed
    monkeypatch.setattr(OnnxModel, "embed", lambda self, some, batch: pieces.append(list(map(len, some))) or embed(self, some, batch))
    embedder = cached(model, tmp_path)
    embedder.embed_passages(passages(3 * PIECE))
    pieces = [piece for piece in pieces if len(piece) > 9]  # without those that try the model
    assert [len(piece) for piece in pieces] == [PIECE] * 3
    assert sum(pieces, []) == sorted(sum(pieces, []))


@pytest.mark.parametrize(
    ("change", "says"),
    [(lambda found: found * np.nan, "holds NaN or infinity"), (lambda found: found[1:], r"gave vectors of shape \(8, 6\)")],
)
def test_what_is_no_vector_is_not_kept(model, tmp_path, monkeypatch, change, says):
    embed = OnnxModel.embed

    def wrong(self, some, batch):
        found = embed(self, some, batch)
        return change(found) if len(some) > 4 else found  # not those that try the model

    with monkeypatch.context() as patched:
        patched.setattr(OnnxModel, "embed", wrong)
        with pytest.raises(StoreError, match=says):
            cached(model, tmp_path, normalise=False).embed_passages(passages(9))
    again = cached(model, tmp_path, normalise=False)
    again.embed_passages(passages(9))
    assert again.embedded == 9


def test_nothing_to_embed_is_nothing(model, tmp_path):
    assert cached(model, tmp_path).embed_passages([]).shape == (0, 6)


def test_several_processes_share_a_file(model, tmp_path):
    code = f"""
        import sys
        sys.path[:0] = {[os.path.dirname(__file__)]!r}
        from pathlib import Path
        from test_embedders_cache import cached, passages
        for start in (0, 100, 200):
            cached(Path({str(model)!r}), Path({str(tmp_path)!r})).embed_passages(passages(150, first=start))
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(lambda _: subprocess.run(command, capture_output=True, text=True), range(3)))
    assert [done.returncode for done in ended] == [0] * 3, ended[0].stderr
    again = cached(model, tmp_path)
    again.embed_passages(passages(350))
    assert (again.embedded, again.reused) == (0, 350)


def test_a_killed_process_loses_one_piece_at_most(model, tmp_path):
    code = f"""
        import os, signal, sys
        sys.path[:0] = {[os.path.dirname(__file__)]!r}
        from pathlib import Path
        from spacy_synthesizrr.embedders.onnx import OnnxModel
        from test_embedders_cache import cached, passages
        embed, calls = OnnxModel.embed, []
        def dying(self, some, batch):
            found = embed(self, some, batch)
            calls.append(len(some))
            if len([size for size in calls if size > 9]) == 4:
                os.kill(os.getpid(), signal.SIGKILL)
            return found
        OnnxModel.embed = dying
        cached(Path({str(model)!r}), Path({str(tmp_path)!r})).embed_passages(passages({6 * PIECE}))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    again = cached(model, tmp_path)
    again.embed_passages(passages(6 * PIECE))
    assert (again.embedded, again.reused) == (3 * PIECE, 3 * PIECE)  # four were embedded before the kill, three of them kept


@pytest.mark.parametrize("damage", ["cut", "foreign", "version"])
def test_a_file_that_cannot_be_read_says_what_to_do(model, tmp_path, damage):
    embedder = cached(model, tmp_path)
    embedder.embed_passages(passages(200))
    embedder.close()
    if damage == "cut":
        embedder.path.write_bytes(embedder.path.read_bytes()[:9000])
    elif damage == "foreign":
        embedder.path.write_bytes(b"no database at all" * 99)
    else:
        with sqlite3.connect(embedder.path) as file:
            file.execute("PRAGMA user_version = 7")
        file.close()
    with pytest.raises(StoreError, match=r"\.sqlite .*Delete it \(nothing else is lost"):
        cached(model, tmp_path).embed_passages(passages(200))


def test_a_folder_that_cannot_be_made_says_what_to_do(model, tmp_path):
    (tmp_path / "vectors").write_text("a file")
    with pytest.raises(StoreError, match="enabled = false"):
        cached(model, tmp_path).embed_passages(passages(1))


def test_a_key_is_wide_and_of_one_embedder(model, tmp_path):
    one, other = cached(model, tmp_path), cached(model, tmp_path, pooling="cls")
    assert len(one._key("storm")) == 20
    assert one._key("storm") != other._key("storm")
    assert one._key("storm") == hashlib.blake2b(cache.digest("vector", one.id).encode() + b"storm", digest_size=20).digest()

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.curation import ngrams
from spacy_synthesizrr.curation.ngrams import combine, ngram_hashes, word_hashes


@pytest.mark.parametrize(("n", "count"), [(1, 5), (2, 4), (5, 1), (6, 0)])
def test_there_is_a_hash_for_each_run_of_words(n, count):
    hashes = ngram_hashes("a b c d e", n)
    assert hashes.shape == (count,) and hashes.dtype == np.uint64


def test_order_of_words_matters():
    assert ngram_hashes("dog bites man", 3) != ngram_hashes("man bites dog", 3)


def test_a_run_has_the_same_hash_wherever_it_stands():
    assert ngram_hashes("x y one two three", 3)[2] == ngram_hashes("one two three", 3)[0]


@given(st.lists(st.sampled_from("abcd"), min_size=3, max_size=40))
def test_equal_hashes_mean_equal_runs(tokens):
    hashes = ngram_hashes(" ".join(tokens), 3)
    runs = [tuple(tokens[place : place + 3]) for place in range(len(tokens) - 2)]
    assert len(set(hashes.tolist())) == len(set(runs))


def test_hashes_are_the_same_in_every_process():
    code = "from spacy_synthesizrr.curation.ngrams import ngram_hashes; print(ngram_hashes('one two three', 2).tolist())"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {(str(ngram_hashes("one two three", 2).tolist()) + "\n").encode()}


def test_memory_for_words_is_bounded(monkeypatch):
    monkeypatch.setattr(ngrams, "_WORDS_REMEMBERED", 10)
    expected = word_hashes(["w1"]).tolist()
    word_hashes([f"w{number}" for number in range(1000)])
    assert len(ngrams._HASHES) <= 10
    assert word_hashes(["w1"]).tolist() == expected


def test_combining_nothing_gives_nothing():
    assert combine(word_hashes([]), 2).size == 0

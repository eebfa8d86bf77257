"""Novelty against a corpus."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.metrics import novelty as module
from spacy_synthesizrr.metrics.novelty import novelties, novelty

TEXTS = st.lists(st.lists(st.sampled_from("a b c d e".split()), max_size=6).map(" ".join), max_size=5)


def test_what_stands_in_the_corpus_is_not_new():
    assert novelty(["the cat sat"], ["On the mat THE CAT, sat."], [1, 2, 3]) == {1: 0.0, 2: 0.0, 3: 0.0}
    assert novelty(["the cat sat down"], ["the cat", "cat sat"], [1, 2]) == {1: 0.25, 2: pytest.approx(1 / 3)}


def test_ngrams_of_two_passages_do_not_join():
    assert novelty(["cat sat"], ["the cat", "sat down"], [2]) == {2: 1.0}


def test_texts_too_short_for_an_ngram_have_no_value():
    assert novelty(["one two"], ["x"], [3]) == {3: None}
    assert novelty([], ["x"], [1]) == {1: None}


def test_everything_is_new_without_a_corpus():
    assert novelty(["one two"], [], [1, 2]) == {1: 1.0, 2: 1.0}


@given(TEXTS, TEXTS, st.integers(1, 3), st.sampled_from([1, 2, 512]))
def test_value_is_the_share_of_occurrences_that_the_corpus_lacks(texts, corpus, n, together):
    def grams(text):
        return [tuple(text.split()[place : place + n]) for place in range(len(text.split()) - n + 1)]

    known = {gram for text in corpus for gram in grams(text)}
    counts = Counter(gram in known for text in texts for gram in grams(text))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TOGETHER", together)
        found = novelties({"one": texts, "other": ["z z z"]}, corpus, [n])
    assert found["one"][n] == (pytest.approx(counts[False] / counts.total()) if counts else None)
    assert found["other"][n] == 1.0

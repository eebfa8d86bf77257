"""Gaps in words and in lengths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from spacy_synthesizrr.metrics.gaps import length_gap, vocabulary_gap

LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=20)


def texts(lengths):
    return [" ".join(["w"] * length) for length in lengths]


def test_equal_texts_have_no_gap():
    found = vocabulary_gap(["a b", "c"], ["c a b"])
    assert (found["divergence"], found["known"], found["strange"], found["more"], found["less"]) == (0.0, 1.0, 0.0, [], [])


def test_texts_without_a_common_word_are_one_bit_apart():
    found = vocabulary_gap(["a b"], ["c d e"])
    assert (found["divergence"], found["known"], found["strange"]) == (pytest.approx(1.0), 0.0, 1.0)


def test_each_occurrence_counts():
    found = vocabulary_gap(["a a a b"], ["A, c"])
    assert (found["known"], found["strange"]) == (0.75, 0.5)


def test_words_used_too_often_and_too_rarely_are_named():
    found = vocabulary_gap(["the cat sat", "the dog ran"] * 20, ["the cat delves", "the dog delves"] * 20)
    assert found["more"][0]["word"] == "delves" and found["more"][0]["z"] > 2
    assert {one["word"] for one in found["less"]} == {"sat", "ran"}


def test_empty_sets_have_no_gap():
    assert vocabulary_gap([], ["a"])["divergence"] is None
    assert length_gap(["a"], []) == {"gold": None, "mean": None, "ratio": None, "distance": None}


def test_lengths_are_compared_in_words():
    assert length_gap(texts([2, 4]), texts([6, 6])) == {"gold": 3.0, "mean": 6.0, "ratio": 2.0, "distance": 3.0}


@given(LENGTHS, LENGTHS)
def test_distance_of_lengths_is_that_of_scipy(one, other):
    assert length_gap(texts(one), texts(other))["distance"] == pytest.approx(wasserstein_distance(one, other))

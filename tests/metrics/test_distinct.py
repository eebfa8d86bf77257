"""Distinct-n."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.metrics.distinct import distinct

TEXTS = st.lists(st.lists(st.sampled_from("a b c d e".split()), min_size=1, max_size=8).map(" ".join), min_size=1, max_size=12)


def test_distinct_is_different_ngrams_over_all():
    texts = ["the cat sat", "The cat, slept"]
    assert distinct(texts, 1) == 4 / 6
    assert distinct(texts, 2) == 3 / 4
    assert distinct(texts, 3) == 1.0


def test_ngrams_do_not_reach_across_texts():
    assert distinct(["a b", "c d", "b c"], 2) == 1.0
    assert distinct(["a", "b"], 2) is None


def test_texts_with_too_few_words_count_for_nothing():
    assert distinct(["a b c", "a b"], 3) == 1.0


def test_no_texts_have_no_value():
    assert distinct([], 1) is None


def test_ngram_below_one_is_refused():
    with pytest.raises(ValueError, match=r"n ≥ 1 \(was: 0\)"):
        distinct(["a"], 0)


@given(TEXTS, st.integers(1, 3))
def test_value_lies_above_nothing_and_not_above_one(texts, n):
    value = distinct(texts, n)
    assert value is None or 0 < value <= 1


@given(TEXTS, st.integers(1, 3), st.integers(2, 5))
def test_repeating_the_texts_divides_the_value(texts, n, times):
    value = distinct(texts, n)
    assert distinct(texts * times, n) == (None if value is None else pytest.approx(value / times))


@given(TEXTS, st.randoms(use_true_random=False))
def test_order_of_texts_does_not_count(texts, chance):
    shuffled = list(texts)
    chance.shuffle(shuffled)
    assert distinct(shuffled, 2) == distinct(texts, 2)

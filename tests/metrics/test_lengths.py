"""Lengths of texts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.metrics.lengths import lengths, lengths_by_label

NUMBERS = st.lists(st.integers(0, 300), min_size=2, max_size=50)


def test_lengths_count_words_and_characters():
    found = lengths(["one two", "drei", "a b c"])
    assert (found["words"]["mean"], found["words"]["median"], found["words"]["sd"]) == (2.0, 2.0, 1.0)
    assert (found["chars"]["min"], found["chars"]["max"], found["chars"]["n"]) == (4, 7, 3)


def test_lengths_per_label():
    found = lengths_by_label([("sport", "a b"), ("science", "a"), ("sport", "a b c d")])
    assert list(found) == ["science", "sport"]
    assert (found["sport"]["words"]["mean"], found["science"]["words"]["n"]) == (3.0, 1)


def test_no_texts_have_no_lengths():
    assert lengths([]) == {"words": {"n": 0}, "chars": {"n": 0}}


def test_one_text_has_no_spread():
    found = lengths(["seven c"])["chars"]
    assert (found["mean"], found["sd"], found["median"], found["p95"]) == (7.0, None, 7.0, 7.0)


@given(NUMBERS)
def test_spread_is_what_numpy_says(values):
    found = lengths("x" * value for value in values)["chars"]
    expected = [np.mean(values), np.std(values, ddof=1), *np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])]
    assert [found[name] for name in ("mean", "sd", "p5", "p25", "median", "p75", "p95")] == pytest.approx(expected)


@given(NUMBERS, st.randoms(use_true_random=False))
def test_order_does_not_count(values, chance):
    shuffled = list(values)
    chance.shuffle(shuffled)
    assert lengths("x" * value for value in shuffled) == lengths("x" * value for value in values)

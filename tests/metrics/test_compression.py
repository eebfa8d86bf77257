"""Compression ratio."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.metrics.compression import compression_ratio

TEXTS = st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=10)


@given(TEXTS)
def test_ratio_is_that_of_gzip_over_the_joined_texts(texts):
    joined = " ".join(texts).encode("utf-8", errors="surrogatepass")
    assert compression_ratio(texts) == pytest.approx(len(joined) / len(gzip.compress(joined, 9, mtime=0)), rel=0.02)


@given(TEXTS)
def test_repeating_the_texts_raises_the_ratio(texts):
    once, often = compression_ratio(texts), compression_ratio(texts * 20)
    assert once is not None and often is not None and often > once


def test_repeated_text_compresses_better_than_different_ones():
    same = compression_ratio(["The harbour board met on Tuesday."] * 4)
    other = compression_ratio(
        ["The harbour board met.", "A comet was seen at dawn.", "Prices of wool fell again.", "Our goalkeeper retires."]
    )
    assert same is not None and other is not None and same > 1.5 * other


@pytest.mark.parametrize("texts", [[], [""]])
def test_nothing_has_no_ratio(texts):
    assert compression_ratio(texts) is None


def test_texts_are_taken_one_at_a_time():
    taken = []
    compression_ratio(taken.append(number) or f"text {number}" for number in range(3))
    assert taken == [0, 1, 2]

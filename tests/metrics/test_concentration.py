"""Rows per source."""

import pytest

from spacy_synthesizrr.metrics.concentration import concentration


def test_rows_of_each_source_are_counted():
    found = concentration(["a", "a", "a", "b"])
    assert found == {"n": 4, "different": 2, "mean": 2.0, "most": 3, "most_share": 0.75, "effective": pytest.approx(1.6)}


def test_even_sources_all_count():
    assert concentration("abcd")["effective"] == 4.0


def test_no_rows_have_no_mean():
    assert concentration([]) == {"n": 0, "different": 0, "mean": None, "most": None, "most_share": None, "effective": None}

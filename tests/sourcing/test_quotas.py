import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.sourcing.quotas import over_quota, uses_before


def test_uses_are_counted_from_the_front():
    assert uses_before(np.array([5, 3, 5, 5, 3])).tolist() == [0, 0, 1, 2, 1]


def test_empty_array_has_no_uses():
    assert uses_before(np.array([], dtype=int)).tolist() == []


def test_first_served_rows_keep_their_place():
    assert over_quota(np.array([1, 1, 1]), np.array([2, 0, 1]), 2).tolist() == [False, True, False]


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(1, 4), st.randoms())
def test_exactly_the_quota_is_left_of_every_value(values, quota, rng):
    order = list(range(len(values)))
    rng.shuffle(order)
    kept = [
        v for v, over in zip(values, over_quota(np.array(values, dtype=int), np.array(order, dtype=int), quota), strict=True) if not over
    ]
    assert {v: kept.count(v) for v in set(values)} == {v: min(quota, values.count(v)) for v in set(values)}

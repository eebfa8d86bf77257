"""Seeded samples."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.metrics.samples import draw


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 5))
def test_sample_has_its_size_keeps_the_order_and_repeats(total, size, seed):
    drawn = draw(range(total), size, seed=seed)
    assert drawn == sorted(set(drawn)) == draw(iter(range(total)), size, seed=seed)
    assert len(drawn) == min(total, size) and set(drawn) <= set(range(total))


def test_other_seeds_draw_other_items():
    assert len({tuple(draw(range(100), 5, seed=seed)) for seed in range(10)}) == 10


def test_every_item_has_the_same_chance():
    drawn = Counter(item for seed in range(2000) for item in draw(range(10), 3, seed=seed))
    assert all(500 < drawn[item] < 700 for item in range(10))

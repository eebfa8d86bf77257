"""What vectors say about sets of texts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.metrics import similarity
from spacy_synthesizrr.metrics.similarity import coverage, mean_cosines, nearest, neighbours, spread

NUMBERS = st.integers(0, 2**31)


def vectors(number, *, seed, dimensions=5):
    return unit_rows(np.random.default_rng(seed).normal(size=(number, dimensions)))


@given(NUMBERS, st.booleans())
def test_mean_cosines_are_means_over_all_pairs(seed, self_pairs):
    own = {"a": vectors(4, seed=seed), "b": vectors(3, seed=seed + 1)}
    found = mean_cosines(own, self_pairs=self_pairs)
    inside = [float(x @ y) for i, x in enumerate(own["a"]) for j, y in enumerate(own["a"]) if self_pairs or i != j]
    across = [float(x @ y) for x in own["a"] for y in own["b"]]
    assert found[0][0] == pytest.approx(np.mean(inside), abs=1e-5)
    assert found[0][1] == found[1][0] == pytest.approx(np.mean(across), abs=1e-5)


def test_one_text_has_no_pair_with_itself():
    assert mean_cosines({"a": vectors(1, seed=0)}) == [[None]]
    assert mean_cosines({"a": vectors(1, seed=0)}, self_pairs=True)[0][0] == pytest.approx(1.0)
    assert spread(vectors(1, seed=0)) is None


def test_texts_that_are_all_alike_have_no_spread():
    assert spread(np.repeat(vectors(1, seed=0), 5, axis=0)) == pytest.approx(0.0, abs=1e-6)
    assert spread(np.eye(4, dtype=np.float32)) == pytest.approx(1.0)


@given(NUMBERS, st.sampled_from([1, 2, 1024]))
def test_nearest_is_the_smallest_distance_to_another_whatever_the_blocks(seed, block):
    own, others = vectors(6, seed=seed), vectors(4, seed=seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity, "BLOCK", block)
        inside, across = nearest(own), nearest(own, others)
    assert inside == pytest.approx([min(1 - float(x @ y) for j, y in enumerate(own) if j != i) for i, x in enumerate(own)], abs=1e-5)
    assert across == pytest.approx([min(1 - float(x @ y) for y in others) for x in own], abs=1e-5)


def test_neighbours_of_a_single_text_are_none():
    assert neighbours(vectors(1, seed=0)) == {"mean": None, "median": None, "n": 1}
    with pytest.raises(ValueError, match="nothing to be near to"):
        nearest(vectors(2, seed=0), vectors(0, seed=0).reshape(0, 5))


def test_gold_is_covered_by_itself_and_one_row_covers_little():
    gold = vectors(200, seed=1, dimensions=8)
    assert coverage(gold, gold)["value"] == 1.0
    other, one = coverage(gold, vectors(200, seed=2, dimensions=8)), coverage(gold, np.repeat(gold[:1], 200, axis=0))
    assert 0.4 < other["value"] < 0.6
    assert one["value"] < 0.1
    assert (other["gold"], other["n"]) == (200, 200)


def test_coverage_without_rows_has_no_value():
    assert coverage(vectors(3, seed=0), vectors(0, seed=0).reshape(0, 5))["value"] is None
    assert coverage(vectors(1, seed=0), vectors(3, seed=0))["value"] is None

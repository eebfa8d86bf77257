import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argilla_bridge.measures.intervals import bootstrap, bootstraps, difference, ratio, score_interval, wilson


@pytest.mark.parametrize(("successes", "n", "low", "high"), [
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718),
])  # fmt: skip
def test_wilson_of_newcombes_table(successes, n, low, high):
    found = wilson(successes, n)
    assert (found["low"], found["high"]) == (pytest.approx(low, abs=0.0001), pytest.approx(high, abs=0.0001))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval(both):
    found = wilson(*both)
    assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
    assert found["low"] < found["high"]


def test_no_rows_have_no_share():
    assert wilson(0, 0) == {"value": None, "low": None, "high": None, "n": 0}


@pytest.mark.parametrize(("one", "other", "low", "high"), [
    # Newcombe, Statistics in Medicine 17 (1998), table II, method 10
    ((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926), ((0, 10), (0, 20), -0.1611, 0.2775), ((10, 10), (0, 20), 0.6791, 1.0),
])  # fmt: skip
def test_differences_of_newcombes_table(one, other, low, high):
    found = difference(score_interval(*one), score_interval(*other))
    assert found[1:] == (pytest.approx(low, abs=0.0001), pytest.approx(high, abs=0.0001))


COUNTS = st.integers(2, 300).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n)))


@given(COUNTS, COUNTS)
def test_a_ratio_turned_over_has_the_interval_turned_over(one, other):
    there, back = ratio(score_interval(*one), score_interval(*other)), ratio(score_interval(*other), score_interval(*one))
    assert there[1] <= there[0] <= there[2] and there[1] < there[2]
    assert (there[1] * back[2], there[2] * back[1]) == (pytest.approx(1), pytest.approx(1))


def test_the_ratio_of_nothing_to_something_is_small():
    value, low, high = ratio(score_interval(0, 30), score_interval(20, 40))
    assert (value, low) == (0.0, 0.0) and 0 < high < 0.5


def mean(values):
    return lambda drawn: drawn @ np.array(values) / drawn.sum(axis=-1)


def test_the_bootstrap_of_a_mean_is_that_of_the_normal():
    """Standard error of 400 draws of 0 and 1 with share 0.3: 0.0229."""
    found = bootstrap(np.array([280.0, 120.0]), mean([0.0, 1.0]), seed=0)
    assert found["value"] == 0.3
    assert (found["high"] - found["low"]) / 2 / 1.96 == pytest.approx(0.0229, abs=0.0015)


def test_the_bootstrap_is_the_same_for_the_same_seed():
    rows = np.array([28.0, 12.0, 3.0])
    assert bootstrap(rows, mean([0.0, 1.0, 5.0]), seed=1) == bootstrap(rows, mean([0.0, 1.0, 5.0]), seed=1)
    assert bootstrap(rows, mean([0.0, 1.0, 5.0]), seed=1) != bootstrap(rows, mean([0.0, 1.0, 5.0]), seed=2)


def test_blocks_do_not_change_the_draws(monkeypatch):
    import argilla_bridge.measures.intervals as intervals

    rows = np.array([28.0, 12.0, 3.0])
    whole = bootstrap(rows, mean([0.0, 1.0, 5.0]), seed=1)
    monkeypatch.setattr(intervals, "CELLS", 100)
    assert bootstrap(rows, mean([0.0, 1.0, 5.0]), seed=1) == whole


def test_what_has_no_value_has_no_interval():
    found = bootstrap(np.array([5.0]), lambda drawn: np.full(len(drawn), np.nan), seed=0)
    assert found == {"value": None, "low": None, "high": None, "n": 5}


def test_what_lacks_a_value_on_some_resamples_has_no_interval():
    """Where a rare answer is drawn none of, an interval of the other resamples would be that of the lucky ones."""
    rows, share = np.array([50.0, 2.0]), lambda drawn: np.where(drawn[:, 1] > 0, drawn[:, 1], np.nan)
    found = bootstrap(rows, share, seed=0)
    assert (found["value"], found["low"], found["high"]) == (2.0, None, None)


def test_several_measures_share_the_resamples():
    rows, one, other = np.array([28.0, 12.0, 3.0]), mean([0.0, 1.0, 5.0]), mean([1.0, 0.0, 0.0])
    both = bootstraps(rows, lambda drawn: np.stack([one(drawn), other(drawn)], axis=1), seed=1)
    assert both == [bootstrap(rows, one, seed=1), bootstrap(rows, other, seed=1)]

"""Which rows stay by one number each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.curation.keeping import Keep
from spacy_synthesizrr.errors import ConfigError

VALUES, KEYS = np.array([0.1, 0.2, 0.3, 0.9, 0.8, 0.7]), ["a", "a", "a", "b", "b", "b"]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (Keep(), [True] * 6),
        (Keep(share=0.5), [False, True, True, True, True, False]),
        (Keep(share=0.5, per_label=False), [False, False, False, True, True, True]),
        (Keep(share=0.5, end="bottom"), [True, True, False, False, True, True]),
        (Keep(low=0.2, high=0.8), [False, True, True, False, True, True]),
        (Keep(share=0.5, low=0.25), [False, False, True, True, True, False]),
    ],
)
def test_rules(rule, kept):
    assert rule.kept(VALUES, KEYS).tolist() == kept


@pytest.mark.parametrize(("rows", "kept"), [(1, 1), (2, 2), (3, 2), (4, 3), (7, 6), (100, 83)])
def test_small_groups_keep_what_is_nearest_to_the_share(rows, kept):
    assert Keep(share=0.83).kept(np.arange(rows) / 100, ["a"] * rows).sum() == kept


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_share_keeps_at_least_that_share_and_never_a_row_below_one_that_goes(values, share):
    array = np.array(values)
    kept = Keep(share=share).kept(array, ["x"] * len(values))
    assert kept.sum() >= np.floor(share * len(values))
    assert kept.all() or array[kept].min() > array[~kept].max()


@pytest.mark.parametrize(
    ("rule", "message"),
    [(Keep(share=0.0), "share must lie above 0"), (Keep(end="topp"), "Did you mean 'top'"), (Keep(low=0.6, high=0.5), "no row would stay")],
)
def test_rules_that_are_none(rule, message):
    with pytest.raises(ConfigError, match=message):
        rule.check("Cartography")

"""One threshold per label, for the highest F1."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.students.quality.thresholds import best_threshold, tune

pairs = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=25).filter(lambda rows: any(has for _, has in rows))


def f1(scores, has, threshold):
    given_to = scores >= threshold
    return 2 * (given_to & has).sum() / (given_to.sum() + has.sum())


def split(rows):
    return np.array([score for score, _ in rows]), np.array([has for _, has in rows])


@given(pairs)
def test_no_threshold_gives_a_higher_f1(rows):
    scores, has = split(rows)
    best = f1(scores, has, best_threshold(scores, has))
    assert best >= max(f1(scores, has, score) for score in (*scores, 0.5, 0.0)) - 1e-12


@given(pairs)
def test_a_threshold_is_a_score(rows):
    assert 0.0 <= best_threshold(*split(rows)) <= 1.0


@given(pairs)
def test_half_stays_where_nothing_is_better(rows):
    scores, has = split(rows)
    chosen = best_threshold(scores, has)
    assert chosen == 0.5 or f1(scores, has, chosen) > f1(scores, has, 0.5)


def test_a_threshold_lies_between_the_rows_that_it_parts():
    assert best_threshold(np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, False, True, True])) == 0.25


def test_a_label_without_a_row_keeps_half_and_says_so():
    found = tune(np.array([[0.3, 0.2], [0.1, 0.1]]), np.array([[1, 0], [0, 0]]), ["seen", "unseen"])
    assert found.values == {"seen": 0.2, "unseen": 0.5}
    assert found.notes == ("'unseen' keeps the threshold 0.5: no dev row has this label.",)

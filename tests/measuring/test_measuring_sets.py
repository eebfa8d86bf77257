"""Sizes at which sets are compared, and gold in halves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import label_key
from spacy_synthesizrr.measuring.sets import beside, by_label, comparable_sizes, mean_words, split_gold

ROWS = st.lists(st.tuples(st.sampled_from([("a",), ("b",), ("a", "b")]), st.text("xy ", max_size=4)), max_size=30)


def test_a_small_set_does_not_keep_the_large_ones_from_being_compared():
    assert comparable_sizes({"main": 200, "random": 190, "seeds": 48, "dev": 112}, most=10_000) == [48, 112, 190]


def test_sizes_that_nearly_agree_are_one():
    assert comparable_sizes({"main": 105, "random": 100}, most=1000) == [100]


def test_a_size_that_only_main_or_only_gold_has_compares_nothing():
    assert comparable_sizes({"main": 500, "dev": 10}, most=1000) == [10]
    assert comparable_sizes({"main": 10, "dev": 50, "train": 500}, most=1000) == [10]


def test_no_more_rows_are_compared_than_are_looked_at():
    assert comparable_sizes({"main": 50_000, "train": 90_000}, most=10_000) == [10_000]


def test_empty_sets_count_for_nothing():
    assert comparable_sizes({"main": 0, "dev": 7}, most=100) == [7]
    assert comparable_sizes({"main": 0}, most=100) == []


@pytest.mark.parametrize(("counts", "n", "left_out"), [
    ({"main": 200, "gold": 100, "random": 3}, 100, {"random": 3}),
    ({"main": 200, "gold": 100, "random": 90}, 90, {}),
    ({"main": 200, "gold": 8, "random": 9}, 8, {}),
    ({"main": 0, "gold": 100, "random": 60}, 100, {"random": 60}),
    ({"random": 60, "fewgen": 50}, 50, {}),
    ({"main": 0}, 0, {}),
])  # fmt: skip
def test_sets_that_are_too_small_stay_out_and_are_named(counts, n, left_out):
    found = beside(counts, needed=("main", "gold"))
    assert (found.n, found.left_out) == (n, left_out)
    assert set(found.names) | set(found.left_out) == {name for name, count in counts.items() if count}


def test_nobody_takes_the_others_below_what_is_needed():
    assert beside({"main": 40, "gold": 35, "random": 27}, needed=("main", "gold"), least=30).left_out == {"random": 27}
    assert beside({"main": 40, "gold": 35, "random": 27}, needed=("main", "gold")).n == 27


@given(ROWS, st.integers(0, 5))
def test_halves_of_gold_hold_every_row_once_and_are_alike(rows, seed):
    gold = split_gold("dev", rows, seed=seed)
    assert sorted(gold.rows) == sorted(rows)
    assert abs(len(gold.first) - len(gold.second)) <= 1
    for key in {label_key(labels) for labels, _ in rows}:
        counts = [sum(label_key(labels) == key for labels, _ in half) for half in (gold.first, gold.second)]
        assert abs(counts[0] - counts[1]) <= 1


def test_texts_by_label_stand_under_the_whole_label_set():
    assert by_label([(("b",), "1"), (("a", "b"), "2"), (("b",), "3")]) == {"a + b": ["2"], "b": ["1", "3"]}


def test_mean_length_is_in_words():
    assert mean_words(["a b", "c d e f"]) == 3.0
    assert mean_words([]) is None

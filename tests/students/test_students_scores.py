"""Scores from label sets alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.students.scores import confusion, count_label, macro_f, main_score, majority, mean_per_label, per_label, said, spread

LABELS = ("a", "b", "c")
one_label = st.sampled_from(LABELS).map(lambda label: (label,))
label_sets = st.lists(st.sampled_from(LABELS), unique=True).map(lambda labels: tuple(sorted(labels)))


def pairs(sets):
    return st.lists(st.tuples(sets, sets), min_size=1)


@given(pairs(one_label))
def test_main_score_is_accuracy_when_each_row_has_one_label(rows):
    gold, predicted = zip(*rows, strict=True)
    assert main_score(gold, predicted, LABELS) == pytest.approx(sum(x == y for x, y in rows) / len(rows))


@given(pairs(label_sets))
def test_perfect_answers_score_one_or_have_nothing_to_find(rows):
    gold = [has for has, _ in rows]
    assert main_score(gold, gold, LABELS) == (1.0 if any(gold) else 0.0)


@given(pairs(label_sets))
def test_confusion_counts_every_row_once(rows):
    gold, predicted = zip(*rows, strict=True)
    cells = confusion(gold, predicted, range(1, len(rows) + 1))
    assert sum(cell["count"] for cell in cells) == len(rows)
    assert sorted(number for cell in cells for number in cell["rows"]) == list(range(1, len(rows) + 1))[: len(rows)]


def test_scores_match_a_case_worked_by_hand():
    gold = [("a",), ("a",), ("b",), ("a", "b")]
    predicted = [("a",), ("b",), ("b",), ("a",)]
    a, b = count_label(gold, predicted, "a"), count_label(gold, predicted, "b")
    assert (a.precision, a.recall, a.f) == (1.0, pytest.approx(2 / 3), pytest.approx(0.8))
    assert (b.precision, b.recall, b.f) == (0.5, 0.5, 0.5)
    assert main_score(gold, predicted, ("a", "b")) == pytest.approx(2 * 3 / (2 * 3 + 1 + 2))
    assert macro_f(gold, predicted, ("a", "b")) == pytest.approx(0.65)


def test_label_without_rows_scores_zero_instead_of_failing():
    assert per_label([("a",)], [("a",)], LABELS)["c"] == {"p": 0.0, "r": 0.0, "f": 0.0, "rows": 0}


def test_confusion_keeps_the_first_fifty_row_numbers_of_a_cell():
    (cell,) = confusion([("a",)] * 60, [()] * 60, range(2, 62))
    assert cell == {"gold": "a", "predicted": "(none)", "count": 60, "rows": list(range(2, 52))}


def test_majority_is_what_a_constant_answer_gets():
    assert majority([("b",), ("a",), ("b",), ("b",)], LABELS, exclusive=True) == {"label": "b", "score": 0.75}


def test_exclusive_majority_is_one_label_even_where_all_would_score_more():
    assert majority([("a",), ("b",), ("c",)], LABELS, exclusive=True) == {"label": "a", "score": pytest.approx(1 / 3)}


def test_rows_without_a_label_do_not_make_a_baseline_of_nothing():
    assert majority([(), (), ("a",)], LABELS, exclusive=False) == {"label": "a", "score": 0.5}


@given(st.lists(label_sets, min_size=1))
def test_no_constant_answer_beats_the_multi_label_majority(gold):
    sets = [tuple(label for number, label in enumerate(LABELS) if place >> number & 1) for place in range(1, 8)]
    found = majority(gold, LABELS, exclusive=False)
    assert found["score"] == pytest.approx(max(main_score(gold, [answer] * len(gold), LABELS) for answer in sets))
    assert found["label"] != "(none)"


def test_per_label_means_run_over_training_seeds():
    runs = [per_label([("a",)], [("a",)], ("a",)), per_label([("a",)], [()], ("a",))]
    assert mean_per_label(runs) == {"a": {"p": 0.5, "r": 0.5, "f": 0.5, "rows": 1}}


def test_spread_is_the_sample_standard_deviation():
    assert spread([0.7, 0.8, 0.9]) == {"mean": pytest.approx(0.8), "sd": pytest.approx(0.1)}


def test_spread_of_one_seed_has_no_deviation():
    assert spread([0.7]) == {"mean": 0.7, "sd": None}


def test_spread_of_nothing_is_nothing():
    assert spread([]) is None


def test_spread_is_said_in_percent():
    assert [said(spread(scores)) for scores in ([0.8, 0.9], [0.5], [])] == ["85.0 ± 7.1", "50.0", "–"]

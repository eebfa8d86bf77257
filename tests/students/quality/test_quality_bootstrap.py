"""Intervals of scores over test rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.students.quality import bootstrap
from spacy_synthesizrr.students.quality.bootstrap import Paired, difference, interval
from spacy_synthesizrr.students.scores import macro_f, main_score

LABELS = ("a", "b", "c")
one_label = st.sampled_from(LABELS).map(lambda label: (label,))
label_sets = st.lists(st.sampled_from(LABELS), unique=True).map(lambda labels: tuple(sorted(labels)))
metrics = st.sampled_from(["micro_f", "macro_f"])


def tables(sets):
    return st.lists(st.tuples(sets, sets, sets), min_size=1, max_size=20)


@given(tables(one_label) | tables(label_sets), metrics)
def test_the_interval_holds_the_score_and_the_score_is_the_mean_over_students(rows, metric):
    gold, first, second = (list(column) for column in zip(*rows, strict=True))
    found = interval(gold, [first, second], LABELS, metric=metric, resamples=50)
    score = {"micro_f": main_score, "macro_f": macro_f}[metric]
    assert found.value == pytest.approx((score(gold, first, LABELS) + score(gold, second, LABELS)) / 2)
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


@given(tables(one_label))
def test_the_order_of_rows_does_not_count_for_the_score(rows):
    ways = [interval(*_columns(some), LABELS, resamples=20).value for some in (rows, rows[::-1])]
    assert ways[0] == pytest.approx(ways[1])


def _columns(rows):
    gold, first, _ = (list(column) for column in zip(*rows, strict=True))
    return gold, [first]


def test_the_interval_of_an_accuracy_is_that_of_the_binomial():
    gold, answers = [("a",)] * 400, [("a",)] * 300 + [("b",)] * 100
    found = interval(gold, [answers], LABELS, resamples=4000)
    error = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert (found.low, found.high) == (pytest.approx(0.75 - error, abs=0.006), pytest.approx(0.75 + error, abs=0.006))


def test_more_rows_give_a_narrower_interval():
    def width(times):
        found = interval([("a",), ("b",)] * times, [[("a",), ("a",)] * times], LABELS)
        return found.high - found.low

    assert width(400) < width(100) / 1.8 < width(25) / 3


@pytest.mark.parametrize("metric", ["micro_f", "macro_f"])
@pytest.mark.parametrize(("rows", "least"), [(1, 0.025), (30, 0.8843), (300, 0.9878)])
def test_rows_that_are_all_right_leave_room_for_a_mistake(metric, rows, least):
    gold = [LABELS[row % 3 : row % 3 + 1] for row in range(rows)]
    found = interval(gold, [gold], LABELS[: min(3, rows)], metric=metric)
    assert (found.low, found.value, found.high) == (pytest.approx(least, abs=1e-4), 1.0, 1.0)


def test_rows_that_are_all_wrong_leave_room_for_a_right_one():
    found = interval([("a",)] * 30, [[("b",)] * 30], LABELS)
    assert (found.low, found.value, found.high) == (0.0, 0.0, pytest.approx(1 - 0.8843, abs=1e-4))


def test_the_same_seed_gives_the_same_interval():
    gold, answers = [("a",), ("b",)] * 20, [[("a",), ("a",)] * 20]
    assert interval(gold, answers, LABELS, seed=3) == interval(gold, answers, LABELS, seed=3)
    assert interval(gold, answers, LABELS, seed=3, level=0.5) != interval(gold, answers, LABELS, seed=3)


def test_blocks_give_the_same_draws_as_one_piece(monkeypatch):
    gold, answers = [("a",), ("b",), ("a", "c")] * 5, [[("a",), ("a",), ("c",)] * 5]
    whole = interval(gold, answers, LABELS, metric="macro_f")
    monkeypatch.setattr(bootstrap, "BLOCK", 40)
    assert interval(gold, answers, LABELS, metric="macro_f") == whole


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="at least one test row"):
        interval([], [[]], LABELS)


@given(tables(one_label) | tables(label_sets), metrics)
def test_a_difference_is_that_of_the_scores_and_turns_its_sign_with_the_sides(rows, metric):
    gold, first, second = (list(column) for column in zip(*rows, strict=True))
    found = difference([Paired(gold, [first], [second])], LABELS, metric=metric, resamples=50)
    score = {"micro_f": main_score, "macro_f": macro_f}[metric]
    assert found.value == pytest.approx(score(gold, first, LABELS) - score(gold, second, LABELS))
    assert -1.0 <= found.low <= found.value <= found.high <= 1.0
    other = difference([Paired(gold, [second], [first])], LABELS, metric=metric, resamples=50)
    assert (other.value, other.low, other.high) == pytest.approx((-found.value, -found.high, -found.low))


def test_a_paired_interval_is_narrower_than_two_apart():
    """What is hard for both sides cancels out: they differ in one row of ten, and only there can the draws differ."""
    gold = [("a",)] * 200
    ours = [("a",) if number % 2 else ("b",) for number in range(200)]
    theirs = [("b",) if number % 10 == 1 else answer for number, answer in enumerate(ours)]
    paired = difference([Paired(gold, [ours], [theirs])], LABELS)
    apart = [interval(gold, [side], LABELS) for side in (ours, theirs)]
    assert paired.value == pytest.approx(0.1)
    assert 0 < paired.low < paired.high
    assert paired.high - paired.low < 0.7 * sum(one.high - one.low for one in apart) / 2


def test_sides_that_say_the_same_are_not_known_to_be_the_same():
    found = difference([Paired([("a",)] * 10, [[("a",)] * 10], [[("a",)] * 10])], LABELS)
    assert (found.value, found.low, found.high) == (0.0, -found.high, pytest.approx(1 - 0.025 ** (1 / 10)))


def test_test_sets_are_averaged_by_weight():
    better, worse = ([("a",)], [("b",)]), ([("b",)], [("a",)])
    tests = [Paired([("a",)], [better[0]], [better[1]], weight=3.0), Paired([("a",)], [worse[0]], [worse[1]])]
    assert difference(tests, LABELS).value == pytest.approx(0.5)


def test_a_difference_covers_the_truth_as_often_as_it_says():
    """Of 100 experiments with 200 rows in which one side is right 70 % of the time and the other 60 %, about 95 intervals hold 0.1."""
    rng, hits = np.random.default_rng(5), 0
    for number in range(100):
        sides = [[("a",) if right else ("b",) for right in rng.random(200) < share] for share in (0.7, 0.6)]
        found = difference([Paired([("a",)] * 200, sides[:1], sides[1:])], LABELS, seed=number, resamples=300)
        hits += found.low <= 0.1 <= found.high
    assert 88 <= hits <= 99


@pytest.mark.parametrize("tests", [[], [Paired([], [[]], [[]])], [Paired([("a",)], [], [[("a",)]])]])
def test_a_difference_of_nothing_is_refused(tests):
    with pytest.raises(ValueError, match="one student on each side"):
        difference(tests, LABELS)


@pytest.mark.parametrize(("students", "value"), [([["a"], ["b"]], 0.5), ([["a"]], 1.0), ([["b"]], 0.0)])
def test_no_interval_is_without_width(students, value):
    gold = [("a",)] * 5
    found = interval(gold, [[tuple(answer)] * 5 for answer in students], ["a", "b"])
    assert found.value == value and found.low < found.high and found.low <= value <= found.high


def test_one_side_that_is_always_right_is_not_known_to_be_so_on_every_row():
    right, wrong = [[("a",)] * 3], [[("b",)] * 3]
    found = difference([Paired([("a",)] * 3, right, wrong)], ["a", "b"])
    back = difference([Paired([("a",)] * 3, wrong, right)], ["a", "b"])
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(2 * 0.025 ** (1 / 3) - 1)
    assert (back.value, back.low, back.high) == (-1.0, -1.0, pytest.approx(-found.low))

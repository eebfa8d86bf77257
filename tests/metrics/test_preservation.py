"""Judges of labels."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.metrics.preservation import Judged, _folds, kin, shuffled, train_judge, train_judges

LABELS = ["cooking", "sport"]
WORDS = {"cooking": "soup oven garlic bread onion lemon".split(), "sport": "goal match keeper league race coach".split()}


def rows(number, *, seed=0):
    chance = random.Random(seed)
    return [Judged((label,), " ".join(chance.choices(WORDS[label], k=6))) for label in LABELS for _ in range(number)]


def pairs(copies, *, seed):
    """Twenty premises, a label by chance for each, and texts that say nothing of it."""
    chance = random.Random(seed)
    words = [f"w{number}" for number in range(2000)]
    premises = [" ".join(random.Random(number).choices(words, k=25)) for number in range(20)]
    return [
        Judged((LABELS[number % 2],), f"{premise} {' '.join(chance.choices(words, k=8))}", (f"premise: {premise}",))
        for number, premise in enumerate(premises)
        for _ in range(copies)
    ]


def test_a_judge_knows_the_labels_of_rows_like_those_it_learnt_from():
    judge = train_judge([row[:2] for row in rows(20)], LABELS, exclusive=True)
    judged = rows(10, seed=1)
    assert judge.predict([row.text for row in judged]) == [row.labels for row in judged]
    assert judge.predict([]) == []


def test_cross_validation_answers_for_each_row_in_its_place():
    known = rows(10)
    assert train_judges(known, LABELS, exclusive=True).of_gold() == [row.labels for row in known]


def test_labels_that_say_nothing_cannot_be_learnt():
    """Each row with a word of its own: a judge that had seen it would know its label."""
    chance = random.Random(0)
    known = [Judged((chance.choice(LABELS),), f"unique{number} word") for number in range(80)]
    found = train_judges(known, LABELS, exclusive=True).of_gold()
    assert sum(row.labels == given for row, given in zip(known, found, strict=True)) < 60


def test_nobody_knows_a_label_by_the_text_that_a_row_carries():
    judges = train_judges(pairs(1, seed=1), LABELS, exclusive=True)
    judged, found = judges.of(pairs(10, seed=2))
    assert len(judged) == 200
    assert 0.2 < sum(row.labels == given for row, given in zip(judged, found, strict=True)) / 200 < 0.8


def test_what_most_gold_rows_carry_gives_none_of_them_away():
    known = [row._replace(sources=("language: en",)) for row in rows(10)]
    assert len(set(kin(known))) > 2
    assert len(train_judges(known, LABELS, exclusive=True).of(known[:1])[0]) == 0
    assert len(train_judges(known, LABELS, exclusive=True).of([Judged(("sport",), "a new goal", ("language: en",))])[0]) == 1


def test_gold_rows_that_share_too_much_teach_nobody():
    known = [row._replace(sources=(f"premise: {row.labels[0]}",)) for row in rows(10)]
    with pytest.raises(InputError, match="no others are left to learn"):
        train_judges(known, LABELS, exclusive=True)
    with pytest.raises(InputError, match="not a word"):
        train_judge([(("sport",), " "), (("cooking",), "")], LABELS, exclusive=True)


MADE = st.builds(
    Judged,
    st.sampled_from([("a",), ("b",)]),
    st.sampled_from("u v w x y z".split()),
    st.lists(st.sampled_from("p q r s t".split()), max_size=2).map(tuple),
)


@given(st.lists(MADE, max_size=30), st.integers(0, 9))
def test_rows_that_share_something_are_in_one_fold(known, seed):
    folds, groups = _folds(known, seed=seed), kin(known)
    assert len(set(zip(groups, folds, strict=True))) == len(set(groups))
    assert len({(row.text, group) for row, group in zip(known, groups, strict=True)}) == len({row.text for row in known})
    assert sorted(set(folds)) == [*range(len(set(folds)))]


def test_several_labels_of_a_row_are_found_one_by_one_and_constant_ones_stay():
    known = [(("sport", "all"), text) if own == ("sport",) else (("all",), text) for own, text, _ in rows(15)]
    judge = train_judge(known, ["sport", "never", "all"], exclusive=False)
    assert judge.predict(["goal match goal", "soup oven"]) == [("sport", "all"), ("all",)]


def test_shuffled_labels_are_the_same_ones_in_another_order():
    assigned = [("a",)] * 5 + [("b",)] * 5
    found = shuffled(assigned, seed=1, times=3)
    assert len(found) == 3 and all(sorted(order) == assigned for order in found) and any(order != assigned for order in found)


def test_rows_that_judges_were_trained_on_are_left_out():
    known = rows(10)
    new = Judged(("sport",), "a goal and a coach")
    judges = train_judges([*known, Judged(("sport",), "goal"), Judged(("cooking",), "bread")], LABELS, exclusive=True)
    assert judges.of([Judged(("sport",), "Goal!"), new]) == ([new], [("sport",)])

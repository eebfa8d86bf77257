"""Exact match and F1 as SQuAD counts them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.students.span.measures import exact_match, f1, normalized

WORDS = st.lists(st.sampled_from(["the", "harbour", "An", "old", "keeper's", "ferry,", "A", "(song)", "1,200"]), max_size=6).map(" ".join)


@pytest.mark.parametrize(
    ("predicted", "answer", "em", "shared"),
    [
        ("the Harbour", "harbour!", 1, 1),
        ("an old  ferry", "Old ferry.", 1, 1),
        ("old ferry", "the ferry", 0, 2 / 3),
        ("1,200 men", "1200 men", 1, 1),
        ("keeper", "keeper's", 0, 0),
        ("ferry ferry", "ferry", 0, 2 / 3),  # each word counts as often as it stands there
        ("theatre", "atre", 0, 0),  # an article is a word
        ("", "ferry", 0, 0),
        ("the", "a", 1, 1),  # nothing is left of either
        ("the", "ferry", 0, 0),
    ],
)
def test_of_one_answer(predicted, answer, em, shared):
    assert exact_match(predicted, [answer]) == em
    assert f1(predicted, [answer]) == pytest.approx(shared)


def test_the_best_of_several_answers_counts():
    assert exact_match("the old ferry", ["ferry", "old ferry"]) == 1
    assert f1("the old ferry", ["ferry", "keeper"]) == pytest.approx(2 / 3)
    assert (exact_match("ferry", []), f1("ferry", [])) == (0, 0)


@given(WORDS, WORDS)
def test_f1_is_symmetric_and_one_where_the_match_is_exact(one, other):
    assert 0 <= f1(one, [other]) <= 1
    assert f1(one, [other]) == f1(other, [one])
    assert f1(one, [one]) == exact_match(one, [one]) == 1
    if exact_match(one, [other]):
        assert f1(one, [other]) == 1


@given(WORDS)
def test_what_counts_stays_what_it_is(text):
    assert normalized(normalized(text)) == normalized(text)
    assert exact_match(text, [f"The {text.upper()} !"]) == 1

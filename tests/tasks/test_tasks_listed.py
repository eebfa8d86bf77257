"""Lists out of answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.tasks.listed import each_once, read_list

THREE = ["great acting", "a slow start", "warm music"]


@pytest.mark.parametrize(
    "answer",
    [
        "1. great acting\n2. a slow start\n3. warm music",
        "1) great acting\n2) a slow start\n\n3) warm music\n",
        "(1) great acting\n(2) a slow start\n(3) warm music",
        "- great acting\n- a slow start\n- warm music",
        "• great acting\n• a slow start\n• warm music",
        "great acting\na slow start\nwarm music",
        "Reasons:\ngreat acting\na slow start\nwarm music",
        'Sure! Here are three reasons:\n\n1. **great acting**\n2. *a slow start*\n3. "warm music"'.replace(
            "*a slow start*", "a slow start"
        ),
        "1. great acting,\n2. a slow start,\n3. warm music\n\nLet me know if you would like more reasons.",
        "<think>1. no\n2. not this</think>\n1. great acting\n2. a slow start\n3. warm music",
        "```\n1. great acting\n2. a slow start\n3. warm music\n```",
        '["great acting", "a slow start", "warm music"]',
        '{"reasons": ["great acting", "a slow start", "warm music"]}',
        "1. great acting 2. a slow start 3. warm music",
        "great acting; a slow start; warm music",
        "great acting, a slow start, warm music",
        "1. great acting\n2. a slow start\n3. warm music\n4. Great acting.",
        "1. great acting\n2. a slow start\n3. warm music\n4. one too many",
        "**Positive**\n1. great acting\n2. a slow start\n3. warm music",
        "a) great acting\nb) a slow start\nc) warm music",
    ],
)
def test_a_list_is_read_however_it_is_written(answer):
    assert read_list(answer, most=3) == THREE


def test_what_stands_below_an_item_belongs_to_it():
    assert read_list("1. **Acting:**\n   - the lead carries it\n2. Music\n   that lifts the end", most=3) == [
        "Acting: the lead carries it",
        "Music that lifts the end",
    ]


def test_several_lists_are_joined_without_what_was_there_before():
    assert each_once(["great acting", "warm music", "Great acting.", "a slow start", "one more"], most=3) == [
        "great acting",
        "warm music",
        "a slow start",
    ]


def test_the_last_item_of_a_cut_answer_is_left_out():
    assert read_list("1. great acting\n2. a slow st", most=3, cut=True) == ["great acting"]


def test_a_sentence_with_a_comma_is_one_item():
    assert read_list("It is slow, but warm", most=20) == ["It is slow, but warm"]


def test_whole_texts_are_no_items():
    assert read_list("1. " + "word " * 70 + "\n2. short", most=3) == ["short"]


@pytest.mark.parametrize("answer", ["", "   ", "Here you go:", "1.\n2.\n3.", "[1, 2, 3]", "***"])
def test_no_list_gives_nothing(answer):
    assert read_list(answer, most=3) == []


@given(st.text(alphabet=st.sampled_from('ab 1.2)-*\n"[]{},;:#é一')), st.integers(1, 5), st.booleans())
def test_any_answer_gives_at_most_as_many_different_items(answer, most, cut):
    found = read_list(answer, most=most, cut=cut)
    assert len(found) <= most and len({item.casefold() for item in found}) == len(found)
    assert all(item == item.strip() and item for item in found)


@given(st.lists(st.text(alphabet="abcdefgh ", min_size=1).map(str.split).map(" ".join).filter(bool), min_size=2, max_size=8, unique=True))
def test_a_numbered_list_comes_back_as_it_was(items):
    assert read_list("\n".join(f"{number}. {item}" for number, item in enumerate(items, 1)), most=8) == items

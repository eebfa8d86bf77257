"""Sentences by a rule, and cutting by words."""

from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.sentences import cut_words, split_sentences


def test_sentences_end_at_marks_before_a_blank():
    assert split_sentences("It rained. Nobody came! Why? Who knows… They left.") == [
        "It rained.",
        "Nobody came!",
        "Why?",
        "Who knows…",
        "They left.",
    ]


def test_abbreviations_and_numbers_do_not_end_a_sentence():
    text = "Dr. Hall paid 3.5 million to J. R. Lind. Then he left."
    assert split_sentences(text) == ["Dr. Hall paid 3.5 million to J. R. Lind.", "Then he left."]


def test_a_small_letter_goes_on_with_the_sentence():
    assert split_sentences("It cost approx. five crowns. No more.") == ["It cost approx. five crowns.", "No more."]


def test_quotes_stay_with_their_sentence():
    assert split_sentences('She said "Stop." Then she left.') == ['She said "Stop."', "Then she left."]


def test_chinese_needs_no_blank():
    assert split_sentences("今天下雨。没有人来。") == ["今天下雨。", "没有人来。"]


def test_an_empty_line_ends_a_sentence_without_a_mark():
    assert split_sentences("A headline\n\nThe text begins.") == ["A headline", "The text begins."]


def test_an_empty_text_has_no_sentence():
    assert split_sentences(" \n ") == []


@given(st.text(alphabet="ab .!?\n\"'。", max_size=80))
def test_splitting_loses_no_letter(text):
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


def test_a_cut_prefers_the_end_of_a_clause():
    assert cut_words("The harbour opened in May, after two years of work and many delays", 8) == "The harbour opened in May"


def test_a_cut_without_clauses_keeps_the_first_words():
    assert cut_words("one two three four five", 3) == "one two three"


def test_a_short_text_is_not_touched():
    assert cut_words("one,  two", 5) == "one,  two"


@given(st.text(max_size=200), st.integers(1, 20))
def test_a_cut_never_exceeds_its_limit(text, limit):
    assert len(cut_words(text, limit).split()) <= limit

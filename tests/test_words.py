"""What counts as a word, and when two texts count as equal."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.words import comparable, count_words, folded, word_places, words

SOFT_HYPHEN, ZERO_WIDTH_SPACE, JOINER, WORD_JOINER = "\u00ad", "\u200b", "\u200d", "\u2060"


def test_words_are_casefolded_letters_and_digits():
    assert words("Don't panic, 42 STRASSEN!") == ["don", "t", "panic", "42", "strassen"]
    assert words("Straße") == ["strasse"]


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_runs_of_letters_and_digits(text):
    assert words(text) == re.findall("[a-z0-9]+", text.lower())


def test_words_do_not_depend_on_the_unicode_form():
    assert words("cafe\u0301 ﬁne") == words("café fine")


def test_in_scripts_without_blanks_each_character_is_a_word():
    assert words("今天rain雨") == ["今", "天", "rain", "雨"]


@pytest.mark.parametrize("sign", [SOFT_HYPHEN, ZERO_WIDTH_SPACE, JOINER, WORD_JOINER, "\ufeff", "\ufe0f"])
def test_characters_that_nobody_sees_split_no_word(sign):
    assert words(f"the har{sign}bour") == ["the", "harbour"]
    assert folded(f"{sign}The har{sign}bour.{sign}") == "the harbour"


def test_no_format_character_splits_a_word():
    signs = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Cf"]
    assert words("".join(f"a{sign}b" for sign in signs)) == ["ab" * len(signs)]


def test_vowel_signs_belong_to_their_word():
    assert words("हिन्दी की किताब") == ["हिन्दी", "की", "किताब"]
    assert words("İstanbul") == ["i\u0307stanbul"]


@pytest.mark.parametrize("same", ["Oslo wins", " oslo   WINS! ", "“Oslo wins.”", "Oslo\nwins…", "Ｏslo wins", "Oslo wins !!!"])
def test_case_blanks_and_outer_punctuation_do_not_count(same):
    assert folded(same) == "oslo wins"


@pytest.mark.parametrize(
    ("one", "other"),
    [("so good 👍", "so good 👎"), ("C++ rocks", "C# rocks"), ("fine :)", "fine :("), ("Oslo wins", "Oslo, wins"), ("5 €", "5 $")],
)
def test_signs_with_a_meaning_keep_texts_apart(one, other):
    assert folded(one) != folded(other)


@pytest.mark.parametrize("text", ["", " \n", "…", "!!", SOFT_HYPHEN])
def test_nothing_is_left_of_a_text_without_content(text):
    assert folded(text) == ""


def test_texts_without_words_are_still_told_apart():
    assert comparable("?! ") == comparable(" ?!") != comparable("…") != comparable("!!")
    assert comparable("Oslo wins!") == "oslo wins"


@given(st.text())
def test_folding_twice_changes_nothing(text):
    assert folded(folded(text)) == folded(text)


@given(st.text())
def test_equal_texts_have_equal_words(text):
    assert words(folded(text)) == words(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" \n", 0),
        ("one", 1),
        ("don't stop\tnow ", 3),
        ("Größe – 12,5 km", 4),
        ("試合は東京で", 6),
        ("東京 Marathon", 3),
        ("ชนะ", 3),
    ],
)
def test_length_is_counted_in_pieces_between_blanks_or_in_characters_of_unspaced_scripts(text, count):
    assert count_words(text) == count


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_places_in_ascii_are_those_of_any_text(text):
    """A text in ASCII takes a quicker way; one more character sends it the other."""
    assert word_places(text) == word_places(text + " é")[:-1]
    assert [word for word, _, _ in word_places(text)] == words(text)

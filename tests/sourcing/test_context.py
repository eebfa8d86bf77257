from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.sourcing.context import count_tokens, cut_context, estimate_tokens


def words(text: str) -> int:
    return len(text.split())


def test_text_that_fits_stays_as_it_is():
    assert cut_context("One two. Three", 3, words) == "One two. Three"


def test_cut_ends_after_the_last_sentence_that_fits():
    assert cut_context("One two. Three four! Five six seven.", 5, words) == "One two. Three four!"


def test_quotes_and_brackets_stay_with_their_sentence():
    assert cut_context('He said "go." Then they went on and on.', 4, words) == 'He said "go."'


def test_point_in_a_number_or_an_address_ends_no_sentence():
    assert cut_context("Prices rose 3.5 percent at example.org while others waited", 4, words) == "Prices rose 3.5 percent"


def test_text_without_a_sentence_end_is_cut_after_a_word():
    assert cut_context("one two three four five", 3, words) == "one two three"


def test_single_long_word_is_cut_within():
    assert cut_context("abcdefgh", 3, len) == "abc"


def test_sentences_end_in_scripts_without_blanks():
    assert cut_context("今天下雨。明天晴天。", 7) == "今天下雨。"


def test_tokens_are_estimated_at_1_3_per_word_rounded_up():
    assert count_tokens("one two three") == 4


def test_scripts_without_blanks_are_counted_by_characters():
    assert count_tokens("今天下雨") == 6


def test_what_is_paid_for_is_estimated_by_words_or_bytes_whichever_is_more():
    assert estimate_tokens("a b c d e f g h i j") == count_tokens("a b c d e f g h i j") == 13
    assert estimate_tokens("7" * 400) == 100
    assert estimate_tokens("Donaudampfschifffahrt") == 6
    assert estimate_tokens("half of a pair: \ud83d") == 7


@given(st.text(alphabet='ab .!\n今。"', max_size=60), st.integers(1, 12))
def test_cut_is_a_beginning_that_never_exceeds_the_limit(text, limit):
    for count in (count_tokens, len, words):
        cut = cut_context(text, limit, count)
        assert text.startswith(cut)
        assert count(cut) <= limit
        assert cut == text or count(text) > limit


@given(st.text(alphabet="ab .", max_size=60), st.integers(2, 12))
def test_something_is_left_of_a_text_that_has_words(text, limit):
    assert bool(cut_context(text, limit)) == bool(text)

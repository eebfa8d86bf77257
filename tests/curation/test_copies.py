"""Near-copies of the passage."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.curation.copies import containment, longest_common_span, make_near_copy
from spacy_synthesizrr.curation.verdicts import ACCEPT, FilterInputs, SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.taskfile import read_task

ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")
INPUTS = FilterInputs(read_task(Path(__file__).parents[1] / "fixtures" / "pair"))
PASSAGE = "The harbour board met on Tuesday and agreed to close the old ferry pier before the winter storms arrive in Lunde."
WORDS = st.lists(st.sampled_from("a b c d e f g".split()), min_size=1, max_size=30).map(" ".join)


def test_sentence_of_the_passage_is_contained_whatever_its_case_and_signs():
    assert containment("the harbour BOARD met, on Tuesday and agreed!", PASSAGE) == 1.0


def test_own_words_are_not_contained():
    assert containment("Storms are coming, so the pier for ferries will shut, officials said.", PASSAGE) == 0.0


def test_containment_is_the_share_of_ngrams():
    # six words, two 5-grams, one of them in the passage
    assert containment("The harbour board met on Friday", PASSAGE) == 0.5


def test_short_text_is_compared_whole_and_in_order():
    assert containment("old ferry pier", PASSAGE) == 1.0
    assert containment("pier ferry old", PASSAGE) == 0.0
    assert containment("old ferry boat", PASSAGE) == 0.0


@pytest.mark.parametrize(("text", "passage"), [("", PASSAGE), ("pier", ""), ("…", PASSAGE), ("the old ferry pier", "pier")])
def test_no_words_or_too_short_a_passage_contain_nothing(text, passage):
    assert containment(text, passage) == 0.0


@given(WORDS, WORDS)
def test_containment_lies_between_nothing_and_all(text, passage):
    assert 0.0 <= containment(text, passage) <= 1.0


@given(WORDS, WORDS, WORDS)
def test_a_piece_of_the_passage_is_contained(before, text, after):
    assert containment(text, f"{before} {text} {after}") == 1.0


def test_longest_common_span_counts_words():
    assert longest_common_span("They agreed to close the OLD ferry pier, at last", PASSAGE) == 7
    assert longest_common_span("nothing shared", PASSAGE) == 0
    assert longest_common_span("", PASSAGE) == 0


@given(WORDS, WORDS)
def test_longest_common_span_is_symmetric_and_bounded(one, two):
    assert longest_common_span(one, two) == longest_common_span(two, one) <= min(len(one.split()), len(two.split()))


def test_copy_is_turned_away_with_its_share():
    assert make_near_copy()(INPUTS)(ROW, PASSAGE, PASSAGE) == Verdict(False, "near_copy", 1.0)


def test_threshold_itself_is_a_copy():
    text = "The harbour board met on Friday"
    assert make_near_copy(threshold=0.5)(INPUTS)(ROW, text, PASSAGE) == Verdict(False, "near_copy", 0.5)
    assert make_near_copy(threshold=0.51)(INPUTS)(ROW, text, PASSAGE) == ACCEPT


def test_long_span_is_turned_away_even_where_the_share_is_small():
    text = "Local news in short, as we heard it this morning: agreed to close the old ferry pier before the winter. More will follow soon."
    assert make_near_copy(max_span=8)(INPUTS)(ROW, text, PASSAGE) == Verdict(False, "copied_span", 10)
    assert make_near_copy(max_span=10)(INPUTS)(ROW, text, PASSAGE) == ACCEPT
    assert make_near_copy(max_span=None)(INPUTS)(ROW, text, PASSAGE) == ACCEPT


def test_row_without_a_passage_is_accepted():
    assert make_near_copy()(INPUTS)(ROW, PASSAGE, "") == ACCEPT


def test_filter_is_off_for_a_teacher_that_only_copies():
    made = make_near_copy()(FilterInputs(INPUTS.task, copies=True))
    assert isinstance(made, SwitchedOff) and "only copies" in made.reason


def test_filter_can_be_switched_off():
    assert make_near_copy(enabled=False)(INPUTS) == SwitchedOff("the config says enabled = false")


@pytest.mark.parametrize("wrong", [{"threshold": 0.0}, {"threshold": 1.1}, {"ngram": 0}, {"max_span": 0}])
def test_values_out_of_range_are_config_errors(wrong):
    with pytest.raises(ConfigError, match=str(next(iter(wrong.values())))):
        make_near_copy(**wrong)

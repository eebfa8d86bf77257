"""Filters that look at one text: empty, refusal, length."""

from dataclasses import replace
from pathlib import Path

import pytest

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.curation.filters import make_length, make_not_empty, make_not_refused
from spacy_synthesizrr.curation.verdicts import ACCEPT, FilterInputs, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.taskfile import TaskSpec

ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")


def inputs(**prompt):
    words = {"instruction": "Write {verbalization}.", **prompt}
    labels = {"sport": {"verbalization": "about sport"}, "science": {"verbalization": "about science"}}
    return FilterInputs(TaskSpec(path=Path("task.yml"), name="t", labels=labels, prompt=words, corpus={"path": "c.jsonl"}))


@pytest.mark.parametrize("text", ["", "  \n\t", "…", "--- !!", '""'])
def test_text_without_a_word_character_is_empty(text):
    assert make_not_empty()(inputs())(ROW, text, "") == Verdict(False, "empty")


@pytest.mark.parametrize("text", ["a", "7", "Ü", "試合"])
def test_text_with_a_word_character_is_not_empty(text):
    assert make_not_empty()(inputs())(ROW, text, "") == ACCEPT


def test_the_task_says_the_marker():
    judge = make_not_refused(typical=False)(inputs(refusal_marker="DOES NOT FIT"))
    assert judge(ROW, "DOES NOT FIT: no sport in it.", "") == Verdict(False, "refused")
    assert judge(ROW, "The old coat does not fit the new coach.", "") == ACCEPT


def test_a_task_without_a_marker_has_the_typical_openings_of_its_language():
    german = replace(inputs(), lang="de")
    assert make_not_refused()(german)(ROW, "Ich kann dabei nicht helfen.", "") == Verdict(False, "refused")
    assert make_not_refused()(inputs())(ROW, "Ich kann dabei nicht helfen.", "") == ACCEPT
    assert make_not_refused()(german)(ROW, "Sorry, I can't assist with that.", "") == Verdict(False, "refused")


def test_openings_of_other_languages_can_be_added():
    judge = make_not_refused(openings=["Es tut mir leid, aber"])(inputs())
    assert judge(ROW, "ES TUT MIR LEID,  aber das kann ich nicht.", "") == Verdict(False, "refused")
    assert judge(ROW, "Das tut mir leid, aber gern.", "") == ACCEPT


def test_typical_openings_can_be_switched_off():
    assert make_not_refused(typical=False)(inputs())(ROW, "As an AI language model, I cannot.", "") == ACCEPT


def test_empty_opening_is_refused_because_it_would_match_everything():
    with pytest.raises(ConfigError, match="an opening is empty"):
        make_not_refused(openings=["…"])


def test_length_takes_its_limits_from_the_task():
    judge = make_length()(inputs(min_words=2, max_words=3))
    assert judge(ROW, "one", "") == Verdict(False, "too_short", 1)
    assert judge(ROW, "one two", "") == ACCEPT
    assert judge(ROW, "one two three", "") == ACCEPT
    assert judge(ROW, "one two three four", "") == Verdict(False, "too_long", 4)


def test_length_of_the_config_goes_before_that_of_the_task():
    judge = make_length(min_words=1, max_words=1)(inputs(min_words=2, max_words=3))
    assert judge(ROW, "one", "") == ACCEPT
    assert judge(ROW, "one two", "") == Verdict(False, "too_long", 2)


def test_length_that_nothing_can_have_is_a_config_error():
    with pytest.raises(ConfigError, match=r"min_words = 9 is above max_words = 3, so no text"):
        make_length(min_words=9)(inputs(max_words=3))

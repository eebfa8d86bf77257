"""Answers that go on with a next text."""

from dataclasses import replace
from pathlib import Path

import pytest

from spacy_synthesizrr.candidates import GENERATED, Candidate, Event, Seed
from spacy_synthesizrr.curation.run_on import make_run_on
from spacy_synthesizrr.curation.verdicts import ACCEPT, FilterInputs, SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.taskfile import TaskSpec

ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")
TEXT = "Oslo wins the cup again."
LABELS = {"sport": {"verbalization": "about sport"}, "science": {"verbalization": "about science"}}
PROMPT = {"instruction": "Write {verbalization}.", "document_header": "News article:", "answer_header": "Headline:"}
INPUTS = FilterInputs(TaskSpec(path=Path("task.yml"), name="t", labels=LABELS, prompt=PROMPT, corpus={"path": "c.jsonl"}))
GOES_ON = [
    " News article: The bank said", " news article: The bank said", " **Headline:** Bank falls", "\n**Headline:** Bank falls",
    "\n---\nHeadline: Bank falls", "\n---\nExample 1: Bank falls", "\nExample 2: Bank falls", "\n\n2. Bank falls",
]  # fmt: skip


def ask(text, row=ROW, **options):
    return make_run_on(**options)(INPUTS)(row, text, "")


@pytest.mark.parametrize("more", GOES_ON)
def test_first_text_is_kept(more):
    verdict = ask(TEXT + more)
    assert verdict.accepted and verdict.text.rstrip("* ") == TEXT and verdict.detail == {"repaired": "run_on"}


@pytest.mark.parametrize("more", GOES_ON)
def test_rows_that_go_on_can_be_turned_away(more):
    assert ask(TEXT + more, action="reject") == Verdict(False, "run_on")


def test_too_little_before_the_next_text_turns_the_row_away():
    assert ask("Oslo wins.\n---\nHeadline: Bank falls again today.") == Verdict(False, "run_on")
    assert ask("Oslo wins.\n---\nHeadline: Bank falls again today.", min_words=2).text == "Oslo wins."


@pytest.mark.parametrize(
    "text",
    [
        TEXT, "In this news article: nothing", "The headline read like a joke.", "Score: 2-1.\nOslo wins.", "Oslo - 2. Bergen - 1.",
        "A\nB\nC",
        "There is one headline: the bridge opens again.", "My honest headline: buy it. Headline: do not.", "Headline: Oslo wins.",
        "How to bake bread:\n1. Weigh the flour.\n2. Add water.\n3. Wait.", "Bread.\n\n1. Flour.\n\n2. Water.",
        "2. Mai in Berlin, und es regnet",
        "Wir treffen uns am\n2. Mai in Berlin", "Bis bald in Bonn.\n\n2. Mai 2020", "He left the house.\n***\nShe stayed at home.",
        "A phone for all.\n---\nUpdate: it broke.", "Two ways.\nOption 1: pay.\nOption 2: leave.",
    ],
)  # fmt: skip
def test_texts_of_people_stay(text):
    assert ask(text) == ACCEPT


def test_what_reading_the_answer_cut_is_turned_away_by_reject_only():
    read = replace(ROW, events=(Event("synthesize", GENERATED, "", {"repaired": ["run_on"], "dropped": 1}),))
    assert ask(TEXT, read) == ACCEPT
    assert ask(TEXT, read, action="reject") == Verdict(False, "run_on")


def test_keep_switches_it_off_and_other_actions_are_refused():
    assert isinstance(make_run_on(action="keep")(INPUTS), SwitchedOff)
    with pytest.raises(ConfigError, match="RunOn: there is no action 'cut'"):
        make_run_on(action="cut")

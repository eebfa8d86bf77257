"""What a teacher borrows from its prompt."""

from pathlib import Path

import pytest

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.curation.borrowed import make_prompt_copy, make_shot_copy, phrases
from spacy_synthesizrr.curation.verdicts import ACCEPT, FilterInputs, SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.taskfile import TaskSpec

ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")
SEEDS = ("Bank shares fell again.", "The harbour club will play its cup match against the visitors on Sunday afternoon in the old stadium.")
LABELS = {"sport": {"verbalization": "about sport"}, "science": {"verbalization": "about science"}}
PROMPT = {
    "instruction": "Write a headline {verbalization} for the article above.",
    "length_hint": "one short sentence",
    "refusal_marker": "DOES NOT FIT",
}
INPUTS = FilterInputs(TaskSpec(path=Path("task.yml"), name="t", labels=LABELS, prompt=PROMPT, corpus={"path": "c.jsonl"}), SEEDS)


def shot(text, inputs=INPUTS, **options):
    return make_shot_copy(**options)(inputs)(ROW, text, "")


def prompt(text, **options):
    return make_prompt_copy(**options)(INPUTS)(ROW, text, "")


def test_part_of_a_seed_that_goes_on_is_a_copy():
    assert shot("The harbour club will play its cup match, and Oslo looks on.") == Verdict(False, "shot_copy", 0.5, {"neighbour": "seed 1"})


def test_long_run_of_a_seed_in_a_long_text_is_found_by_its_words():
    text = f"{SEEDS[1]} " + " ".join(f"word{number}" for number in range(30))
    assert shot(text) == Verdict(False, "shot_span", 18, {"neighbour": "seed 1"})
    assert shot(text, max_span=None) == ACCEPT


@pytest.mark.parametrize("text", ["The harbour club won its first cup match.", "Bank shares fell again.", "", "Oslo"])
def test_texts_that_share_few_words_with_a_seed_stay(text):
    assert shot(text) == ACCEPT


def test_without_seeds_nothing_is_a_copy_of_one():
    assert shot(SEEDS[1], FilterInputs(INPUTS.task)) == ACCEPT


@pytest.mark.parametrize(
    "text",
    [
        "Write a headline about sport for the article above: Oslo wins", "Sure, a headline about science for the article above.",
        "If the text above cannot serve this, I write: Oslo wins.",
    ],
)  # fmt: skip
def test_words_of_the_task_are_found(text):
    assert prompt(text).reason == "prompt_copy"


@pytest.mark.parametrize(
    "text", ["Oslo wins, one short sentence says.", "A headline about sport.", "I write only what I know about sport."]
)
def test_texts_that_share_few_words_with_the_task_stay(text):
    assert prompt(text) == ACCEPT


def test_phrases_are_those_of_every_label_and_empty_ones_are_left_out():
    found = phrases(INPUTS)
    assert found[:2] == ["Write a headline about sport for the article above.", "Write a headline about science for the article above."]
    assert found[-2:] == ["one short sentence", "If the text above cannot serve this, write only: DOES NOT FIT"]
    assert all(found) and len(found) == len({*found})


def test_phrases_of_the_later_prompts_count_in_the_words_that_are_shown():
    found = phrases(INPUTS)
    assert "Base it on what is listed above." in found
    assert "Write a text about sport. It should be similar to the text above, but a new text in other words." in found


@pytest.mark.parametrize("make", [make_shot_copy, make_prompt_copy])
def test_they_can_be_switched_off(make):
    assert isinstance(make(enabled=False)(INPUTS), SwitchedOff)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (make_shot_copy, {"threshold": 0}),
        (make_shot_copy, {"ngram": 1}),
        (make_shot_copy, {"max_span": 2}),
        (make_prompt_copy, {"ngram": 1}),
    ],
)
def test_values_out_of_range_are_refused(make, options):
    with pytest.raises(ConfigError, match="Copy: "):
        make(**options)

"""As long as the seeds are, and without the name of the label."""

from dataclasses import replace
from pathlib import Path

import pytest

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.curation.relative import make_label_word, make_relative_length, middle
from spacy_synthesizrr.curation.verdicts import ACCEPT, FilterInputs, SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.taskfile import TaskSpec

ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["Sci/Tech"], {"text": "a"}), passage_id="p")
LABELS = {"sport": {"verbalization": "about sport"}, "Sci/Tech": {"verbalization": "about science and technology"}}
PROMPT = {"instruction": "Write {verbalization}."}
SEEDS = tuple(" ".join(["word"] * count) for count in range(10, 30))
TASK = {"path": Path("task.yml"), "name": "t", "labels": LABELS, "prompt": PROMPT, "corpus": {"path": "c.jsonl"}}
INPUTS = FilterInputs(TaskSpec.model_validate(TASK), SEEDS)


def length(words, **options):
    return make_relative_length(**options)(INPUTS)(ROW, " ".join(["word"] * words), "")


def label(text, row=ROW, **options):
    return make_label_word(enabled=True, **options)(INPUTS)(row, text, "")


def test_limits_are_the_middle_of_the_seeds_times_the_factor():
    assert length(5) == Verdict(False, "shorter_than_seeds", 5)
    assert length(6) == length(56) == ACCEPT
    assert length(57) == Verdict(False, "longer_than_seeds", 57)


def test_factor_one_allows_what_most_seeds_have():
    assert length(10, factor=1).reason == "shorter_than_seeds"
    assert length(11, factor=1) == length(28, factor=1) == ACCEPT


def test_middle_of_equal_lengths_is_that_length():
    assert middle([7] * 9, 0.9) == (7, 7)


def test_few_seeds_say_too_little():
    made = make_relative_length()(replace(INPUTS, seeds=SEEDS[:7]))
    assert isinstance(made, SwitchedOff) and made.reason.startswith("7 seeds say too little")


def test_limits_that_the_task_file_says_hold_alone():
    def judge(words, **limits):
        made = make_relative_length()(replace(INPUTS, task=TaskSpec.model_validate(TASK | {"prompt": {**PROMPT, **limits}})))
        return made if isinstance(made, SwitchedOff) else made(ROW, " ".join(["word"] * words), "")

    assert (judge(99, max_words=100), judge(2, max_words=100).reason) == (ACCEPT, "shorter_than_seeds")
    assert (judge(2, min_words=2), judge(99, min_words=2).reason) == (ACCEPT, "longer_than_seeds")
    assert judge(99, min_words=2, max_words=100) == SwitchedOff("the task file says min_words and max_words")


def test_teacher_that_copies_cannot_choose_a_length():
    assert isinstance(make_relative_length()(replace(INPUTS, copies=True)), SwitchedOff)


def test_name_of_the_own_label_is_found_as_whole_words():
    assert label("The SCI-TECH news of today") == Verdict(False, "label_word")
    assert label("Science and technologies") == label("Sport wins") == ACCEPT
    assert label("Technicians scite") == ACCEPT


def test_phrase_of_the_label_counts_when_asked_for():
    text = "A piece about science and technology"
    assert label(text) == ACCEPT
    assert label(text, verbalization=True).reason == "label_word"


def test_each_of_several_labels_counts():
    assert label("Sport wins", replace(ROW, labels=("Sci/Tech", "sport"))).reason == "label_word"


def test_label_words_are_allowed_unless_asked_for():
    assert isinstance(make_label_word()(INPUTS), SwitchedOff)
    assert isinstance(make_relative_length(enabled=False)(INPUTS), SwitchedOff)


@pytest.mark.parametrize("options", [{"factor": 0.5}, {"share": 1}, {"share": 0}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match="RelativeLength: "):
        make_relative_length(**options)

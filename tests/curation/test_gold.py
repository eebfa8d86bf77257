"""Generated rows that give a dev or test text away."""

from dataclasses import replace
from pathlib import Path

import pytest

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.curation.chain import read_row_filters
from spacy_synthesizrr.curation.gold import make_leak
from spacy_synthesizrr.curation.verdicts import ACCEPT, FilterInputs, SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.taskfile import read_task

ROOT = Path(__file__).parents[2]
TASK = read_task(ROOT / "tests" / "fixtures" / "pair")
ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")
GOLD = ("The harbour club will play its cup match against the visitors on Sunday.", "so good 👍", "The old pier was closed.")


def ask(text, *, gold=GOLD, **options):
    return make_leak(**options)(FilterInputs(TASK, gold=gold))(replace(ROW, fields={"hypothesis": text}), text, "")


def test_copy_of_a_gold_text_is_turned_away():
    assert ask("the HARBOUR club will play its cup match against the visitors, on sunday") == Verdict(False, "gold_copy", 1.0)


def test_words_shared_in_a_row_with_a_gold_text_turn_a_row_away():
    assert ask("They say the harbour club will play its cup match in the rain.") == Verdict(False, "gold_ngram", 1.0)
    assert ask("They say the harbour club will play its match in the rain.") == ACCEPT


def test_number_of_words_can_be_set():
    assert ask("They say the harbour club will play its match in the rain.", ngram=5).reason == "gold_ngram"


def test_short_gold_text_counts_as_a_whole():
    assert ask("He said that the old pier was closed for good.").reason == "gold_ngram"


def test_signs_with_a_meaning_tell_short_texts_apart():
    assert ask("so good 👎") == ACCEPT
    assert ask("So good 👍").reason == "gold_copy"


def test_without_gold_texts_every_row_is_accepted():
    assert ask(GOLD[0], gold=()) == ACCEPT


def test_filter_can_be_switched_off():
    assert isinstance(make_leak(enabled=False)(FilterInputs(TASK, gold=GOLD)), SwitchedOff)


def test_n_grams_of_one_word_are_refused():
    with pytest.raises(ConfigError, match="Leak: ngram must be at least 2"):
        make_leak(ngram=1)


def test_shipped_config_has_it_on():
    config = read_config(ROOT / "configs" / "curate.cfg")
    judge, off = read_row_filters(config, TASK, [], copies=False, gold=GOLD)
    assert not [line for line in off if "'gold'" in line]
    assert judge(replace(ROW, fields={"hypothesis": GOLD[0]}), GOLD[0], "").reason == "gold_copy"

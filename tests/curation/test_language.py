"""Texts in another language than the run's, by spaCy's own lists and examples."""

import importlib
from pathlib import Path

import pytest

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.curation.language import COMPARED, make_language, script, script_of, stop_words
from spacy_synthesizrr.curation.verdicts import ACCEPT, FilterInputs, SwitchedOff
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.taskfile import read_task

PAIR = read_task(Path(__file__).parents[1] / "fixtures" / "pair")
ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")
GERMAN = "Der Verein hat das Spiel gegen die Gäste am Sonntag nicht gewonnen."


def ask(text, lang="en", **options):
    return make_language(**options)(FilterInputs(PAIR, lang=lang))(ROW, text, "")


def test_text_in_another_language_is_turned_away_and_the_language_named():
    verdict = ask(GERMAN)
    assert (verdict.reason, verdict.detail) == ("other_language", {"language": "de"}) and verdict.score > 0.4
    assert ask(GERMAN, "de") == ACCEPT
    assert ask(GERMAN, lang="en", **{}) == verdict


def test_other_script_is_found_in_short_texts_too():
    assert ask("Добрый день").detail == {"language": "cyrillic"}
    assert ask("試合に勝った").detail == {"language": "cjk"}
    assert ask("Good day", "ru").detail == {"language": "latin"}


@pytest.mark.parametrize(
    "text", ["Oslo wins", "Schröder, Müller und Weiß", "“Das Boot” opens in New York and in London", "", "42 : 7", "👍👍"]
)
def test_short_texts_names_and_quotations_stay(text):
    assert ask(text) == ACCEPT


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("zh", "iPhone 15 Pro Max 发布"),
        ("ja", "NASA、SpaceXとISSへ"),
        ("ru", "Microsoft и OpenAI"),
        ("el", "Το iPhone"),
        ("en", "Ｂｒｅａｋｉｎｇ ｎｅｗｓ"),
    ],
)
def test_latin_names_and_wide_letters_are_of_no_other_script(lang, text):
    assert ask(text, lang) == ACCEPT


@pytest.mark.parametrize("lang", COMPARED)
def test_examples_that_spacy_has_of_a_language_stay(lang):
    sentences = importlib.import_module(f"spacy.lang.{lang}.examples").sentences
    assert [text for text in sentences if ask(text, lang) != ACCEPT] == []


def test_language_can_be_given_and_the_filter_be_off():
    assert make_language("de")(FilterInputs(PAIR, lang="en"))(ROW, GERMAN, "") == ACCEPT
    assert isinstance(make_language(enabled=False)(FilterInputs(PAIR)), SwitchedOff)


@pytest.mark.parametrize("lang", ["xx", "zz"])
def test_languages_that_cannot_be_told_switch_it_off(lang):
    assert isinstance(make_language()(FilterInputs(PAIR, lang=lang)), SwitchedOff)


def test_languages_of_two_scripts_are_not_judged_by_one():
    assert script_of("sr") == "" and script_of("en") == "LATIN" and script_of("ja") == "CJK"
    assert script("ab вг") == ""


def test_every_language_that_is_compared_has_a_list():
    assert all(len(stop_words(lang)) > 50 for lang in COMPARED)


def test_margin_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="Language: margin"):
        make_language(margin=0)

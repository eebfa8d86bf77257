"""Entities found by a trained pipeline, alone and in the step `measure`."""

import json
from pathlib import Path

import pytest

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.measuring.entities import measure_entities
from spacy_synthesizrr.measuring.sets import RowSet
from spacy_synthesizrr.measuring.settings import EntitySettings
from spacy_synthesizrr.metrics.entity_entropy import entities, load_recognizer
from spacy_synthesizrr.steps import measure, prepare

PEOPLE = (
    "Angela Merkel",
    "Barack Obama",
    "Emmanuel Macron",
    "Nelson Mandela",
    "Margaret Thatcher",
    "Tony Blair",
    "John Kennedy",
    "Bill Gates",
)
CITIES = ("Berlin", "Chicago", "Paris", "Johannesburg", "London", "Edinburgh", "Boston", "Seattle")
VARIED = [f"{person} gave a speech in {city} on Monday." for person, city in zip(PEOPLE, CITIES, strict=True)]
POPULAR = [f"Barack Obama gave a speech in {city} on Monday." for city in ("Chicago", "Chicago", "Chicago", "Boston") * 2]


@pytest.fixture(scope="module")
def found(recognizer):
    pipeline = load_recognizer(str(recognizer))
    return {name: entities(pipeline.mentions(texts), top=2) for name, texts in (("varied", VARIED), ("popular", POPULAR))}


def test_people_and_places_are_found(found):
    person = found["varied"]["types"]["PERSON"]
    assert person["mentions"] >= 6 and person["entropy"] > 2.5
    assert found["varied"]["types"]["GPE"]["different"] >= 6


def test_a_set_that_names_the_same_person_again_and_again_has_less_entropy(found):
    person = found["popular"]["types"]["PERSON"]
    assert person["entropy"] < 0.5
    assert person["top"][0]["entity"] == "Barack Obama" and person["top_share"] == 1.0 and person["top_texts"] == 1.0
    assert found["popular"]["types"]["GPE"]["entropy"] < found["varied"]["types"]["GPE"]["entropy"]


def test_sets_are_compared_at_equal_size(recognizer):
    sets = [
        RowSet(name, lambda texts=texts: ((("a",), text) for text in texts)) for name, texts in (("main", VARIED * 2), ("dev", POPULAR))
    ]
    found = measure_entities(sets, {"main": 16, "dev": 8}, EntitySettings(pipeline=str(recognizer)), seed=0)
    assert found["pipeline"].startswith("en_core_web_sm") and found["pipeline"].endswith(" 3.8.0")
    assert found["n"] == 8 and {name: about["n"] for name, about in found["sets"].items()} == {"main": 8, "dev": 8}
    assert found["sets"]["main"]["words"] == 9.0


def test_step_names_entities_with_the_pipeline_of_the_config(walked, recognizer):
    path = Path("configs/measure.cfg")
    path.write_text(path.read_text().replace("pipeline = null", f'pipeline = "{recognizer}"'))
    prepare.run(prepare.Choices("tiny", "tiny", per_label=4))
    assert measure.run(Context.open("tiny"))
    found = json.loads(walked.folder.file("metrics.json").read_text())["entities"]
    assert found["pipeline"].startswith("en_core_web_sm") and set(found["sets"]) >= {"main", "random"}

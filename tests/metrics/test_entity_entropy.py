"""Entity entropy, on mentions given by hand and by a pipeline with rules; a trained pipeline is asked in tests/services."""

import math

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.metrics.entity_entropy import entities, entity_entropy, entropy, load_recognizer

PERSON, PLACE = "PERSON", "GPE"
TEXTS = [[(PERSON, "Ann"), (PERSON, "Ann")], [(PERSON, "Bo"), (PLACE, "Oslo")], [(PERSON, "ann")], []]


def test_entropy_is_in_bits_per_type_and_case_counts():
    found = entity_entropy(TEXTS)
    assert found == {PLACE: 0.0, PERSON: pytest.approx(1.5)}  # 2, 1, 1 of 4 mentions


def test_top_entities_stand_with_their_share_and_the_texts_that_name_them():
    found = entities(TEXTS, top=1)
    assert (found["n"], found["mentions"], list(found["types"])) == (4, 5, [PERSON, PLACE])
    assert found["types"][PERSON] == {
        "entropy": pytest.approx(1.5), "mentions": 4, "different": 3, "texts": 3,
        "top": [{"entity": "Ann", "mentions": 2, "share": 0.5}], "top_share": 0.5, "top_texts": 0.25,
    }  # fmt: skip


def test_texts_without_entities_have_no_types():
    assert entities([[], []]) == {"n": 2, "mentions": 0, "types": {}}
    assert entity_entropy([]) == {}
    assert entropy({}) == 0.0


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_entropy_lies_between_nothing_and_the_log_of_what_is_different(counts):
    found = entropy({str(number): count for number, count in enumerate(counts)})
    assert 0 <= found <= math.log2(len(counts)) + 1e-12
    assert entropy({str(number): 7 for number in range(len(counts))}) == pytest.approx(math.log2(len(counts)))


@pytest.fixture
def pipeline(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": PLACE, "pattern": "Oslo"}, {"label": PERSON, "pattern": "Ann"}])
    nlp.to_disk(tmp_path / "rules")
    return tmp_path / "rules"


def test_a_pipeline_of_a_folder_finds_them(pipeline):
    recognizer = load_recognizer(str(pipeline))
    assert [*recognizer.mentions(["Ann is in Oslo.", "oslo"])] == [[(PERSON, "Ann"), (PLACE, "Oslo")], []]
    assert recognizer.name.startswith("en_pipeline ")


def test_a_pipeline_that_is_not_there_says_how_to_get_one():
    with pytest.raises(ConfigError, match=r"no spaCy pipeline 'en_core_web_nothing' for entities .*spacy download en_core_web_sm.* null"):
        load_recognizer("en_core_web_nothing")


def test_a_pipeline_without_entities_is_refused(tmp_path):
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ConfigError, match="finds no entities: it has no component"):
        load_recognizer(str(tmp_path / "blank"))

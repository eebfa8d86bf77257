"""The measures for `evaluate`: each loads without a network and gives what the function gives."""

import socket

import evaluate
import numpy as np
import pytest
import spacy

from spacy_synthesizrr.metrics.distinct import distinct
from spacy_synthesizrr.metrics.gaps import length_gap, vocabulary_gap
from spacy_synthesizrr.metrics.mauve import mauve
from spacy_synthesizrr.metrics.measurements import measurement_names, measurement_path
from spacy_synthesizrr.metrics.novelty import novelty
from spacy_synthesizrr.metrics.self_bleu import self_bleu
from spacy_synthesizrr.metrics.similarity import coverage
from spacy_synthesizrr.metrics.tokens import tokenizer, tokens

TEXTS = ["The cat sat on the mat.", "The dog sat on the mat.", "A comet passes Mars in May."]
GOLD = ["The dog ran.", "Mars is red and far away.", "Cats sleep."]
VECTORS = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]] + 0.1


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """`evaluate.load` without a network, with folders of its own."""
    folder = tmp_path_factory.mktemp("evaluate")

    def refuse(*_):
        raise AssertionError("asked the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", folder / "modules")
        yield lambda name: evaluate.load(measurement_path(name), cache_dir=str(folder), keep_in_memory=True)


def expected_self_bleu():
    return {f"self_bleu_{n}": value for n, value in enumerate(self_bleu(tokens(TEXTS, tokenizer("en"))), 1)}


TEXT_MEASURES = {
    "self_bleu": ({}, expected_self_bleu),
    "distinct": ({}, lambda: {f"distinct_{n}": distinct(TEXTS, n) for n in (1, 2, 3)}),
    "novelty": ({"corpus": ["the cat sat"]}, lambda: {f"novel_{n}": share for n, share in novelty(TEXTS, ["the cat sat"]).items()}),
}
COMPARED = {
    "vocabulary_gap": lambda: {key: vocabulary_gap(GOLD, TEXTS)[key] for key in ("divergence", "known", "strange")},
    "length_gap": lambda: length_gap(GOLD, TEXTS),
}


@pytest.mark.parametrize("name", TEXT_MEASURES)
def test_measure_of_texts_is_that_of_the_function(load, name):
    given, expected = TEXT_MEASURES[name]
    assert load(name).compute(data=TEXTS, **given) == expected()


@pytest.mark.parametrize("name", COMPARED)
def test_measure_against_references_is_that_of_the_function(load, name):
    assert load(name).compute(predictions=TEXTS, references=GOLD) == COMPARED[name]()


def test_measures_of_vectors_take_lists_of_numbers(load):
    from spacy_synthesizrr.embedders.base import unit_rows

    found = load("coverage").compute(predictions=VECTORS[1:].tolist(), references=VECTORS[:5].tolist())  # `evaluate` wants equally many
    assert found["coverage"] == coverage(unit_rows(VECTORS[:5]), unit_rows(VECTORS[1:]))["value"] > 0
    assert load("spread").compute(data=VECTORS.tolist())["spread"] > 0
    found = load("mauve").compute(predictions=VECTORS.tolist(), references=VECTORS.tolist(), clusters=3, scaling=5.0)
    assert found["mauve"] == pytest.approx(mauve(VECTORS, VECTORS, clusters=3, scaling=5.0)) and found["floor"] < 0.01


def test_entities_come_from_the_pipeline_that_is_named(load, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "PLANET", "pattern": "Mars"}])
    nlp.to_disk(tmp_path / "rules")
    assert load("entity_entropy").compute(data=TEXTS, pipeline=str(tmp_path / "rules")) == {"PLANET": 0.0}


def test_agreement_stands_beside_that_of_shuffled_labels(load):
    found = load("label_agreement").compute(predictions=["a"] * 5 + ["b"] * 5, references=["a"] * 5 + ["b"] * 4 + ["a"])
    assert found["agreement"] == 0.9 and found["shuffled"] < 0.8


def test_compression_is_that_of_the_texts(load):
    assert load("compression_ratio").compute(data=["a b c"] * 50)["compression_ratio"] > 5


def test_every_measure_is_asked_here():
    asked = {*TEXT_MEASURES, *COMPARED, "coverage", "spread", "mauve", "entity_entropy", "label_agreement", "compression_ratio"}
    assert set(measurement_names()) == asked


def test_unknown_measure_names_those_there_are():
    with pytest.raises(ValueError, match="no measure 'self_blue'. Did you mean 'self_bleu'"):
        measurement_path("self_blue")

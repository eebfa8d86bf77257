"""Calibration and thresholds of a trained student."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import spacy
from small_students import ARCHITECTURES, EXCLUSIVE, LABELS, SEVERAL, rows, student

from spacy_synthesizrr.students.quality.finishing import LEAST_ROWS, Finish, finish, temperature_of, thresholds_of
from spacy_synthesizrr.students.quality.output_layer import classifier, predict


@cache
def raw(task):
    nlp = student("bow", task, steps=30)
    return nlp.config, nlp.to_bytes()


def fresh(task):
    config, data = raw(task)
    return spacy.util.load_model_from_config(config, auto_fill=False).from_bytes(data)


def dev(task, number=150, seed=5):
    return rows(number, seed=seed, exclusive=task.exclusive)


def read(nlp, task):
    return predict(nlp, [nlp.make_doc(text) for text, _ in dev(task, seed=6)], task)


@pytest.mark.parametrize("task", [EXCLUSIVE, SEVERAL], ids=["one", "several"])
def test_dev_is_better_explained_and_the_weights_hold_the_temperature(task):
    nlp = fresh(task)
    before = read(nlp, task)
    found = finish(nlp, dev(task), task)
    assert found.temperature != 1.0
    assert found.dev["nll_after"] < found.dev["nll_before"]
    after = read(nlp, task)
    powers = before ** (1 / found.temperature)
    expected = powers / powers.sum(axis=1, keepdims=True) if task.exclusive else powers / (powers + (1 - before) ** (1 / found.temperature))
    assert after == pytest.approx(expected, abs=1e-4)


def test_with_one_label_per_row_answers_stay_and_there_are_no_thresholds():
    nlp = fresh(EXCLUSIVE)
    before = read(nlp, EXCLUSIVE).argmax(axis=1)
    assert finish(nlp, dev(EXCLUSIVE), EXCLUSIVE).thresholds == {}
    assert np.array_equal(read(nlp, EXCLUSIVE).argmax(axis=1), before)


def test_thresholds_are_chosen_on_calibrated_scores_and_the_components_own_stays():
    nlp = fresh(SEVERAL)
    found = finish(nlp, dev(SEVERAL), SEVERAL)
    gold = np.array([[cats[label] > 0.5 for label in LABELS] for _, cats in dev(SEVERAL)])
    scores = predict(nlp, [nlp.make_doc(text) for text, _ in dev(SEVERAL)], SEVERAL)

    def f1(thresholds):
        given = scores >= thresholds
        return 2 * (given & gold).sum(axis=0) / (given.sum(axis=0) + gold.sum(axis=0))

    assert np.all(f1(np.array(list(found.thresholds.values()))) >= f1(0.5))
    assert classifier(nlp, SEVERAL).cfg["threshold"] == 0.5
    assert thresholds_of(nlp, SEVERAL) == found.thresholds != dict.fromkeys(LABELS, 0.5)


@pytest.mark.parametrize("task", [EXCLUSIVE, SEVERAL], ids=["one", "several"])
@pytest.mark.parametrize("number", [0, LEAST_ROWS - 1])
def test_few_dev_rows_change_nothing_and_say_so(task, number):
    nlp = fresh(task)
    before = classifier(nlp, task).to_bytes()
    found = finish(nlp, dev(task, number), task)
    assert (found.temperature, found.rows, found.dev) == (1.0, number, {})
    assert f"{number} dev rows are too few" in found.why
    assert set(found.thresholds.values()) == (set() if task.exclusive else {0.5})
    assert classifier(nlp, task).to_bytes() == before


def test_dev_rows_without_a_text_do_not_count():
    found = finish(fresh(EXCLUSIVE), [*dev(EXCLUSIVE, 60), ("", {"sport": 1.0})], EXCLUSIVE)
    assert found.rows == 60


def test_a_label_that_no_dev_row_has_keeps_half():
    seen = [(text, {**cats, "science": 0.0}) for text, cats in dev(SEVERAL)]
    found = finish(fresh(SEVERAL), seen, SEVERAL)
    assert found.thresholds["science"] == 0.5
    assert found.notes == ("'science' keeps the threshold 0.5: no dev row has this label.",)


def test_a_model_that_cannot_be_scaled_stays_and_says_why():
    nlp = student("bow", SEVERAL, steps=5, model={**ARCHITECTURES["bow"], "no_output_layer": True})
    before = classifier(nlp, SEVERAL).to_bytes()
    found = finish(nlp, dev(SEVERAL), SEVERAL)
    assert (found.temperature, found.dev) == (1.0, {})
    assert found.why.startswith("Not calibrated. The last layer of the model")
    assert classifier(nlp, SEVERAL).to_bytes() == before


def test_what_was_done_is_plain_json_in_the_saved_meta(tmp_path):
    nlp = fresh(SEVERAL)
    nlp.meta["synthesizrr"] = {"task": "t"}
    found = finish(nlp, dev(SEVERAL), SEVERAL)
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    kept = loaded.meta["synthesizrr"]
    assert (kept["task"], list(kept["finish"]), kept["finish"]["rows"]) == ("t", list(found.to_dict()), 150)
    assert thresholds_of(loaded, SEVERAL) == pytest.approx(found.thresholds, rel=1e-12)
    assert temperature_of(loaded) == pytest.approx(found.temperature, rel=1e-12)
    assert np.array_equal(read(loaded, SEVERAL), read(nlp, SEVERAL))


def test_a_student_is_finished_once():
    nlp = fresh(EXCLUSIVE)
    finish(nlp, dev(EXCLUSIVE), EXCLUSIVE)
    with pytest.raises(ValueError, match="finished"):
        finish(nlp, dev(EXCLUSIVE), EXCLUSIVE)


def test_a_student_that_nobody_finished_has_the_components_threshold():
    assert thresholds_of(fresh(SEVERAL), SEVERAL) == dict.fromkeys(LABELS, 0.5)
    assert temperature_of(fresh(SEVERAL)) == Finish().temperature == 1.0

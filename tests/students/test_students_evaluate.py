"""What students answer: one label, or every label that reaches its own threshold."""

from __future__ import annotations

import numpy as np
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Corpus

from spacy_synthesizrr.students.config import StudentTask
from spacy_synthesizrr.students.evaluate import Gold, answer, answers_of, calibration, load_each, read_gold, score
from spacy_synthesizrr.students.export import ROW_ID

LABELS = ("sport", "business")
ONE, SEVERAL = StudentTask(LABELS, True, "en"), StudentTask(LABELS, False, "en")


def student(task, thresholds=None):
    """A classifier that was not trained."""
    nlp = spacy.blank("en")
    component = nlp.add_pipe(task.component)
    for label in task.labels:
        component.add_label(label)
    nlp.initialize()
    if thresholds:
        nlp.meta["synthesizrr"] = {"finish": {"v": 1, "temperature": 1.0, "thresholds": thresholds}}
    return nlp


def gold(nlp, *texts):
    return Gold([nlp.make_doc(text) for text in texts], [("sport",)] * len(texts), list(range(1, len(texts) + 1)))


def test_with_one_label_per_row_the_first_of_equal_scores_is_the_answer():
    assert answers_of(np.array([[0.5, 0.5], [0.4, 0.6]]), ONE, {}) == [("sport",), ("business",)]


def test_each_label_has_its_own_threshold_which_counts_as_reached():
    scores = np.array([[0.3, 0.3], [0.29, 0.8], [0.1, 0.1]])
    assert answers_of(scores, SEVERAL, {"sport": 0.3, "business": 0.5}) == [("sport",), ("business",), ()]


@pytest.mark.parametrize("task", [ONE, SEVERAL], ids=["one", "several"])
def test_no_texts_have_no_answers(task):
    assert answer(student(task), [], task) == []


def test_thresholds_of_the_pipeline_are_used():
    nlp = student(SEVERAL, {"sport": 0.0, "business": 1.0})
    assert answer(nlp, [nlp.make_doc("A goal.")], SEVERAL) == [("sport",)]


def test_students_loaded_one_into_the_other_have_their_own_thresholds(tmp_path):
    thresholds = [{"sport": 0.0, "business": 1.0}, None, {"sport": 1.0, "business": 0.0}]
    for number, values in enumerate(thresholds):
        student(SEVERAL, values).to_disk(tmp_path / str(number))
    folders = [tmp_path / str(number) for number in range(3)]
    found = [nlp.meta.get("synthesizrr", {}).get("finish", {}).get("thresholds") for nlp in load_each(folders)]
    assert found == thresholds


@pytest.mark.parametrize("task", [ONE, SEVERAL], ids=["one", "several"])
def test_rows_without_a_text_are_left_out_as_spacy_does(task, tmp_path):
    nlp, docs = student(task), []
    for number, text in enumerate(("A goal.", "", "The bank."), start=1):
        docs.append(nlp.make_doc(text))
        docs[-1].cats = {"sport": 1.0, "business": 0.0}
        docs[-1].user_data[ROW_ID] = f"test:{number}"
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "test.spacy")
    found = read_gold(tmp_path / "test.spacy", nlp, task)
    assert ([doc.text for doc in found.docs], found.lines) == (["A goal.", "The bank."], [1, 3])
    assert score(nlp, found, task).score == nlp.evaluate(list(Corpus(tmp_path / "test.spacy")(nlp)))["cats_micro_f"]


def test_without_rows_there_is_no_calibration():
    nlp = student(ONE)
    empty = Gold([], [], [])
    assert (score(nlp, empty, ONE).ece, calibration(nlp, empty, ONE)) == (None, None)

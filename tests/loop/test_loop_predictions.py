"""What students say of labelled rows: labels, scores, margins, losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import spacy
from error_rows import make_task, row, said
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.loop.predictions import join, judge, predict_rows, read_predictions, write_predictions

ONE, SEVERAL = make_task("a", "b", "c"), make_task("a", "b", "c", exclusive=False)
LABELS = ("a", "b", "c")
PROBABILITIES = st.lists(st.floats(0.001, 0.999), min_size=3, max_size=3)


def student(task, path, thresholds=None):
    """A classifier that was not trained, on disk."""
    name = "textcat" if task.exclusive else "textcat_multilabel"
    nlp = spacy.blank("en")
    component = nlp.add_pipe(name)
    for label in task.labels:
        component.add_label(label)
    nlp.initialize()
    if thresholds:
        nlp.meta["synthesizrr"] = {"finish": {"v": 1, "temperature": 1.0, "thresholds": thresholds}}
    nlp.to_disk(path)
    return path


def test_numbers_of_a_row_with_one_label():
    found = judge(row(4, "b"), ("a",), np.array([0.5, 0.3, 0.2]), LABELS, {})
    assert (found.line, found.labels, found.predicted, found.wrong, found.rival) == (4, ("b",), ("a",), ("a",), "a")
    assert (found.score, found.margin, found.loss) == pytest.approx((0.3, -0.2, -math.log(0.3)))


def test_numbers_of_a_row_with_several_labels():
    thresholds = {"a": 0.5, "b": 0.4, "c": 0.9}
    found = judge(row(1, "a", "b"), ("a", "b"), np.array([0.8, 0.45, 0.7]), LABELS, thresholds)
    loss = -(math.log(0.8) + math.log(0.45) + math.log(1 - 0.7)) / 3
    assert (found.score, found.margin, found.loss) == pytest.approx((0.45, 0.05, loss))
    assert found.rival == "c"


def test_row_without_a_label_is_right_when_nothing_is_given():
    found = judge(row(1), (), np.array([0.1, 0.3, 0.2]), LABELS, dict.fromkeys(LABELS, 0.5))
    assert found.score == pytest.approx(0.7) and found.margin == pytest.approx(0.2) and found.rival == "b"


def test_loss_of_a_score_of_zero_is_finite():
    assert math.isfinite(judge(row(1, "a"), ("b",), np.array([0.0, 1.0, 0.0]), LABELS, {}).loss)


@given(PROBABILITIES, PROBABILITIES, st.sets(st.sampled_from(LABELS)))
def test_margin_is_negative_where_the_label_set_is_wrong(scores, least, gold):
    thresholds = dict(zip(LABELS, least, strict=True))
    answer = tuple(label for label, score in zip(LABELS, scores, strict=True) if score >= thresholds[label])
    found = judge(row(1, *sorted(gold)), answer, np.array(scores), LABELS, thresholds)
    if found.margin != 0:  # a score at its threshold is given
        assert (found.margin < 0) == (set(answer) != gold)


@pytest.mark.parametrize("task", [ONE, SEVERAL], ids=["one", "several"])
def test_every_student_answers_every_row(tmp_path, task):
    folders = {seed: student(task, tmp_path / str(seed)) for seed in (3, 4)}
    rows = [row(5, "a"), row(9, "b")]
    found = predict_rows(folders, rows, task)
    assert {seed: [one.line for one in some] for seed, some in found.items()} == {3: [5, 9], 4: [5, 9]}
    nlp = spacy.load(folders[3])
    cats = nlp(rows[1].fields["text"]).cats
    assert found[3][1].score == pytest.approx(cats["b"])


def test_students_of_several_labels_use_their_own_thresholds(tmp_path):
    folders = {
        1: student(SEVERAL, tmp_path / "1", {"a": 0.0, "b": 1.0, "c": 1.0}),
        2: student(SEVERAL, tmp_path / "2", {"a": 1.0, "b": 0.0, "c": 1.0}),
    }
    found = predict_rows(folders, [row(1, "a")], SEVERAL)
    assert [some[0].predicted for some in found.values()] == [("a",), ("b",)]


def test_no_rows_have_no_predictions(tmp_path):
    assert predict_rows({1: student(ONE, tmp_path / "1")}, [], ONE) == {1: []}


def test_chosen_student_speaks_for_all():
    found = {1: [said(1, "a", "b")], 2: [said(1, "a", "a")]}
    assert join(found, by="chosen", chosen=2) == found[2]


def test_majority_counts_label_sets_and_averages_numbers():
    found = {seed: [said(1, "a", answer, loss=loss)] for seed, answer, loss in ((1, "a", 0.3), (2, "b", 0.9), (3, "b", 1.5))}
    one = join(found, by="majority", chosen=1)[0]
    assert one.predicted == ("b",) and one.loss == pytest.approx(0.9)


def test_chosen_student_breaks_ties_of_the_majority():
    found = {1: [said(1, "a", "b")], 2: [said(1, "a", "a")]}
    assert [join(found, by="majority", chosen=seed)[0].predicted for seed in (1, 2)] == [("b",), ("a",)]


def test_predictions_are_read_as_they_were_written(tmp_path):
    rows = {"error": [row(1, "a"), row(2, "b")], "selection": [row(3, "a", "b")]}
    made = {
        "error": {seed: [said(1, "a", "b", rival="b"), said(2, "b", "b", loss=0.1)] for seed in (5, 6)},
        "selection": {seed: [said(3, ("a", "b"), ())] for seed in (5, 6)},
    }
    path = tmp_path / "predictions.jsonl"
    assert write_predictions(path, made) == 6
    assert read_predictions(path, rows) == made
    assert read_predictions(path, {"error": rows["error"]}) == {"error": made["error"]}


def test_prediction_of_a_row_that_is_gone_is_an_error(tmp_path):
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, {"error": {1: [said(1, "a", "b")]}})
    with pytest.raises(InputError, match="predictions.jsonl:1: This row cannot be read"):
        read_predictions(path, {"error": [row(2, "a")]})

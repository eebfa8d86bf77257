"""Smoothed labels and weighted rows."""

from __future__ import annotations

import numpy
import pytest
import spacy
from spacy.training import Example

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.students.export import ROW_SCORE, ROW_SOURCE, ROW_WEIGHT
from spacy_synthesizrr.students.targets import make_soft_targets

LABELS = ("sport", "business", "science")


def student(*, exclusive=True, **options):
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat" if exclusive else "textcat_multilabel")
    nlp.initialize(lambda: [example(nlp, label) for label in LABELS])
    return make_soft_targets(**options)(nlp) if options else nlp


def example(nlp, *labels, **about):
    predicted = nlp.make_doc("a goal for the bank")
    reference = predicted.copy()
    reference.cats = {label: float(label in labels) for label in LABELS}
    reference.user_data.update(about)
    return Example(predicted, reference)


def gradient(nlp, examples):
    component = nlp.get_pipe(nlp.pipe_names[0])
    scores = numpy.array([[0.5, 0.3, 0.2]] * len(examples), dtype="f")
    return component.get_loss(examples, scores)


def test_nothing_asked_for_is_what_spacy_does():
    nlp = student()
    examples = [example(nlp, "sport"), example(nlp, "science")]
    loss, theirs = gradient(nlp, examples)
    again, ours = gradient(make_soft_targets()(nlp), examples)
    assert (again, ours.tolist()) == (pytest.approx(loss), theirs.tolist())


def test_smoothing_spreads_a_share_over_all_labels():
    nlp = student(label_smoothing=0.3)
    _, found = gradient(nlp, [example(nlp, "sport")])
    assert found[0] == pytest.approx([0.5 - 0.8, 0.3 - 0.1, 0.2 - 0.1])


def test_smoothing_of_several_labels_goes_between_yes_and_no_of_each():
    nlp = student(exclusive=False, label_smoothing=0.2)
    _, found = gradient(nlp, [example(nlp, "sport", "science")])
    assert found[0] == pytest.approx([0.5 - 0.9, 0.3 - 0.1, 0.2 - 0.9])


def test_row_weighs_by_who_chose_its_labels():
    nlp = student(weights={"human": 2.0, "unreviewed": 0.0})
    rows = [example(nlp, "sport", **{ROW_SOURCE: source}) for source in ("human", "unreviewed", "gold")]
    _, found = gradient(nlp, rows)
    assert found[0] == pytest.approx(2 * found[2])
    assert found[1].tolist() == [0, 0, 0]


def test_row_weighs_as_much_as_its_labels_are_sure():
    nlp = student(by_score=True)
    _, found = gradient(nlp, [example(nlp, "sport", **{ROW_SCORE: 0.25}), example(nlp, "sport")])
    assert found[0] == pytest.approx(0.25 * found[1])


def test_row_weighs_what_curation_gave_it_where_the_config_says_so():
    for by_weight, factor in ((True, 0.5), (False, 1.0)):
        nlp = student(by_weight=by_weight)
        _, found = gradient(nlp, [example(nlp, "sport", **{ROW_WEIGHT: 0.5}), example(nlp, "sport")])
        assert found[0] == pytest.approx(factor * found[1])


def test_row_of_weight_two_counts_as_the_row_twice():
    nlp = student(weights={"human": 2.0})
    _, once = gradient(nlp, [example(nlp, "sport", **{ROW_SOURCE: "human"})])
    _, twice = gradient(nlp, [example(nlp, "sport"), example(nlp, "sport")])
    assert once.sum(axis=0) == pytest.approx(twice.sum(axis=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0.*below 1"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1"),
        ({"weights": {"humans": 1.0}}, "'humans'.*human"),
        ({"weights": {"human": -1.0}}, "'human' is -1.0"),
        ({"weights": {"human": float("inf")}}, "'human' is inf"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        make_soft_targets(**options)


def test_saved_student_knows_nothing_of_it(tmp_path):
    student(label_smoothing=0.1).to_disk(tmp_path)
    assert "synthesizrr" not in (tmp_path / "config.cfg").read_text()
    assert set(spacy.load(tmp_path)("a goal").cats) == set(LABELS)

"""Which rows count as errors."""

from __future__ import annotations

import pytest
from error_rows import make_task, said

from spacy_synthesizrr.configs import section
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.loop.errors import ErrorSettings, check_errors, find_errors


def lines(found):
    return [one.line for one in found.found]


def settings(**values):
    return section({"errors": values}, "errors", ErrorSettings, path="loop.cfg")


def test_wrong_answers_are_errors():
    found = find_errors([said(1, "a", "a"), said(2, "a", "b"), said(3, ("a", "b"), "a"), said(4, ("a", "b"), ("b", "a"))], settings())
    assert lines(found) == [2, 3] and found.rows == 4


def test_narrow_escapes_are_errors_by_margin():
    predictions = [said(1, "a", "a", margin=0.5), said(2, "a", "a", margin=0.1), said(3, "a", "b", margin=-0.2)]
    assert lines(find_errors(predictions, settings(criterion="margin", threshold=0.2))) == [2, 3]


def test_large_losses_are_errors_by_loss():
    predictions = [said(1, "a", "a", loss=0.2), said(2, "a", "a", loss=0.8), said(3, "a", "b", loss=2.0)]
    assert lines(find_errors(predictions, settings(criterion="loss", threshold=0.7))) == [2, 3]


def test_rows_without_a_label_are_counted_and_not_extrapolated():
    found = find_errors([said(1, (), "a"), said(2, (), ()), said(3, "a", ())], settings())
    assert (lines(found), found.without_label) == ([3], 1)


def test_confusions_leave_other_errors_out():
    found = find_errors([said(1, "a", "b"), said(2, "b", "a"), said(3, "a", "c")], settings(confusions=[["a", "b"], ["c", "a"]]))
    assert (lines(found), found.off_target) == ([1], 2)


def test_confusion_of_several_labels_is_one_gold_label_and_one_wrong_one():
    predictions = [said(1, ("a", "c"), ("c", "b")), said(2, ("a", "b"), ("b",)), said(3, ("a", "c"), (), rival="b")]
    assert lines(find_errors(predictions, settings(confusions=[["a", "b"]]))) == [1, 3]


def test_narrow_escape_is_a_confusion_with_its_rival():
    predictions = [said(1, "a", "a", margin=0.1, rival="b"), said(2, "a", "a", margin=0.1, rival="c")]
    found = find_errors(predictions, settings(criterion="margin", threshold=0.2, confusions=[["a", "b"]]))
    assert lines(found) == [1]


@pytest.mark.parametrize(("errors", "least", "few"), [(0, 1, True), (1, 1, False), (2, 3, True)])
def test_few_errors_end_the_loop(errors, least, few):
    found = find_errors([said(line, "a", "b") for line in range(errors)], settings(min_new=least))
    assert found.few(settings(min_new=least)) is few


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"threshold": 0.2}, 'threshold = 0.2 is read by no one with criterion = "misclassified"'),
        ({"criterion": "margin"}, 'criterion = "margin" needs a threshold, such as threshold = 0.2'),
        ({"criterion": "loss", "threshold": -1}, "a loss is never negative"),
        ({"clusters": -1}, 'clusters must be "auto" or a whole number from 0'),
        ({"confusions": [["a", "a"]]}, 'pairs of two labels, gold and predicted (was: ["a", "a"])'),
        ({"max": 0}, "'max' Input should be greater than or equal to 1 (was: 0)"),
        ({"maximum": 3}, "unknown key 'maximum'. Did you mean"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values, words):
    with pytest.raises(ConfigError) as caught:
        settings(**values)
    assert words in str(caught.value) and str(caught.value).startswith("loop.cfg: [errors]")


def test_confusion_of_an_unknown_label_is_refused():
    with pytest.raises(ConfigError, match="confusions: there is no label 'sprot'. Did you mean 'sport'"):
        check_errors(settings(confusions=[["art", "sprot"]]), make_task("sport", "art"))
    check_errors(settings(confusions=[["art", "sport"]]), make_task("sport", "art"))

"""What the page says about the student's scores."""

from __future__ import annotations

import html
import re

import pytest
from report_numbers import NUMBERS, arm
from test_page import Outline, page, words

from spacy_synthesizrr.report.calibration import reliability, sentences, tables

CHOSEN = NUMBERS["evaluation"]


def changed(**about):
    return {**CHOSEN, "calibration": {**CHOSEN["calibration"], **about}}


@pytest.mark.parametrize(("exclusive", "what"), [(True, "8 top scores"), (False, "8 scores of all labels")])
def test_the_diagram_says_what_is_in_its_bins(exclusive, what):
    plot = reliability(CHOSEN["calibration"]["reliability"], exclusive=exclusive)
    assert what in plot.legend[0][1]
    assert "3 with mean score 64.0: 33.3 right" in html.unescape(re.sub(r"<[^>]+>", " ", plot.svg))


def test_the_measures_stand_before_and_after():
    measures, bins = tables(CHOSEN)
    assert measures.rows[0] == ("expected calibration error, %", "31.0", "12.0")
    assert bins.rows[0] == ("0.60 to 0.67", 3, "64.0", "33.3")


def test_a_likelihood_that_was_not_measured_is_left_out():
    assert len(next(tables(changed(nll=None))).rows) == 2


def test_thresholds_are_listed():
    assert list(tables({**CHOSEN, "thresholds": {"sport": 0.25}}))[-1].rows == (("sport", "0.250"),)


def test_a_temperature_that_did_not_help_on_test_is_said_so():
    assert "is smaller for it: 31.0 % before, 12.0 % after" in next(sentences(CHOSEN))
    assert "is no smaller for it" in next(sentences(changed(ece={"before": 0.1, "after": 0.2})))


def test_a_student_that_was_not_calibrated_says_why():
    chosen = {**changed(temperature=1.0), "finish": {"why": "12 dev rows are too few.", "notes": ["Thresholds stay."]}}
    first, *rest = sentences(chosen)
    assert first == "Scores are as training left them. 12 dev rows are too few."
    assert rest[-1] == "Thresholds stay."


@pytest.mark.parametrize(("temperature", "thresholds", "rows", "said"), [
    (0.5, {"sport": 0.3}, 60, "Dev chose the model before it chose temperature and thresholds, so on dev"),
    (0.5, {}, 60, "before it chose temperature, so"), (1.0, {"sport": 0.3}, 60, "before it chose thresholds, so"),
    (1.0, {"sport": 0.5}, 12, "Dev chose the model, so on dev it looks"), (1.0, {}, 0, "There were no dev rows to choose or fit"),
])  # fmt: skip
def test_only_what_dev_chose_is_said_to_be_chosen_by_it(temperature, thresholds, rows, said):
    chosen = {**changed(temperature=temperature), "thresholds": thresholds, "finish": {"rows": rows, "why": "", "notes": []}}
    assert said in list(sentences(chosen))[1]


def test_without_dev_scores_no_student_is_the_best_on_dev():
    arms = [arm("main", (), [0.7, 0.8]), arm("seed-only", (), [0.85])]
    text = words(page(arms=arms, evaluation={**CHOSEN, "thresholds": {"sport": 0.5}}))
    assert text.count("(training seed 1, the first; there were no dev rows to choose by)") == 2
    assert "best on dev" not in text and "its dev scores are too high" not in text


def test_the_page_has_a_section_on_calibration():
    outline = Outline(page())
    assert ("href", "#calibration") in outline.attributes and ("id", "calibration") in outline.attributes
    text = words(page())
    assert "Nothing was fitted to test." in text
    assert "(training seed 1, the best on dev) has 80.0 % on test, 95 % interval 66.0 to 90.0" in text


def test_without_calibration_the_section_says_so():
    text = words(page(evaluation={**CHOSEN, "calibration": None}))
    assert "Calibration : not available" in text or "Calibration: not available" in text

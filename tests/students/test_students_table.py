"""What the table of student and controls says below its lines."""

from __future__ import annotations

import pytest

from spacy_synthesizrr.students.quality.calibration import TOO_LOW
from spacy_synthesizrr.students.table import DEV_ALONE, NO_DEV, WORSE, arms_table, comparison_table

SPREAD = {"mean": 0.8, "sd": 0.01}
INTERVAL = {"value": 0.8, "low": 0.72, "high": 0.88}


def arm(*, dev, test):
    measured = {"test": SPREAD, "interval": INTERVAL, "macro_f": SPREAD, "ece": SPREAD} if test else {}
    empty = dict.fromkeys(("test", "interval", "macro_f", "ece"))
    return {"name": "main", "run": True, "why": "", "rows": 90, "steps": 201, "dev": SPREAD if dev else None, **empty, **measured}


def evaluation(*, dev=True, test=True, temperature=1.0, why="", before=0.2, after=0.2):
    calibration = {"temperature": temperature, "ece": {"before": before, "after": after}}
    chosen = {"seed": 1, "intervals": {"score": INTERVAL}, "calibration": calibration, "thresholds": {}, "finish": {"why": why}}
    return {
        "metric": "accuracy", "rows": 90 if test else 0, "why": "" if test else "no test rows", "dev_in_test": 0,
        "arms": [arm(dev=dev, test=test)], "chosen": chosen if test else None, "copies": {"rows": 0, "equal": 0},
        "baselines": {"majority": {"label": "sport", "score": 0.5}},
    }  # fmt: skip


@pytest.mark.parametrize(("dev", "test", "said", "unsaid"), [
    (True, False, DEV_ALONE, NO_DEV), (False, False, NO_DEV, DEV_ALONE), (False, True, NO_DEV, DEV_ALONE),
])  # fmt: skip
def test_only_dev_rows_that_are_there_have_chosen_the_models(dev, test, said, unsaid):
    table = arms_table(evaluation(dev=dev, test=test))
    assert said in table and unsaid not in table
    students = [{"student": "bow", "bytes": 1_000_000, "arms": [arm(dev=dev, test=test)]}]
    table = comparison_table({"metric": "accuracy", "rows": 90 if test else 0, "students": students})
    assert said in table and unsaid not in table


def test_where_dev_chose_the_models_kinds_are_compared_on_test():
    students = [{"student": "bow", "bytes": 1_000_000, "arms": [arm(dev=True, test=True)]}]
    assert "Dev chose the models: compare on test." in comparison_table({"metric": "accuracy", "rows": 90, "students": students})


@pytest.mark.parametrize("temperature", [1.0, 0.005])
def test_what_there_is_to_know_about_the_temperature_is_said(temperature):
    assert TOO_LOW in arms_table(evaluation(temperature=temperature, why=TOO_LOW))


@pytest.mark.parametrize(("before", "after", "warned"), [(0.163, 0.218, True), (0.218, 0.163, False), (0.1631, 0.1632, False)])
def test_a_temperature_that_made_the_error_on_test_larger_is_warned_of(before, after, warned):
    table = arms_table(evaluation(temperature=0.05, before=before, after=after))
    assert f"takes its ECE on test from {100 * before:.1f} to {100 * after:.1f}." in table
    assert (WORSE in table) is warned

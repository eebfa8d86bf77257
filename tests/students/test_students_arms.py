"""Arms: names, files, and train sets that cannot work."""

from __future__ import annotations

import pytest

from spacy_synthesizrr.errors import StudentError
from spacy_synthesizrr.students.arms import Arm, arm_file, check_main, empty_label

LABELS = ("sport", "business", "science")


def test_arm_survives_a_json_round_trip():
    arm = Arm("random", 3, {"sport": 3}, why="not run: no rows for label 'business'")
    assert Arm.from_dict(arm.to_dict()) == arm


def test_files_of_the_main_arm_lie_in_the_run_folder_itself():
    assert (arm_file("main", "train.spacy"), arm_file("gold", "train.spacy")) == ("train.spacy", "controls/gold/train.spacy")


def test_unknown_arm_is_named_with_its_neighbour():
    with pytest.raises(ValueError, match="Did you mean 'random'"):
        arm_file("randon", "train.spacy")


def test_empty_label_is_found():
    assert empty_label(Arm("gold", 2, {"sport": 1, "science": 1}), LABELS) == "business"


def test_full_train_set_is_accepted():
    check_main(Arm("main", 3, dict.fromkeys(LABELS, 1)), LABELS)


def test_train_set_without_rows_is_refused():
    with pytest.raises(StudentError, match="No row was accepted.*funnel.json"):
        check_main(Arm("main"), LABELS)


def test_label_without_rows_is_refused_by_name_and_with_a_cure():
    with pytest.raises(StudentError, match=r"label 'business' \(5 rows of other labels\).*widen \[plan.window\]"):
        check_main(Arm("main", 5, {"sport": 3, "science": 2, "business": 0}), LABELS)


def test_single_class_train_set_is_refused():
    with pytest.raises(StudentError, match="All 5 accepted rows have the label 'sport'"):
        check_main(Arm("main", 5, {"sport": 5}), LABELS)

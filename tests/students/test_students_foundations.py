"""What a student's config names and does not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.students.config import StudentTask, read_student_config
from spacy_synthesizrr.students.foundations import check_builds, foundation

CONFIGS = Path(__file__).parents[2] / "configs"
TASK = StudentTask(("a", "b"), True, "en")


@pytest.mark.parametrize("kind", ["bow", "reduce", "ensemble"])
def test_students_of_spacy_alone_are_built_on_nothing(kind):
    config = read_student_config(CONFIGS / f"student.{kind}.cfg", TASK)
    assert foundation(config.interpolate()) == {}
    check_builds(config)


@pytest.mark.parametrize("config", [{}, {"components": None}, {"components": {"textcat": 3}}, {"components": {"textcat": {"model": "x"}}}])
def test_odd_configs_are_left_to_those_who_read_them(config):
    assert foundation(config) == {}


def test_what_spacy_cannot_build_is_told():
    config = read_student_config(CONFIGS / "student.bow.cfg", TASK)
    config["components"]["textcat"]["model"]["@architectures"] = "nobody.Knows.v1"
    with pytest.raises(ConfigError, match="spaCy refuses the student's config.*nobody.Knows.v1"):
        check_builds(config)

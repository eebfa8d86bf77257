"""Config files: a wrong name, section or key is one line with the choices."""

import pytest

from spacy_synthesizrr.configs import Settings, build, read_config, section
from spacy_synthesizrr.errors import ConfigError, MissingExtraError, choices, require


class Window(Settings):
    low: float = 0.1


class Plan(Settings):
    window: Window = Window()
    shots: int = 0


def test_missing_config_names_those_there_are(tmp_path):
    (tmp_path / "teacher.scripted.cfg").touch()
    with pytest.raises(ConfigError, match="Did you mean 'scripted'.* --vars.teacher NAME"):
        read_config(tmp_path / "teacher.script.cfg")


def test_config_that_cannot_be_parsed_is_one_line(tmp_path):
    (tmp_path / "teacher.x.cfg").write_text("[a\nx = 1")
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path / "teacher.x.cfg")
    assert "\n" not in str(caught.value)


def test_section_reads_nested_values_and_defaults():
    assert section({"plan": {"shots": 3}}, "plan", Plan) == Plan(shots=3)
    assert section({}, "plan", Plan) == Plan()


def test_unknown_key_names_the_nearest():
    with pytest.raises(ConfigError, match=r"x.cfg: \[plan\] unknown key 'window.lo'. Did you mean 'low'"):
        section({"plan": {"window": {"lo": 1}}}, "plan", Plan, path="x.cfg")


def test_wrong_value_is_shown():
    with pytest.raises(ConfigError, match="'shots' .*was: 'many'"):
        section({"plan": {"shots": "many"}}, "plan", Plan)


def test_build_makes_the_object_of_a_registered_name():
    assert build({"x": {"@misc": "spacy.first_longest_spans_filter.v1"}}, "x") is not None


def test_build_of_an_unknown_name_is_a_config_error():
    with pytest.raises(ConfigError, match="nothing.v1"):
        build({"x": {"@misc": "nothing.v1"}}, "x")


def test_build_of_a_missing_section_is_a_config_error():
    with pytest.raises(ConfigError, match=r"section \[store\] is missing"):
        build({}, "store", path="x.cfg")


def test_require_names_the_extra():
    with pytest.raises(MissingExtraError, match=r"pip install 'spacy-synthesizrr\[parquet\]'"):
        require("no_such_module_here", "parquet")


def test_choices_are_cut_after_thirty():
    assert choices("x", range(40)).endswith("'29' ….")

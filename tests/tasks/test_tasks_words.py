"""Labels in words."""

import pytest

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.tasks.words import LabelWords, join_phrases, read_labels


@pytest.mark.parametrize(
    "value",
    [
        {"a": "on a", "b": {"verbalization": "on b", "definition": "B."}},
        [{"name": "a", "verbalization": "on a"}, {"name": "b", "verbalization": "on b", "definition": "B."}],
    ],
)
def test_labels_come_as_mapping_or_as_list(value):
    assert read_labels(value) == {"a": LabelWords("on a"), "b": LabelWords("on b", "B.")}


@pytest.mark.parametrize("value", ["a, b", ["a", "b"]])
def test_bare_names_are_put_into_words(value):
    assert read_labels(value) == {"a": LabelWords("about a"), "b": LabelWords("about b")}


def test_none_means_no_labels():
    assert read_labels(None) == {}


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ([{"name": "a", "verbalisation": "x"}], "Did you mean 'verbalization'?"),
        (["a", "a"], "'a' twice"),
        ([{"verbalization": "x"}], "without a name"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(value, part):
    with pytest.raises(ConfigError, match=part.replace("?", r"\?")):
        read_labels(value)


def test_phrases_are_joined_as_people_do():
    assert [join_phrases(phrases) for phrases in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]

"""The teacher that says what it is told."""

import pytest

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.models import scripted
from spacy_synthesizrr.models.scripted import make_scripted
from spacy_synthesizrr.prompts import Failure, Prompt


def flat(teacher, *prompts):
    return [answer for group in teacher([[prompt] for prompt in prompts]) for answer in group]


def kinds(answers):
    return [getattr(answer, "kind", "ok") for answer in answers]


def test_the_template_is_filled_from_the_prompt():
    prompt = Prompt("Text?", label="about sport", passage="They won.", draw=2, id="c1")
    assert flat(make_scripted(template="{id}/{draw} {label}: {passage} ({prompt})"), prompt) == ["c1/2 about sport: They won. (Text?)"]


def test_braces_in_a_passage_stay():
    assert flat(make_scripted(), Prompt("x", label="L", passage="{label} {{ y }} {z}")) == ["L: {label} {{ y }} {z}"]


def test_a_plain_string_has_neither_label_nor_passage():
    assert flat(make_scripted(template="<{label}{passage}{draw}>"), "x") == ["<0>"]


def test_a_list_of_answers_starts_over_at_its_end():
    assert flat(make_scripted(["a", "b"]), "1", "2", "3") == ["a", "b", "a"]


def test_every_third_fails_with_the_kind_asked_for():
    answers = flat(make_scripted(fail={"every": 3, "kind": "timeout"}), *"abcdef")
    assert kinds(answers) == ["ok", "ok", "timeout", "ok", "ok", "timeout"]


def test_prompts_with_a_text_fail():
    assert kinds(flat(make_scripted(fail={"containing": "bad"}), "good", "a bad one")) == ["ok", "server_error"]


def test_failures_stop_after_a_number_of_times():
    assert kinds(flat(make_scripted(fail={"every": 1, "times": 2, "kind": "empty"}), *"abc")) == ["empty", "empty", "ok"]


def test_history_holds_what_was_asked():
    teacher = make_scripted(fail={"every": 2})
    flat(teacher, "a", "b")
    assert (teacher.history, teacher.calls, teacher.failures) == (["a", "b"], 2, 1)


def test_history_is_bounded(monkeypatch):
    monkeypatch.setattr(scripted, "KEPT_HISTORY", 2)
    teacher = make_scripted()
    flat(teacher, *"abcd")
    assert (teacher.history, teacher.calls) == (["a", "b"], 4)


def test_failing_does_not_change_who_it_is():
    assert make_scripted(fail={"every": 2}).identity == make_scripted().identity != make_scripted(["a"]).identity


def test_a_failure_carries_its_request():
    [failure] = flat(make_scripted(fail={"every": 1}), "a")
    assert isinstance(failure, Failure) and failure.request == flat(make_scripted(), "a")[0].request


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"answers": []}, "answers is empty"),
        ({"template": "{lable}"}, "Did you mean 'label'"),
        ({"fail": {"evry": 1}}, "Did you mean 'every'"),
        ({"fail": {"kind": "time-out"}}, "Did you mean 'timeout'"),
        ({"fail": {"every": 0}}, "whole number from 1"),
    ],
)
def test_a_script_that_cannot_be_played_is_refused(values, part):
    with pytest.raises(ConfigError, match=part):
        make_scripted(**values)

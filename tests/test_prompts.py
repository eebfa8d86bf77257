"""Prompt, Answer and Failure are strings that carry more, through pickling too."""

import pickle

import pytest

from spacy_synthesizrr.prompts import Answer, Failure, Prompt


def test_prompt_is_the_rendered_text():
    assert Prompt("Summarise this.") == "Summarise this."


def test_prompt_without_messages_is_one_user_message():
    assert Prompt("x").messages == ({"role": "user", "content": "x"},)


def test_failure_is_an_empty_string():
    assert Failure("timeout", "after 60 s") == ""


def test_failure_of_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="Unknown kind of failure 'oops'. Valid: rate_limited"):
        Failure("oops")


@pytest.mark.parametrize(
    "made",
    [
        Prompt("p", draw=3, id="c", label="about sport", passage="x", fields={"max_words": 4}),
        Answer("a", model="m", request="r", prompt_tokens=3, answer_tokens=0, finish="stop"),
        Failure("refused", "no", request="r"),
    ],
)
def test_attributes_survive_pickling(made):
    again = pickle.loads(pickle.dumps(made))
    assert (type(again), str(again), again.__dict__) == (type(made), str(made), made.__dict__)

"""The teacher that copies."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.models.extractive import choose, make_extractive, stems
from spacy_synthesizrr.prompts import Answer, Failure, Prompt

PASSAGE = "The town woke early. Markets fell as two banks sold shares. Rain came at noon. Shares of the mill rose again. People went home."


def prompt(passage=PASSAGE, label="about business", **fields):
    return Prompt("Refine.", passage=passage, label=label, fields={"definition": "Firms, markets, banks and shares.", **fields})


def answer(teacher, asked):
    [[given]] = teacher([[asked]])
    return given


def test_it_copies_the_sentences_that_serve_the_label_in_their_order():
    assert answer(make_extractive(), prompt()) == "Markets fell as two banks sold shares. Shares of the mill rose again."


def test_without_words_of_the_label_the_first_sentences_are_taken():
    assert (
        answer(make_extractive(), prompt(label="about chess", definition=""))
        == "The town woke early. Markets fell as two banks sold shares."
    )


def test_two_labels_take_two_texts_from_one_passage():
    weather = answer(make_extractive(1), prompt(label="about weather", definition="Rain and snow."))
    assert (weather, answer(make_extractive(1), prompt())) == ("Rain came at noon.", "Markets fell as two banks sold shares.")


@pytest.mark.parametrize("teacher", [make_extractive(2, 8), make_extractive(2)])
def test_the_tighter_limit_of_words_holds(teacher):
    assert answer(teacher, prompt(max_words=8 if teacher.max_words is None else 90)) == "Markets fell as two banks sold shares."


def test_one_sentence_that_is_too_long_is_cut():
    long = "The bank sold its shares in May, after a year of losses that nobody had seen coming."
    assert answer(make_extractive(1), prompt(long, max_words=9)) == "The bank sold its shares in May"


@pytest.mark.parametrize("asked", [prompt(""), prompt(" \n"), "a plain string"])
def test_without_a_passage_it_declines(asked):
    given = answer(make_extractive(), asked)
    assert isinstance(given, Failure)
    assert (given.kind, given.detail) == ("refused", "this teacher only copies")


def test_it_says_that_it_is_no_llm():
    teacher = make_extractive()
    assert "not an LLM" in teacher.name and "Not an LLM" in type(teacher).__doc__
    assert (teacher.copies, teacher.writes_without_passage, teacher.context_length) == (True, False, None)


def test_an_answer_names_model_and_request():
    given = answer(make_extractive(), prompt())
    assert isinstance(given, Answer)
    assert (given.model, given.finish, len(given.request)) == ("synthesizrr.Extractive.v1", "stop", 32)


def test_the_request_depends_on_what_the_rule_reads():
    teacher = make_extractive()
    requests = {answer(teacher, asked).request for asked in (prompt(), prompt(max_words=9), prompt("Other text."), prompt(label="on x"))}
    assert len(requests | {answer(make_extractive(1), prompt()).request}) == 5


def test_answers_come_lazily_and_in_order():
    def endless():
        while True:
            yield [prompt("First one."), prompt("Second one.")]
            yield []

    answers = iter(make_extractive()(endless()))
    assert [next(answers), next(answers), next(answers)] == [["First one.", "Second one."], [], ["First one.", "Second one."]]


def test_it_survives_pickling():
    assert pickle.loads(pickle.dumps(make_extractive(3, 40))).identity == make_extractive(3, 40).identity


@pytest.mark.parametrize("values", [(0, None), (1, 0)])
def test_impossible_limits_are_refused(values):
    with pytest.raises(ConfigError, match="must be 1 or more"):
        make_extractive(*values)


@given(
    st.lists(st.text("abcde ", min_size=1, max_size=30).filter(str.strip), min_size=1, max_size=6), st.integers(1, 4), st.integers(1, 20)
)
def test_what_is_chosen_is_copied_and_within_its_limits(sentences, count, limit):
    text = choose(sentences, stems("abcde cdeab"), count=count, max_words=limit)
    words = text.split()
    assert 1 <= len(words) <= limit
    assert set(words) <= set(" ".join(sentences).split())
    assert text == choose(sentences, stems("cdeab abcde"), count=count, max_words=limit)

"""Answers that stand in a context, and the task files that ask for them."""

import json

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.answer_spans import ANSWERABLE, find_answer, written_otherwise
from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.errors import ConfigError, InputError, TaskFileError
from spacy_synthesizrr.instructions import extrapolate_instruction, stepbystep_instruction
from spacy_synthesizrr.labelled import read_rows, read_seeds
from spacy_synthesizrr.loop.errors import ErrorSettings, check_errors, is_error
from spacy_synthesizrr.loop.predictions import Prediction
from spacy_synthesizrr.taskfile import TaskSpec, read_task
from spacy_synthesizrr.tasks.s3 import make_extrapolate_task, make_stepbystep_task

TEXT = """name: ask
answer: answer
fields:
  - name: context
  - name: answer
  - name: question
    generated: true
prompt:
  instruction: Write a question about the context to which the answer above is right.
corpus: {path: corpus.jsonl}
seeds: {path: seeds.jsonl}
k_seeds: 1
"""
CONTEXT = "Unripe pears ripen in a ripe heap; a ripe one is sold."


def prompt(maker, planned):
    doc = spacy.blank("en")("")
    doc._.synthesizrr_planned = [planned]
    [([asked], _)] = list(maker.generate_prompts([doc]))
    return str(asked)


def task(tmp_path, text=TEXT, rows=()):
    (tmp_path / "task.yml").write_text(text, encoding="utf-8")
    (tmp_path / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_task(tmp_path)


def row(answer, context=CONTEXT, question="What?"):
    return {"context": context, "answer": answer, "question": question}


def test_whole_words_go_first_and_else_the_first_place():
    assert find_answer("ripe", CONTEXT) == (CONTEXT.index("a ripe") + 2, CONTEXT.index("a ripe") + 6)
    assert find_answer("ripen", CONTEXT) == (13, 18)
    assert find_answer("npe", CONTEXT) is None
    assert find_answer("ear", CONTEXT) == (8, 11)
    assert find_answer("東京", "大阪と東京は") == (3, 5)
    assert find_answer("Ripe", CONTEXT) is None


@given(st.text("ab .", min_size=1), st.text("ab .", max_size=5), st.text("ab .", max_size=5))
def test_what_stands_there_is_found(answer, before, after):
    context = before + answer + after
    start, end = find_answer(answer, context)
    assert context[start:end] == answer


def test_other_letters_and_blanks_are_seen():
    assert written_otherwise("UNRIPE  pears", "Unripe\npears") == "Unripe\npears"
    assert written_otherwise("apples", CONTEXT) == ""


def test_a_task_with_answers_needs_no_labels(tmp_path):
    found = task(tmp_path, rows=[row("ripe heap"), row("pears", question="Which fruit?")])
    assert list(found.labels) == [ANSWERABLE]
    assert (found.answer, found.context, found.exclusive, found.generated.name) == ("answer", "context", True, "question")
    seeds = read_seeds(found)
    assert [seed.labels for seed in seeds] == [(ANSWERABLE,)] * 2
    assert seeds[0].fields == row("ripe heap")
    assert TaskSpec.model_validate(found.model_dump(by_alias=True)) == found


def test_an_answer_that_does_not_stand_in_its_context_is_told_with_its_line(tmp_path):
    with pytest.raises(InputError, match=r"seeds.jsonl:2: The answer 'apples' does not stand in 'context'. Copy the words"):
        list(read_rows(task(tmp_path, rows=[row("pears"), row("apples")]), "seeds"))
    with pytest.raises(InputError, match=r"seeds.jsonl:1: The answer 'Pears' does not stand in 'context'. It is written 'pears' there"):
        list(read_rows(task(tmp_path, rows=[row("Pears")]), "seeds"))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("answer: answer", "answer: anser", r"answer: 'anser' is not one of the fields that are not generated. Did you mean 'answer'\?"),
        ("answer: answer", "answer: question", "answer: 'question' is not one of the fields that are not generated"),
        ("  - name: context\n", "", r"two fields that are not generated, answer and context \(here: answer\)"),
        ("  - name: context\n", "  - {name: context, from: passage}\n", "answer and context come from the same seed"),
        ("answer: answer", "answer: answer\nexclusive: false", "take `exclusive: false` out"),
        ("answer: answer", "answer: answer\nlabels: {a: {verbalization: a}, b: {verbalization: b}}", "has no labels: take them out"),
        ("answer: answer", "labels: {a: {verbalization: a}}", "task.yml:2: 'labels' a classifier needs two labels or more"),
        ("answer: answer\n", "", "'labels' is missing"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, old, new, says):
    with pytest.raises(TaskFileError, match=says):
        task(tmp_path, TEXT.replace(old, new))


def test_a_classifier_still_tells_its_label(tmp_path):
    text = TEXT.replace("answer: answer", "labels: {a: {verbalization: a}, b: {verbalization: b}}")
    with pytest.raises(TaskFileError, match=r"\{verbalization\} is missing"):
        task(tmp_path, text)


def test_the_fingerprint_tells_answers_and_leaves_others_as_they_were(tmp_path):
    plain = TEXT.replace("answer: answer", "labels: {a: {verbalization: a}, b: {verbalization: b}}").replace("above is", "{verbalization}")
    assert '"answer":""' not in task(tmp_path, plain).model_dump_json(exclude={"answer"})
    assert task(tmp_path, plain).fingerprint() != task(tmp_path).fingerprint()
    assert task(tmp_path).fingerprint() == task(tmp_path, TEXT + "\n# a comment\n").fingerprint()


def test_prompts_ask_for_a_question_from_context_and_answer(tmp_path):
    found = task(tmp_path, rows=[row("ripe heap")])
    assert stepbystep_instruction(found) == found.prompt.instruction
    candidate = Candidate.plan(task="ask", strategy="zerogen", seed=read_seeds(found)[0], passage_id=None)
    planned = {"candidate": candidate.to_dict(), "fields": {"context": CONTEXT, "answer": "ripe heap"}, "verbalizations": [ANSWERABLE]}
    planned |= {"passage": "", "shots": []}
    asked = prompt(make_stepbystep_task(task=str(found.path)), planned)
    assert f"Context: {CONTEXT}\nAnswer: ripe heap\n" in asked and found.prompt.instruction in asked
    assert asked.endswith("Question:") and ANSWERABLE not in asked
    parent = "Where do pears ripen?"
    again = prompt(make_extrapolate_task(task=str(found.path)), {**planned, "parent": parent})
    assert parent in again and extrapolate_instruction(found) in again and ANSWERABLE not in again


def test_a_loop_takes_answers_of_low_f1_for_errors(tmp_path):
    low, high = (Prediction(1, row("pears"), (ANSWERABLE,), (), score, score, 1 - score) for score in (0.4, 0.8))
    settings = ErrorSettings(criterion="f1", threshold=0.5)
    assert [is_error(one, settings) for one in (low, high)] == [True, False]
    assert all(is_error(one, ErrorSettings()) for one in (low, high))  # neither is an exact match
    check_errors(settings, task(tmp_path))
    with pytest.raises(ConfigError, match=r"criterion = \"margin\", and the task has `answer`. Valid: 'misclassified', 'f1'"):
        check_errors(ErrorSettings(criterion="margin", threshold=0.1), task(tmp_path))
    plain = TEXT.replace("answer: answer", "labels: {a: {verbalization: a}, b: {verbalization: b}}").replace("above is", "{verbalization}")
    with pytest.raises(ConfigError, match="and the task has labels"):
        check_errors(settings, task(tmp_path, plain))
    with pytest.raises(ValueError, match="needs a threshold, such as threshold = 0.5"):
        ErrorSettings(criterion="f1")

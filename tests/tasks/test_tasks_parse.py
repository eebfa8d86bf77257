"""Answers become texts, or reasons why there is none."""

import pytest

from spacy_synthesizrr.candidates import FAILED, GENERATED, REJECTED, Candidate, Seed
from spacy_synthesizrr.prompts import FAILURES, Answer, Failure
from spacy_synthesizrr.tasks.parse import apply_answer, is_refusal, parse_answer
from spacy_synthesizrr.tasks.words import PromptWords

WORDS = PromptWords("Summarise {verbalization}.", document_header="News Article:", answer_header="Summary:", refusal_marker="NO SUMMARY")


def parsed(text, words=WORDS):
    return parse_answer(text, words)


def test_a_plain_answer_is_taken_as_it_is():
    done = parsed("The harbour opened.")
    assert (done.text, done.status, done.reason, dict(done.detail)) == ("The harbour opened.", GENERATED, "", {})


@pytest.mark.parametrize(
    ("raw", "text", "repaired"),
    [
        ("Summary: It opened.", "It opened.", ["header"]),
        ("**Summary:** It opened.", "It opened.", ["header"]),
        ("summary:\nIt opened.", "It opened.", ["header"]),
        ('"It opened."', "It opened.", ["unquoted"]),
        ("„Er öffnete.“", "Er öffnete.", ["unquoted"]),
        ("“Summary: It opened.”", "It opened.", ["unquoted", "header"]),
        ('Summary: "It opened."', "It opened.", ["header", "unquoted"]),
        ("Sure! Here is the summary:\n\nIt opened.", "It opened.", ["preamble"]),
        ("Here's a short one about sport:\nIt opened.", "It opened.", ["preamble"]),
    ],
)
def test_wrappings_come_off_and_are_recorded(raw, text, repaired):
    done = parsed(raw)
    assert (done.text, done.detail["repaired"]) == (text, repaired)


@pytest.mark.parametrize(
    "text", ['"Yes" and "no" were said.', '"A" or "B"', "It's the teams' cup", "The summary: none", "Here is the harbour."]
)
def test_what_only_looks_like_a_wrapping_stays(text):
    assert parsed(text).text == text


def test_a_run_on_answer_keeps_its_first_piece_and_counts_the_others():
    done = parsed("It opened.\n\nNews Article: Another day.\n\nSummary: It closed.\nSummary: It burnt.")
    assert done.text == "It opened."
    assert done.detail == {"repaired": ["run_on"], "dropped": 3}


def test_a_header_inside_a_line_does_not_split():
    assert parsed("He wrote a summary: short and good.").text == "He wrote a summary: short and good."


def test_empty_headers_split_nothing():
    words = PromptWords("{verbalization}", document_header="", answer_header="")
    assert parsed("Answer: yes", words).text == "Answer: yes"


@pytest.mark.parametrize("raw", ["", "  \n", "Summary:", '""'])
def test_nothing_is_a_failure_called_empty(raw):
    done = parsed(raw)
    assert (done.text, done.status, done.reason) == ("", FAILED, "empty")


@pytest.mark.parametrize("kind", FAILURES)
def test_every_failure_keeps_its_kind(kind):
    done = parsed(Failure(kind, "said the server"))
    assert (done.text, done.status, done.reason, done.detail["detail"]) == ("", FAILED, kind, "said the server")


@pytest.mark.parametrize(("answer", "name"), [({"error": "quota"}, "dict"), (None, "NoneType"), (3, "int")])
def test_what_is_no_string_is_malformed(answer, name):
    done = parsed(answer)
    assert (done.status, done.reason) == (FAILED, "malformed")
    assert name in done.detail["detail"]


def test_an_answer_that_the_content_filter_stopped_is_refused():
    assert parsed(Answer("It op", finish="content_filter")).reason == "refused"


@pytest.mark.parametrize("raw", ["NO SUMMARY", "no summary.", "Summary: No Summary", "The article is no use: NO SUMMARY"])
def test_the_marker_is_a_refusal_in_any_case(raw):
    done = parsed(raw)
    assert (done.text, done.status, done.reason, done.detail["answer"]) == ("", REJECTED, "refused", raw)


def test_the_marker_counts_as_whole_words_only():
    assert not is_refusal("In November it rained.", "no")


@pytest.mark.parametrize(
    "text",
    [
        "I cannot write this.", "I can't help with that request.", "I cannot.", "I'm sorry, but I can't do that.", "I’m sorry",
        "I am sorry, I cannot summarize this article.", "As an AI language model, I …", "Sorry, I can't assist with that.",
        "I apologize, but I cannot generate it.", "I'm unable to provide a summary.", "Unfortunately, I am unable to comply.",
        '"I cannot fulfill this request."', "I'm sorry, as an AI I have no opinion",
    ],
)  # fmt: skip
def test_what_a_model_says_of_its_own_work_is_a_refusal(text):
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        "I cannot believe how good this film is.", "I'm sorry I bought this toaster.", "I can't recommend it enough.",
        "Sorry state of affairs at the club.", "As an airline, it fails.", "The minister said: I cannot comply.",
        "I can't get enough of it",
    ],
)  # fmt: skip
def test_texts_that_begin_alike_are_no_refusals(text):
    assert not is_refusal(text)


def candidate():
    return Candidate.plan(task="news", strategy="zero-shot", seed=Seed.make(["sport"], {"text": "x"}), passage_id="p")


def test_a_generated_candidate_carries_text_fields_request_and_cost():
    answer = Answer("It opened.", model="big", request="abc", prompt_tokens=90, answer_tokens=7, finish="stop")
    done = apply_answer(candidate(), answer, words=WORDS, carried={"premise": "P"})
    assert (done.status, dict(done.fields), done.request) == (GENERATED, {"premise": "P", "text": "It opened."}, "abc")
    detail = {"model": "big", "request": "abc", "prompt_tokens": 90, "answer_tokens": 7, "finish": "stop"}
    assert (done.events[-1].step, dict(done.events[-1].detail)) == ("synthesize", detail)


def test_a_failed_candidate_has_no_written_field_but_its_request():
    failure = Failure("timeout", request="abc")
    done = apply_answer(candidate(), failure, words=WORDS, carried={"premise": "P"})
    assert (done.status, done.reason, dict(done.fields), done.request) == (FAILED, "timeout", {"premise": "P"}, "abc")


def test_an_answer_of_another_model_has_no_provenance():
    done = apply_answer(candidate(), "It opened.", words=WORDS, carried={})
    assert (done.fields["text"], done.request, dict(done.events[-1].detail)) == ("It opened.", "", {})

"""Answers become texts, or reasons why there is none."""

from dataclasses import replace

import pytest

from spacy_synthesizrr.candidates import FAILED, GENERATED, REJECTED, Candidate, Seed
from spacy_synthesizrr.prompts import FAILURES, Answer, Failure
from spacy_synthesizrr.tasks.parse import apply_answer, parse_answer
from spacy_synthesizrr.tasks.words import PromptWords

WORDS = PromptWords("Summarise {verbalization}.", document_header="News Article:", answer_header="Summary:", refusal_marker="NO SUMMARY")


def parsed(text, words=WORDS):
    return parse_answer(text, words)


def mended(done):
    """What was mended, without the answer as it was."""
    return {key: value for key, value in done.detail.items() if key != "before"}


def test_the_answer_that_was_mended_is_kept():
    raw = "Sure! Here is the summary:\n\nIt opened.\n"
    assert parsed(raw).detail == {"repaired": ["preamble"], "before": raw.strip()}
    thought = f"<think>{'so ' * 4000}</think>It opened."
    assert parsed(thought).text == "It opened." and len(parsed(thought).detail["before"]) == 4000


def test_a_plain_answer_is_taken_as_it_is():
    done = parsed("The harbour opened.")
    assert (done.text, done.status, done.reason, dict(done.detail)) == ("The harbour opened.", GENERATED, "", {})


@pytest.mark.parametrize("raw", ["- It opened.\n- It closed.", "-3 degrees in Oslo.", "*It* opened.", "– Hola."])
def test_what_begins_with_a_dash_or_a_star_may_have_to(raw):
    assert parsed(raw).text == raw


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
        ("Sure! Here is your summary: It opened.", "It opened.", ["preamble"]),
        ("Here is the summary: It opened.", "It opened.", ["preamble"]),
        ("Certainly!\n\nIt opened.", "It opened.", ["preamble"]),
        ("Sure, here's a summary about sport.\n\nIt opened.", "It opened.", ["preamble"]),
        ("Based on the article, here is the summary:\nIt opened.", "It opened.", ["preamble"]),
        ("**Here is the summary:**\n\nIt opened.", "It opened.", ["preamble"]),
        ("Hier ist die Schlagzeile:\n\nSie öffnete.", "Sie öffnete.", ["preamble"]),
        ("¡Claro! Aquí tienes el titular:\nAbrió.", "Abrió.", ["preamble"]),
        ("Voici le titre :\n\nLe port ouvre.", "Le port ouvre.", ["preamble"]),
        ("<think>Ships. So: harbour.</think>\n\nIt opened.", "It opened.", ["thought"]),
        ("Ships. So: harbour.\n</think>\nSummary: It opened.", "It opened.", ["thought", "header"]),
        ("```\nIt opened.\n```", "It opened.", ["fence"]),
        ("```text\nIt opened.\nAll day.\n```\nAnything else?", "It opened.\nAll day.", ["fence"]),
        ("Sure! Here it is:\n```\nIt opened.\n```", "It opened.", ["preamble", "fence"]),
        ("It opened.\n\nNote: I kept it under 45 words.", "It opened.", ["note"]),
        ("It opened.\n\n---\n*Note: The summary uses facts of the article.*", "It opened.", ["note"]),
        ("It opened. (Word count: 2)", "It opened.", ["note"]),
        ("It opened.\n\nLet me know if you want another version!", "It opened.", ["note"]),
        ("Es öffnete.\n\nHinweis: Der Text hat 12 Wörter.", "Es öffnete.", ["note"]),
        ("## Summary\nIt opened.", "It opened.", ["header"]),
        ("Summary:\n- It opened.", "It opened.", ["header", "bullet"]),
    ],
)
def test_wrappings_come_off_and_are_recorded(raw, text, repaired):
    done = parsed(raw)
    assert (done.text, done.detail["repaired"]) == (text, repaired)


@pytest.mark.parametrize(
    "text",
    [
        '"Yes" and "no" were said.',
        '"A" or "B"',
        "It's the teams' cup",
        "The summary: none",
        "Here is the harbour.",
        "Here is the deal: prices are up.",
        "Sure, here's the thing: I loved it.",
        "Here is the answer to rising rents: build more.",
        "Fresh fish.\nNote: closed on Monday.",
        "1. FC Lunde wins the cup",
        "Okay is the new great.",
        "Mind the <gap>.",
        "Use ``` to fence code.",
        "Sure-footed goats win again.",
    ],
)
def test_what_only_looks_like_a_wrapping_stays(text):
    assert parsed(text).text == text


def test_a_run_on_answer_keeps_its_first_piece_and_counts_the_others():
    done = parsed("It opened.\n\nNews Article: Another day.\n\nSummary: It closed.\nSummary: It burnt.")
    assert done.text == "It opened."
    assert mended(done) == {"repaired": ["run_on"], "dropped": 3}


COPY = "News article:\nThe council met on Monday.\n\nIt agreed on a budget."
DEMO = PromptWords("Write {verbalization}.", document_header="News article:", answer_header="Headline and lead:")


@pytest.mark.parametrize(
    "raw",
    [
        f"{COPY}\n\nHeadline and lead: Budget agreed.",
        f"{COPY}\n\nWrite about politics. Length: short.\n\nHeadline and lead:\nBudget agreed.",
        f"{COPY}\n\n**Headline and lead:** Budget agreed.",
        "**News article**\nThe council met.\n\n## Headline and lead\nBudget agreed.",
    ],
)
def test_an_echoed_document_is_never_the_row(raw):
    done = parsed(raw, DEMO)
    assert (done.text, mended(done)) == ("Budget agreed.", {"repaired": ["echo"]})


def test_an_echo_without_an_answer_fails_with_the_reason():
    done = parsed(COPY, DEMO)
    assert (done.text, done.status, done.reason) == ("", FAILED, "malformed")
    assert "repeated the document" in done.detail["detail"] and done.detail["answer"] == COPY


def test_an_echoed_carried_field_is_no_row_either():
    words = replace(DEMO, carried={"premise": "Premise"}, answer_header="Statement:")
    assert parsed("Premise: It rained.\nStatement: It was wet.", words).text == "It was wet."


def test_talk_before_the_answer_header_is_dropped_where_documents_are_shown():
    raw = "The article is about a budget, so I focus on that.\n\nHeadline and lead: Budget agreed."
    assert (parsed(raw, DEMO).text, mended(parsed(raw, DEMO))) == ("Budget agreed.", {"repaired": ["preamble"]})


def test_without_documents_the_first_answer_is_taken():
    words = replace(DEMO, mode="non-retricl")
    done = parsed("It opened.\n\nHeadline and lead: It closed.", words)
    assert (done.text, mended(done)) == ("It opened.", {"repaired": ["run_on"], "dropped": 1})


def test_the_same_header_for_both_is_the_answers():
    assert parsed("Text: It opened.", PromptWords("{verbalization}", document_header="Text:", answer_header="Text:")).text == "It opened."


@pytest.mark.parametrize(
    "raw", ["1. It opened.\n2. It closed.", "**1.** It opened.\n\n**2.** It closed.", "Example 1: It opened.\nExample 2: It closed.",
            "Here are three:\n\n1) It opened.\n2) It closed.\n3) It burnt."]
)  # fmt: skip
def test_a_list_of_texts_fails_with_the_reason(raw):
    done = parsed(raw)
    assert (done.text, done.status, done.reason) == ("", FAILED, "malformed")
    assert "numbered list" in done.detail["detail"]


def test_reasoning_that_does_not_end_fails_with_the_reason():
    done = parsed("<think>The article says")
    assert (done.status, done.reason, done.detail["detail"]) == (FAILED, "malformed", "the model's reasoning did not end")


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


@pytest.mark.parametrize(
    "raw", ["NO SUMMARY", "no summary.", "Summary: No Summary", "The article is no use: NO SUMMARY", "I'm sorry, but I can't help."]
)
def test_a_refusal_keeps_the_answer_for_people(raw):
    done = parsed(raw)
    assert (done.text, done.status, done.reason, done.detail["answer"]) == ("", REJECTED, "refused", raw)


def test_the_markers_words_in_a_text_are_no_refusal():
    assert parsed("There was no summary of the talks.").status == GENERATED


def test_typical_refusals_follow_the_language_and_can_be_switched_off():
    german = "Ich kann diese Anfrage leider nicht erfüllen."
    assert parsed(german).status == GENERATED
    assert parse_answer(german, WORDS, lang="de").reason == "refused"
    assert parse_answer(german, replace(WORDS, typical_refusals=False), lang="de").status == GENERATED


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

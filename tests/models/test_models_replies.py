"""What servers say, read into one record: whom it concerns, and whether it was paid."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.models.chat.replies import Lost, Reply, Unreachable, read
from spacy_synthesizrr.prompts import Answer, Failure

GROQ = "Rate limit reached for model `m` on tokens per minute (TPM): Limit 6000. Please try again in 4.77s. Need more tokens? See billing"
OPENAI = "Rate limit reached for requests per min. Please try again in 20s. Please add a payment method to your account"
GEMINI = "You exceeded your current quota, please check your plan and billing details. Please retry in 58.1s."


def completion(text="fine", finish="stop", **more):
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return {"model": "m-2", "choices": [{"message": {"content": text}, "finish_reason": finish}], "usage": usage, **more}


def reply(body, status=200, **headers):
    return Reply(status, json.dumps(body).encode(), headers)


def result(body, status=200, **headers):
    return read(reply(body, status, **headers), request="r", model="m", limit=50)


def error(status, message="", **about):
    return result({"error": {"message": message, **about}}, status)


def told(found):
    return found.verdict, found.outcome.kind if isinstance(found.outcome, Failure) else "answer"


def test_an_answer_has_all_that_is_known_of_it():
    found = result(completion())
    assert (found.outcome, found.outcome.model, found.outcome.request) == ("fine", "m-2", "r")
    assert (found.verdict, found.paid, found.tokens) == ("answered", True, (10, 5))


@pytest.mark.parametrize("finish", ["stop", "STOP", "end_turn", "eos_token", None, ""])
def test_a_whole_answer_ends_in_one_of_many_words(finish):
    assert told(result(completion(finish=finish))) == ("answered", "answer")


@pytest.mark.parametrize(
    ("finish", "kind"),
    [
        ("length", "truncated"),
        ("MAX_TOKENS", "truncated"),
        ("model_length", "truncated"),
        ("content_filter", "refused"),
        ("SAFETY", "refused"),
        ("error", "server_error"),
        ("abort", "server_error"),
        ("insufficient_system_resource", "server_error"),
        ("a word of tomorrow", "malformed"),
    ],
)
def test_what_was_cut_or_broke_off_is_no_answer_and_was_paid(finish, kind):
    found = result(completion(finish=finish))
    assert (told(found)[1], found.paid, found.tokens) == (kind, True, (10, 5))


@pytest.mark.parametrize("where", ["beside", "inside"])
def test_an_error_object_wins_over_the_text_beside_it(where):
    body = completion("half an ans", "stop")
    (body if where == "beside" else body["choices"][0])["error"] = {"message": "upstream broke", "code": 502}
    found = result(body)
    assert told(found) == ("load", "server_error") and found.paid


def test_a_refusal_with_status_200_is_read_by_the_status_inside_and_was_not_paid():
    found = result({"error": {"message": "slow down", "code": 429}})
    assert told(found) == ("load", "rate_limited") and not found.paid


@pytest.mark.parametrize("status", [201, 203])
def test_an_answer_with_another_status_of_success_is_one(status):
    assert told(result(completion(), status)) == ("answered", "answer")


@pytest.mark.parametrize("said", [GROQ, OPENAI, GEMINI])
def test_a_rate_limit_that_names_the_billing_page_is_a_rate_limit(said):
    assert told(error(429, said, code="rate_limit_exceeded")) == ("load", "rate_limited")


@pytest.mark.parametrize(
    "about", [{"code": "insufficient_quota"}, {"type": "billing_hard_limit_reached"}, {"message": "Your credit balance is too low"}]
)
def test_no_credit_ends_everything(about):
    found = error(429, **{"message": "", **about})
    assert found.verdict == "setup" and "add credit" in found.cure


def test_a_limit_with_a_time_to_come_back_is_no_lack_of_credit():
    found = result({"error": {"message": "You exceeded your current quota"}}, 429, **{"retry-after": "3"})
    assert told(found) == ("load", "rate_limited") and found.wait == 3


@pytest.mark.parametrize(
    ("status", "verdict", "kind"),
    [
        (401, "setup", "refused"),
        (402, "setup", "refused"),
        (403, "suspect", "refused"),
        (404, "suspect", "refused"),
        (302, "suspect", "refused"),
        (408, "load", "timeout"),
        (409, "fault", "server_error"),
        (413, "prompt", "too_long"),
        (422, "unaccepted", "refused"),
        (429, "load", "rate_limited"),
        (500, "fault", "server_error"),
        (502, "load", "server_error"),
        (503, "load", "server_error"),
        (504, "load", "timeout"),
    ],
)
def test_a_status_says_whom_it_concerns(status, verdict, kind):
    found = error(status, "no")
    assert told(found) == (verdict, kind) and not found.paid


def test_a_setting_named_safety_is_no_content_filter():
    assert told(error(400, "Unrecognized request argument supplied: safety_settings")) == ("unaccepted", "refused")
    assert told(error(400, "The prompt was blocked", code="content_filter")) == ("prompt", "refused")


def test_what_got_lost_may_have_been_paid_and_what_was_not_sent_was_not():
    lost = read(Lost(Failure("timeout", "no answer")), request="r", model="m")
    away = read(Unreachable("ConnectionRefusedError"), request="r", model="m")
    assert (told(lost), lost.paid) == (("load", "timeout"), True)
    assert (told(away), away.paid) == (("unreachable", "server_error"), False)


@pytest.mark.parametrize(
    ("detail", "cure"),
    [("Too many open files", "ulimit"), ("ClientConnectorCertificateError", "SSL_CERT_FILE"), ("DNSError", "name"), ("refused", "Start")],
)
def test_the_cure_of_no_connection_follows_its_reason(detail, cure):
    assert cure in read(Unreachable(detail), request="r", model="m").cure


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["choices", "message", "content", "error", "x"]), inner),
    max_leaves=12,
)


@given(json_values | st.fixed_dictionaries({"choices": st.lists(json_values, max_size=2)}), st.integers(100, 599))
def test_whatever_a_server_says_ends_as_an_answer_or_a_failure(body, status):
    found = result(body, status)
    assert isinstance(found.outcome, (Answer, Failure)) and (found.verdict == "answered") == isinstance(found.outcome, Answer)

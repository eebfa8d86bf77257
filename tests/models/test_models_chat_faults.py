"""The chat model against a server that misbehaves: every prompt ends as an answer or as a typed failure, and nothing is paid twice."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from asking import ask, ask_once, chat, kinds, texts
from conftest import ROOT
from faulty import (
    BROKEN,
    BUSY,
    BUSY_FOR_A_MOMENT,
    DROP,
    DUPLICATE,
    EMPTY,
    HANG,
    HTML,
    OK,
    TEXT,
    TRICKLE,
    TRUNCATED,
    Fault,
    FaultServer,
    always,
    one_after_the_other,
    prompt_of,
)

from spacy_synthesizrr.errors import TeacherError
from spacy_synthesizrr.models.chat.model import make_chat_completions

pytestmark = pytest.mark.usefixtures("quick")
SHORT = {"connect_timeout": 0.2, "read_timeout": 0.3, "max_retries": 1}


def status(number, message="", **error):
    return Fault("status", number, body={"error": {"message": message, **error}})


@pytest.mark.parametrize("fault", [BUSY, BUSY_FOR_A_MOMENT, BROKEN, DROP, TRUNCATED, HTML, EMPTY, status(503), status(408)])
def test_a_fault_that_passes_costs_no_answer(store, fault):
    with FaultServer(one_after_the_other(fault, OK)) as server:
        assert ask_once(server, store, ["a"]) == ["answer to a"]
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (BUSY, "rate_limited"),
        (BROKEN, "server_error"),
        (HANG, "timeout"),
        (TRICKLE, "timeout"),
        (DROP, "server_error"),
        (TRUNCATED, "malformed"),
        (HTML, "malformed"),
        (EMPTY, "empty"),
        (Fault(finish="length"), "truncated"),
        (Fault(tokens=(10, 50)), "truncated"),
        (Fault(finish="content_filter"), "refused"),
        (Fault("raw", body={"choices": [{"message": {"content": None, "refusal": "I will not."}, "finish_reason": "stop"}]}), "refused"),
        (Fault("raw", body={"choices": []}), "malformed"),
        (Fault("raw", body=["answer"]), "malformed"),
        (Fault("raw", body={"error": {"message": "upstream failed", "code": 502}}), "server_error"),
        (status(400, "This model's maximum context length is 4096 tokens", code="context_length_exceeded"), "too_long"),
        (status(413), "too_long"),
        (status(400, "filtered by the content policy", code="content_filter"), "refused"),
        (status(422, "messages[0] is not valid"), "refused"),
    ],
)
def test_what_stays_wrong_is_a_failure_of_its_kind_and_is_not_kept(store, fault, kind):
    def plan(number, body):
        return fault if prompt_of(body) == "bad" else OK

    with FaultServer(plan) as server:
        good, bad, fine = ask_once(server, store, ["good", "bad", "fine"], parameters={"max_tokens": 50}, requests=SHORT)
        assert (good, bad, fine) == ("answer to good", "", "answer to fine")
        assert bad.kind == kind and bad.detail
        assert len(store) == 2


def test_only_what_may_help_is_asked_again(store):
    with FaultServer(always(Fault(finish="length"))) as server:
        ask_once(server, store, ["a"])
        assert len(server.asked) == 1


def test_the_wrong_content_type_and_a_second_choice_do_no_harm(store):
    with FaultServer(one_after_the_other(TEXT, DUPLICATE)) as server:
        assert ask_once(server, store, ["a", "b"], requests={"max_in_flight": 1}) == ["answer to a", "answer to b"]
        assert len(server.asked) == 2


def test_retry_after_is_waited_for(store):
    asked_at = []

    def plan(number, body):
        asked_at.append(time.monotonic())
        return Fault("status", 429, {"Retry-After": "0.6"}, {}) if number == 0 else OK

    with FaultServer(plan) as server:
        assert kinds(ask_once(server, store, texts(5), requests={"max_in_flight": 1})) == {"answer": 5}
    assert asked_at[1] - asked_at[0] >= 0.55


def test_used_up_rate_limits_are_waited_for(store):
    asked_at = []

    def plan(number, body):
        asked_at.append(time.monotonic())
        return Fault(headers={"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "400ms"}) if number == 0 else OK

    with FaultServer(plan) as server:
        ask_once(server, store, texts(2), requests={"max_in_flight": 1})
    assert asked_at[1] - asked_at[0] >= 0.35


@pytest.mark.parametrize(
    ("fault", "cure"),
    [
        (status(401, "Incorrect API key provided"), "api_key_env"),
        (status(403, "no access"), "api_key_env"),
        (status(404, "The model `m` does not exist", code="model_not_found"), "name of the model"),
        (status(429, "You exceeded your current quota", code="insufficient_quota"), "add credit"),
        (status(400, "Unrecognized request argument: temprature"), "parameters"),
        (Fault("status", 302, {"Location": "http://127.0.0.1:9/v1"}), "redirects are not followed"),
    ],
)
def test_what_no_request_can_cure_stops_at_once_with_the_cure(store, fault, cure):
    with FaultServer(always(fault)) as server:
        with pytest.raises(TeacherError, match=cure):
            ask_once(server, store, texts(500), requests={"max_in_flight": 8})
        assert len(server.asked) <= 8 + 5


def test_one_prompt_that_a_firewall_blocks_costs_no_other_prompt(store):
    with FaultServer(lambda number, body: status(403, "blocked") if "7" in prompt_of(body) else OK) as server:
        for _ in range(2):  # a second run gets past it too
            found = kinds(ask_once(server, store, texts(20), requests={"max_in_flight": 4}))
            assert found == {"answer": 18, "refused": 2}


def test_a_rerun_whose_only_open_prompts_are_refused_comes_to_its_end(store):
    with FaultServer(lambda number, body: status(400, "no") if prompt_of(body).startswith("bad") else OK) as server:
        prompts = [*texts(10), *(f"bad {number}" for number in range(8))]
        for _ in range(2):
            assert kinds(ask_once(server, store, prompts)) == {"answer": 10, "refused": 8}


def test_a_server_that_never_answers_is_given_up_before_all_prompts_have_paid_for_it(store):
    with FaultServer(always(BROKEN)) as server:
        with pytest.raises(TeacherError, match="no answer to 20 prompts in a row"):
            ask_once(server, store, texts(500), requests={"max_in_flight": 4, "max_retries": 1})
        assert len(server.asked) < 100


def test_a_server_that_is_away_for_a_moment_costs_no_answer_and_no_retry(store):
    with FaultServer() as server, chat(server, store, requests={"max_in_flight": 4, "max_retries": 0}) as model:
        asked = model([text] for text in texts(12))
        first = [next(iter(asked))]
        client = model._scheduler.attempts.client
        open_url, client.url = client.url, "http://127.0.0.1:9/v1/chat/completions"
        threading.Timer(0.3, setattr, (client, "url", open_url)).start()
        assert kinds(answer for [answer] in [*first, *asked]) == {"answer": 12}


def test_a_key_is_hidden_also_where_what_the_server_says_is_cut(store, monkeypatch):
    key = "sk-" + "0123456789" * 3
    monkeypatch.setenv("MY_KEY", key)
    for length in range(240, 300, 7):
        with FaultServer(always(status(401, "x" * length + " " + key))) as server, pytest.raises(TeacherError) as error:
            ask_once(server, store, ["a"], api_key_env="MY_KEY")
        assert "01234" not in str(error.value)


def test_the_error_comes_when_what_was_in_flight_is_kept(store):
    with FaultServer(lambda number, body: status(401, "revoked") if number == 0 else OK, seconds=0.3) as server:
        model = make_chat_completions(server.url, "m", requests={"max_in_flight": 8})
        model.remember(store)
        with pytest.raises(TeacherError, match="revoked"):
            ask(model, texts(50))
        assert len(store) == len(server.asked) - 1 > 0
        model.close()


def test_answers_in_flight_are_kept_when_a_terminal_error_stops_the_rest(store):
    revoked = replace(status(401, "revoked"), seconds=0.0)  # comes while the others are still in flight
    with FaultServer(lambda number, body: revoked if number == 3 else OK, seconds=0.3) as server:
        with chat(server, store, requests={"max_in_flight": 4}) as model, pytest.raises(TeacherError, match="revoked"):
            ask(model, texts(100))
        assert sum(server.paid.values()) == len(store)
        assert 3 <= len(store) <= 6


def test_a_server_that_is_not_there_is_named(store):
    with FaultServer() as server:
        pass
    with pytest.raises(TeacherError, match="no connection.*Start the server"):
        ask_once(server, store, ["a"])


def test_a_redirect_does_not_carry_the_key_away(store, monkeypatch):
    monkeypatch.setenv("OUR_KEY", "sk-very-secret-1")
    with FaultServer() as thief:
        target = Fault("status", 307, {"Location": thief.url + "/chat/completions"})
        with FaultServer(always(target)) as server, pytest.raises(TeacherError):
            ask_once(server, store, ["a"], api_key_env="OUR_KEY")
        assert not thief.asked


def test_a_429_storm_lowers_the_limit_and_it_recovers_from_the_floor(store):
    with (
        FaultServer(lambda number, body: BUSY if number < 40 else OK) as server,
        chat(server, store, requests={"max_in_flight": 8}) as model,
    ):
        answers = iter(model([text] for text in texts(400)))
        lowest, last = 8, 0
        for _ in answers:
            last = model.status()["limit"]
            lowest = min(lowest, last)
        assert lowest <= 4 < last


FAULTS = [BUSY] * 5 + [BROKEN] * 3 + [DROP] * 2 + [TRUNCATED] * 2  # of 100, as in the comparison of clients


def test_ten_thousand_requests_with_faults_lose_nothing_and_leak_no_permit(store):
    rng = random.Random(0)
    faults = [*FAULTS, *[OK] * 88]

    def plan(number, body):
        return rng.choice(faults)

    with FaultServer(plan) as server, chat(server, store, requests={"max_in_flight": 64}) as model:
        answers = ask(model, texts(10_000))
        assert answers == [f"answer to {text}" for text in texts(10_000)]
        assert set(server.paid.values()) == {1}
        assert model.status()["in_flight"] == 0
    assert len(store) == 10_000


KILLED = """
import sys
from spacy_synthesizrr.models.chat.model import make_chat_completions
from spacy_synthesizrr.models.answers.responses import ResponseStore

model = make_chat_completions(sys.argv[1], "m", requests={"max_in_flight": 8})
model.remember(ResponseStore(sys.argv[2]))
for [answer] in model([f"prompt {number}"] for number in range(400)):
    print(answer, flush=True)
"""


@pytest.mark.parametrize("after", [9, 60, 150])
def test_a_kill_pays_at_most_those_in_flight_again(store, after):
    with FaultServer(seconds=0.02) as server:
        command = [sys.executable, "-c", KILLED, server.url, str(store.path)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        told = [child.stdout.readline().strip() for _ in range(after)]
        child.send_signal(signal.SIGKILL)
        assert child.wait(30) == -signal.SIGKILL
        child.stdout.close()
        again = ask_once(server, store, texts(400), requests={"max_in_flight": 8})
        assert again == [f"answer to {text}" for text in texts(400)]
        assert again[:after] == told
        assert sum(server.paid.values()) - 400 <= 8
        assert max(server.paid.values()) <= 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_asks_with_connections_of_its_own(store):
    with FaultServer() as server, chat(server, store) as model:
        ask(model, ["a"])
        child = os.fork()
        if child == 0:
            os._exit(0 if ask(model, ["a", "b"]) == ["answer to a", "answer to b"] else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert ask(model, ["b"]) == ["answer to b"]
        assert server.prompts == ["a", "b"]

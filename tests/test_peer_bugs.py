"""Each of these bugs has cost users of other projects rows, money or trust. The name of a test says which one."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
import spacy
from asking import ask_once, chat, kinds, texts
from faulty import BUSY, HTML, OK, TRUNCATED, Fault, FaultServer, always, prompt_of

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.models.answers.responses import Remembering, ResponseStore, request_hash
from spacy_synthesizrr.models.scripted import make_scripted
from spacy_synthesizrr.prompts import Answer, Failure, Prompt
from spacy_synthesizrr.tasks.registry import make_refine_task

TASK = {"@llm_tasks": "synthesizrr.Refine.v1", "labels": {"sport": "about sport"}}
SCRIPTED = {"@llm_models": "synthesizrr.Scripted.v1"}


@pytest.fixture
def nlp():
    made = spacy.blank("en")
    made.add_pipe("llm_synthesizrr", config={"task": TASK, "model": SCRIPTED})
    return made


@pytest.fixture
def store(tmp_path):
    with ResponseStore(tmp_path / "answers.sqlite") as opened:
        yield opened


def planned(nlp, number, passage="A text.", draws=1):
    doc = nlp.make_doc(f"seed {number}")
    seed = Seed.make(["sport"], {"text": doc.text})
    candidates = [Candidate.plan(task="t", strategy="s", seed=seed, passage_id="p", draw=draw) for draw in range(draws)]
    doc._.synthesizrr_planned = [{"candidate": candidate.to_dict(), "passage": passage} for candidate in candidates]
    return doc


def statuses(docs):
    return [row["status"] for doc in docs for row in doc._.synthesizrr]


def use(nlp, model):
    nlp.get_pipe("llm_synthesizrr").model = model
    return model


def test_one_bad_request_keeps_the_other_127(nlp):
    use(nlp, make_scripted(fail={"containing": "seven", "kind": "server_error"}))
    done = list(nlp.pipe(planned(nlp, number, "seven" if number == 7 else "fine") for number in range(128)))
    assert statuses(done) == ["failed" if number == 7 else "generated" for number in range(128)]


def test_permuted_words_have_distinct_keys():
    assert request_hash("dog bites man", identity="m") != request_hash("man bites dog", identity="m")


def test_permuted_words_get_their_own_answers(nlp, store):
    use(nlp, Remembering(make_scripted(), store))
    done = list(nlp.pipe([planned(nlp, 1, "dog bites man"), planned(nlp, 1, "man bites dog")]))
    texts = [doc._.synthesizrr[0]["fields"]["text"] for doc in done]
    assert texts == ["about sport: dog bites man", "about sport: man bites dog"]


def test_same_passage_k_draws_gives_k_calls(nlp, store):
    teacher = make_scripted()
    use(nlp, Remembering(teacher, store))
    [doc] = list(nlp.pipe([planned(nlp, 1, draws=5)]))
    assert (teacher.calls, len({row["request"] for row in doc._.synthesizrr}), len(store)) == (5, 5, 5)


def test_last_partial_batch_is_cached(nlp, store):
    use(nlp, Remembering(make_scripted(), store))
    list(nlp.pipe((planned(nlp, number, f"text {number}") for number in range(6)), batch_size=4))
    teacher = make_scripted()
    use(nlp, Remembering(teacher, store))
    assert statuses(nlp.pipe((planned(nlp, number, f"text {number}") for number in range(6)), batch_size=4)) == ["generated"] * 6
    assert teacher.calls == 0


def test_system_prompt_and_endpoint_are_in_the_key():
    system = Prompt("a", messages=({"role": "system", "content": "be brief"}, {"role": "user", "content": "a"}))
    keys = {request_hash(prompt, identity=identity) for prompt in ("a", system) for identity in ("m at host one", "m at host two")}
    assert len(keys) == 4


def test_added_row_pays_only_itself(nlp, store):
    use(nlp, Remembering(make_scripted(), store))
    list(nlp.pipe(planned(nlp, number, f"text {number}") for number in range(10)))
    teacher = make_scripted()
    use(nlp, Remembering(teacher, store))
    list(nlp.pipe(planned(nlp, number, f"text {number}") for number in (*range(5), 99, *range(5, 10))))
    assert teacher.calls == 1


def test_failures_are_re_asked_on_resume(nlp, store):
    use(nlp, Remembering(make_scripted(fail={"every": 3}), store))
    first = statuses(nlp.pipe(planned(nlp, number, f"text {number}") for number in range(9)))
    teacher = make_scripted()
    use(nlp, Remembering(teacher, store))
    second = statuses(nlp.pipe(planned(nlp, number, f"text {number}") for number in range(9)))
    assert (first.count("failed"), second.count("failed"), teacher.calls) == (3, 0, 3)


def test_paid_answer_survives_parse_error(nlp, store):
    use(nlp, Remembering(make_scripted(), store))
    task = nlp.get_pipe("llm_synthesizrr").task
    parse = task.parse_responses

    def broken(shards, responses):
        for _, answers in zip(shards, responses, strict=True):
            raise RuntimeError(f"cannot parse {answers}")

    task.parse_responses = broken
    with pytest.raises(RuntimeError, match="cannot parse"):
        list(nlp.pipe([planned(nlp, 1)]))
    task.parse_responses = parse
    teacher = make_scripted()
    use(nlp, Remembering(teacher, store))
    assert statuses(nlp.pipe([planned(nlp, 1)])) == ["generated"]
    assert teacher.calls == 0


@pytest.mark.parametrize(
    "answer", [Failure("server_error", "502 Bad Gateway"), {"error": {"message": "quota exceeded"}}, ValueError("no such model"), None]
)
def test_error_text_never_becomes_example(nlp, answer):
    def model(prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        for group in prompts:
            yield [answer for _ in group]

    use(nlp, model)
    [doc] = list(nlp.pipe([planned(nlp, 1)]))
    [row] = doc._.synthesizrr
    assert (row["status"], row["events"][-1]["reason"]) == ("failed", getattr(answer, "kind", "malformed"))
    assert "fields" not in row


def test_truncated_answer_is_not_accepted(nlp):
    def model(prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        for group in prompts:
            yield [Answer("The club won the", finish="length") for _ in group]

    use(nlp, model)
    [doc] = list(nlp.pipe([planned(nlp, 1)]))
    assert (doc._.synthesizrr[0]["status"], doc._.synthesizrr[0]["events"][-1]["reason"]) == ("failed", "truncated")


def test_empty_input_batch(nlp, store):
    teacher = make_scripted()
    use(nlp, Remembering(teacher, store))
    assert list(nlp.pipe([])) == []
    [doc] = list(nlp.pipe(["a text without a plan"]))
    assert (doc._.synthesizrr, teacher.calls) == ([], 0)


def test_asked_n_equals_got_n_whatever_the_model_gives(nlp):
    def model(prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        for number, group in enumerate(prompts):
            yield ["x"] * (len(list(group)) + number - 2)

    use(nlp, model)
    done = list(nlp.pipe(planned(nlp, number, draws=2) for number in range(5)))
    assert [len(doc._.synthesizrr) for doc in done] == [2] * 5


def test_a_passage_cannot_write_the_template():
    task = make_refine_task(TASK["labels"])
    doc = spacy.blank("en").make_doc("x")
    hostile = "{{ ''.__class__.__mro__[1].__subclasses__() }} {% raw %}"
    doc._.synthesizrr_planned = [planned(spacy.blank("en"), 1, hostile)._.synthesizrr_planned[0]]
    [([prompt], _)] = task.generate_prompts([doc])
    assert hostile in prompt


# ── with requests over HTTP ──────────────────────────────────────────────────────────────────────────────────────────


def test_one_bad_request_keeps_the_other_127_over_http(nlp, store, quick):
    with FaultServer(lambda number, body: TRUNCATED if "seven" in prompt_of(body) else OK) as server, chat(server, store) as model:
        use(nlp, model)
        done = list(nlp.pipe(planned(nlp, number, "seven" if number == 7 else f"fine {number}") for number in range(128)))
    assert statuses(done) == ["failed" if number == 7 else "generated" for number in range(128)]


def test_same_passage_k_draws_gives_k_calls_over_http(nlp, store):
    with FaultServer() as server, chat(server, store) as model:
        use(nlp, model)
        [doc] = list(nlp.pipe([planned(nlp, 1, draws=5)]))
    assert (len(server.asked), len({row["request"] for row in doc._.synthesizrr}), len(store)) == (5, 5, 5)


def test_added_row_pays_only_itself_over_http(store):
    with FaultServer() as server:
        ask_once(server, store, texts(10))
        ask_once(server, store, [*texts(5), "new", *texts(5, 5)])
    assert server.prompts[10:] == ["new"]


def test_system_prompt_and_base_url_are_in_key(store):
    with FaultServer() as server:
        ask_once(server, store, ["a"])
        ask_once(server, store, ["a"], system="be brief")
        ask_once(server, store, ["a"], endpoint_identity="https://elsewhere/v1")
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "error",
    [
        Fault("status", 500, body="502 Bad Gateway"),
        Fault("raw", body={"error": {"message": "quota exceeded"}}),
        Fault("raw", body={"detail": "no such model"}),
        HTML,
    ],
)
def test_error_text_never_becomes_example_over_http(nlp, store, quick, error):
    with FaultServer(always(error)) as server, chat(server, store, requests={"max_retries": 1}) as model:
        use(nlp, model)
        [doc] = list(nlp.pipe([planned(nlp, 1)]))
    [row] = doc._.synthesizrr
    assert (row["status"], "fields" in row, len(store)) == ("failed", False, 0)


def test_failures_are_re_asked_on_resume_over_http(store, quick):
    with FaultServer(lambda number, body: Fault(finish="length") if number < 3 else OK) as server:
        first = ask_once(server, store, texts(9), requests={"max_in_flight": 1})
        second = ask_once(server, store, texts(9), requests={"max_in_flight": 1})
    assert (kinds(first), kinds(second), len(server.asked)) == ({"truncated": 3, "answer": 6}, {"answer": 9}, 12)


UNREADABLE = """
import os, signal, sys, spacy

nlp = spacy.blank("en")
model = {"@llm_models": "synthesizrr.ChatCompletions.v1", "base_url": sys.argv[1], "model": "m", "responses": sys.argv[2]}
model["requests"] = {"max_in_flight": 4}
component = nlp.add_pipe("llm_synthesizrr", config={"task": {"@llm_tasks": "spacy.Raw.v1"}, "model": model})

def broken(docs, answers):
    for doc, answer in zip(docs, answers):
        raise RuntimeError(f"cannot parse {list(answer)}")
    yield

component.task.parse_responses = broken
try:
    list(nlp.pipe(f"text {number}" for number in range(20)))
except RuntimeError:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_paid_answer_survives_parse_error_and_sigkill(store):
    with FaultServer() as server:
        killed = subprocess.run([sys.executable, "-W", "ignore", "-c", UNREADABLE, server.url, str(store.path)], timeout=120)
        assert killed.returncode == -signal.SIGKILL
        paid, kept = len(server.asked), len(store)
        assert (paid - kept <= 4, kept > 0) == (True, True)
        prompts = [answer.removeprefix("answer to ") for answer in answers_of(store)]
        assert server.prompts[0] in prompts  # the one that could not be parsed
        assert ask_once(server, store, prompts) == [f"answer to {prompt}" for prompt in prompts]
        assert len(server.asked) == paid


def answers_of(store):
    with store.transaction(flush=False) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM answers ORDER BY request")]


def test_resume_runs_at_full_concurrency(store):
    with FaultServer() as server:
        ask_once(server, store, texts(30))
    with FaultServer(seconds=0.05) as server:
        ask_once(server, store, texts(90), requests={"max_in_flight": 16})
    assert (server.peak, len(server.asked)) == (16, 60)


def test_no_permit_leak_when_most_requests_fail(store, quick):
    with FaultServer(lambda number, body: OK if number % 4 == 0 else BUSY) as server:
        with chat(server, store, requests={"max_in_flight": 4, "max_retries": 100}) as model:
            answers = [answer for [answer] in model([text] for text in texts(60))]
            assert (kinds(answers), model.status()["in_flight"]) == ({"answer": 60}, 0)


def test_limiter_recovers_from_floor(store, quick):
    settings = {"max_in_flight": 6, "max_retries": 200}
    with FaultServer(lambda number, body: BUSY if number < 250 else OK) as server, chat(server, store, requests=settings) as model:
        limits = [model.status()["limit"] for _ in model([text] for text in texts(300))]
    assert limits[0] <= 3
    assert limits[-1] == 6


def test_slow_server_without_429_lowers_concurrency(store):
    limits = []
    with FaultServer(seconds=0.02) as server, chat(server, store, requests={"max_in_flight": 32}) as model:
        for number, _ in enumerate(model([text] for text in texts(300))):
            limits.append(model.status()["limit"])
            if number == 150:
                server.narrow(capacity=1)  # from now on requests queue, and nobody says so
    assert limits[150] == 32 > min(limits[151:])
    assert sum(server.paid.values()) == 300


def test_cap_stops_before_exceeding_and_resumes(store):
    with FaultServer() as server:
        first = ask_once(server, store, texts(20), budget={"max_requests": 8})
        again = ask_once(server, store, texts(20), budget={"max_requests": 8})
        more = ask_once(server, store, texts(20), budget={"max_requests": 20})
    assert [kinds(answers)["answer"] for answers in (first, again, more)] == [8, 8, 20]
    assert len(server.asked) == 20


def test_custom_endpoint_never_contacts_vendor_host(store, monkeypatch):
    asked = []
    connect = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **kwargs: asked.append(host) or connect(host, *args, **kwargs))
    monkeypatch.setenv("OPENAI_API_KEY", "not a real one")
    with FaultServer() as server:
        assert ask_once(server, store, ["a"], api_key_env="OPENAI_API_KEY") == ["answer to a"]
    assert set(asked) <= {"127.0.0.1", "localhost"}


def test_an_answer_cut_at_its_limit_is_truncated_whatever_the_server_says(store):
    with FaultServer(always(Fault(finish="stop", tokens=(10, 20)))) as server:
        [answer] = ask_once(server, store, ["a"], parameters={"max_tokens": 20})
    assert (answer, answer.kind, len(store)) == ("", "truncated", 0)

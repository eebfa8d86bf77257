"""Prompts that ask for JSON by a schema: sent as response_format, given up where a server takes none."""

import pytest
from asking import ask, ask_once, chat, kinds
from faulty import OK, Fault, FaultServer

from spacy_synthesizrr.models.answers.responses import request_hash
from spacy_synthesizrr.prompts import Prompt

SCHEMA = {"type": "object", "properties": {"fits": {"type": "boolean"}}, "required": ["fits"], "additionalProperties": False}
REFUSAL = Fault("status", 400, body={"error": {"message": "response_format 'json_schema' is not supported by this model"}})
FORM = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}


def prompts(count):
    return [Prompt(f"Does row {number} fit? Answer in JSON.", schema=SCHEMA) for number in range(count)]


def without(number, body):
    return REFUSAL if "response_format" in body else OK


def test_the_schema_is_sent(store):
    with FaultServer() as server:
        ask_once(server, store, prompts(1))
        assert server.asked[0]["response_format"] == FORM


def test_a_prompt_without_a_schema_sends_none(store):
    with FaultServer() as server:
        ask_once(server, store, ["p"])
        assert "response_format" not in server.asked[0]


def test_a_response_format_of_the_config_wins(store):
    with FaultServer() as server:
        ask_once(server, store, prompts(1), parameters={"response_format": {"type": "json_object"}})
        assert server.asked[0]["response_format"] == {"type": "json_object"}


@pytest.mark.usefixtures("quick")
def test_a_server_without_schemas_is_asked_once_and_then_spared(store):
    with FaultServer(without) as server, chat(server, store, requests={"max_in_flight": 4}) as model:
        assert kinds(ask(model, prompts(40))) == {"answer": 40}
        assert sum("response_format" in body for body in server.asked) <= 4
        assert all(count == 1 for count in server.paid.values())


@pytest.mark.usefixtures("quick")
def test_an_answer_that_came_without_the_schema_is_found_again(store):
    with FaultServer(without) as server:
        first = ask_once(server, store, prompts(3))
        asked = len(server.asked)
        assert ask_once(server, store, prompts(3)) == first
        assert len(server.asked) == asked


def test_the_schema_tells_requests_apart():
    plain, other = Prompt("p"), {**SCHEMA, "required": []}
    hashes = {request_hash(prompt, identity="m") for prompt in (plain, Prompt("p", schema=SCHEMA), Prompt("p", schema=other))}
    assert len(hashes) == 3


@pytest.mark.usefixtures("quick")
def test_a_response_format_of_the_config_is_never_dropped(store):
    with FaultServer(lambda number, body: REFUSAL if number == 5 else OK) as server:
        form = {"response_format": FORM}
        found = kinds(ask_once(server, store, [f"p {number}" for number in range(12)], parameters=form, requests={"max_in_flight": 1}))
        assert found == {"answer": 11, "refused": 1}
        assert all(body["response_format"] == FORM for body in server.asked)


@pytest.mark.usefixtures("quick")
def test_one_schema_that_is_disliked_takes_it_from_no_other_prompt(store):
    def plan(number, body):
        return REFUSAL if "row 3 " in body["messages"][-1]["content"] and "response_format" in body else OK

    with FaultServer(plan) as server:
        requests = {"max_in_flight": 1, "max_retries": 0}
        assert kinds(ask_once(server, store, prompts(8), requests=requests)) == {"answer": 8}
        assert sum("response_format" not in body for body in server.asked) == 1

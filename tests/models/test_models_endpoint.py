"""Secrets are named, never given; whatever can be seen to be wrong is refused before anybody is asked."""

import io
import logging
import pickle

import pytest
import spacy
from asking import ask, chat
from conftest import ROOT
from faulty import BROKEN, DROP, Fault, FaultServer, always

from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.errors import ConfigError, TeacherError
from spacy_synthesizrr.models.chat.endpoint import make_endpoint
from spacy_synthesizrr.models.chat.model import make_chat_completions

KEY = "sk-live-0123456789abcdef"
URL = "https://api.example.com/v1"


def make(**settings):
    return make_chat_completions(**{"base_url": URL, "model": "m", **settings})


@pytest.mark.parametrize(
    ("settings", "cure"),
    [
        ({"headers": {"Authorization": f"Bearer {KEY}"}}, "headers_env"),
        ({"headers": {"authorization": "x"}}, "headers_env"),
        ({"headers": {"X-Api-Key": "x"}}, "headers_env"),
        ({"headers": {"api-key": "x"}}, "headers_env"),
        ({"headers": {"Cookie": "x"}}, "headers_env"),
        ({"headers": {"X-Harmless": f"Bearer {KEY}"}}, "headers_env"),
        ({"headers": {"X-Harmless": KEY}}, "headers_env"),
        ({"api_key_env": KEY}, "names of environment variables"),
        ({"headers_env": {"api-key": KEY}}, "names of environment variables"),
        ({"base_url": f"https://user:{KEY}@api.example.com/v1"}, "headers_env"),
        ({"base_url": f"https://{KEY}@api.example.com/v1"}, "headers_env"),
        ({"base_url": f"{URL}?api-key={KEY}"}, "headers_env"),
        ({"base_url": f"{URL}?key={KEY}"}, "headers_env"),
        ({"extra_body": {"api_key": KEY}}, "headers_env"),
        ({"extra_body": {"provider": [{"api_key": "x"}]}}, "headers_env"),
        ({"extra_body": {"provider": {"order": [KEY]}}}, "headers_env"),
        ({"parameters": {"user": KEY}}, "headers_env"),
        ({"base_url": f"https://api.example.com/{KEY}/v1"}, "looks like a secret"),
        ({"headers": {"X-Harmless": "AIza" + KEY}}, "headers_env"),
        ({"headers": {"X-Harmless": "eyJhbGciOiJIUzI1NiJ9." + KEY}}, "headers_env"),
    ],
)
def test_a_secret_that_is_given_is_refused_and_not_repeated(settings, cure):
    with pytest.raises(ConfigError, match=cure) as caught:
        make(**settings)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"base_url": "api.example.com/v1"}, "http:// or https://"),
        ({"base_url": "ftp://api.example.com"}, "http:// or https://"),
        ({"base_url": "http://[::1"}, "cannot be read"),
        ({"model": " "}, "model is empty"),
        ({"requests": {"max_inflight": 3}}, "Did you mean 'max_in_flight'"),
        ({"requests": {"max_in_flight": 0}}, "number from 1"),
        ({"requests": {"read_timeout": -1}}, "number from"),
        ({"parameters": {"messages": []}}, "may not set 'messages'"),
        ({"parameters": {"n": 3}}, "may not set 'n'"),
        ({"parameters": {"max_tokens": 0}}, "whole number from 1"),
        ({"parameters": {"x": float("nan")}}, "JSON"),
        ({"headers": {"X-A": "two\nlines"}}, "header"),
        ({"headers": {"X-A": 5}}, "must be text"),
        ({"headers": {"X-A": "1"}, "headers_env": {"x-a": "VAR"}}, "more than once"),
        ({"headers_env": {"authorization": "VAR"}, "api_key_env": "KEY"}, "more than once"),
        ({"base_url": "https://api.example.com /v1"}, "cannot be read"),
        ({"base_url": None}, "cannot be read"),
        ({"parameters": {"seed": "abc"}}, "whole number"),
        ({"price": {"input": 1}}, "unknown key 'input'"),
        ({"budget": {"max_money": 1}}, "unknown key 'max_money'"),
        ({"budget": {"max_requests": -1}}, "number from 0"),
        ({"budget": {"max_cost": 1}, "parameters": {"max_tokens": 9}}, "price is unknown"),
        ({"budget": {"max_tokens": 100}}, "how long one answer can be"),
    ],
)
def test_wrong_settings_are_refused_with_the_cure(settings, problem):
    with pytest.raises(ConfigError, match=problem):
        make(**settings)


def test_harmless_headers_and_keys_pass():
    headers = {"HTTP-Referer": "https://example.com", "X-Title": "author of tokens", "anthropic-version": "2023-06-01"}
    made = make(headers=headers, parameters={"max_tokens": 5, "logit_bias": {}}, extra_body={"prompt_cache_key": "a"})
    assert made.endpoint.headers == headers


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://h:1/v1", "http://h:1/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h", "http://h/chat/completions"),
        ("https://h/openai/deployments/d?api-version=1", "https://h/openai/deployments/d/chat/completions?api-version=1"),
    ],
)
def test_the_path_is_completed(base_url, url):
    assert make_endpoint(base_url).url == url


def test_the_identity_is_scheme_host_and_path_but_not_the_port():
    identities = {make_endpoint(url).identity for url in ("http://h:1/v1", "http://h:2/v1", "http://h/v1/")}
    others = {make_endpoint(url).identity for url in ("https://h/v1", "http://i/v1", "http://h/v2")}
    assert (len(identities), len(identities | others)) == (1, 4)
    assert make_endpoint("http://h/v1", identity="mine").identity == "mine"


@pytest.mark.parametrize(
    ("url", "local"), [("http://127.0.0.1:1", True), ("http://localhost/v1", True), ("http://[::1]:8/v1", True), (URL, False)]
)
def test_only_this_machine_is_free(url, local):
    assert make_endpoint(url).local is local
    assert make(base_url=url)._budget.price.known is local


@pytest.fixture
def logs():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", 401, body={"error": {"message": f"Incorrect API key provided: {KEY}"}}),
        Fault("status", 400, body={"error": {"message": f"bad header Bearer {KEY}"}}),
        BROKEN,
        DROP,
        Fault("html"),
        Fault("raw", body={"error": f"{KEY} is over its limit"}),
    ],
)
def test_keys_are_sent_and_never_shown(fault, store, monkeypatch, logs, capfd, tmp_path):
    monkeypatch.setenv("MY_KEY", KEY)
    monkeypatch.setenv("MY_OTHER", "other-" + KEY)
    with FaultServer(always(fault)) as server:
        settings = {"api_key_env": "MY_KEY", "headers_env": {"X-Other": "MY_OTHER"}, "requests": {"max_retries": 1}}
        with chat(server, store, **settings) as model:
            said = []
            try:
                said += [answer.detail for answer in ask(model, ["a"] * 1)] + [repr(ask(model, ["b"]))]
            except TeacherError as error:
                said.append(str(error))
            shown = [
                *said,
                repr(model),
                repr(model.__dict__),
                model.identity,
                model.account,
                repr(pickle.dumps(model)),
                logs.getvalue(),
            ]
        assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
        assert server.headers[0]["X-Other"] == "other-" + KEY
    shown += [*capfd.readouterr(), *(file.read_bytes().decode("latin1") for file in tmp_path.rglob("*") if file.is_file())]
    assert said and not [text for text in shown if KEY in text]


def test_a_pipeline_goes_to_disk_and_back_with_the_names_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", KEY)
    with FaultServer() as server:
        nlp = spacy.blank("en")
        model = {"@llm_models": "synthesizrr.ChatCompletions.v1", "base_url": server.url, "model": "m", "api_key_env": "MY_KEY"}
        nlp.add_pipe("llm_synthesizrr", config={"task": {"@llm_tasks": "spacy.Raw.v1"}, "model": model})
        list(nlp.pipe(["a"]))
        nlp.get_pipe("llm_synthesizrr").model.close()
        nlp.to_disk(tmp_path / "nlp")
        again = spacy.load(tmp_path / "nlp")
        assert again("a")._.llm_reply.startswith("answer to")
        again.get_pipe("llm_synthesizrr").model.close()
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
    assert "MY_KEY" in (tmp_path / "nlp" / "config.cfg").read_text()


@pytest.mark.parametrize("name", ["ollama", "openai"])
def test_the_shipped_configs_make_a_teacher_without_asking_anybody(name, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path = ROOT / "configs" / f"teacher.{name}.cfg"
    nlp = spacy.blank("en")
    nlp.add_pipe("llm_synthesizrr", config={"task": {"@llm_tasks": "spacy.Raw.v1"}, "model": read_config(path)["teacher"]})
    assert nlp.get_pipe("llm_synthesizrr").model.owns_store


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("http://10.0.0.7:8000/v1", True),
        ("https://10.0.0.7:8000/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://localhost/v1", False),
    ],
)
def test_only_plain_http_to_another_machine_is_exposed(url, exposed):
    assert make_endpoint(url).exposed is exposed


def test_a_key_that_would_go_unencrypted_to_another_machine_is_told_of_and_not_shown(monkeypatch, caplog):
    monkeypatch.setenv("A_KEY", KEY)
    with FaultServer() as server, caplog.at_level(logging.WARNING):
        for url in (server.url, server.url.replace("127.0.0.1", "0.0.0.0")):  # the latter is no loopback address and leads here too
            model = make_chat_completions(url, "m", api_key_env="A_KEY")
            assert ask(model, ["Hello"]) != [""]
            model.close()
    [told] = [record.getMessage() for record in caplog.records if "unencrypted" in record.getMessage()]
    assert "Authorization" in told and "0.0.0.0" in told and KEY not in told

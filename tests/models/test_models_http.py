"""Which way requests take."""

import pytest
from asking import ask_once, texts
from faulty import FaultServer

from spacy_synthesizrr.models.chat.http import proxy_for

AWAY = "http://teacher.example:8000/v1"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_a_proxy_there_is_none():
    assert proxy_for(AWAY) is None


def test_a_server_elsewhere_is_asked_through_the_proxy_of_the_environment(store, monkeypatch):
    with FaultServer() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        elsewhere = type("Server", (), {"url": AWAY})
        answers = ask_once(elsewhere, store, texts(2))
        assert answers == ["answer to prompt 0", "answer to prompt 1"]
        assert set(proxy.paths) == {"http://teacher.example:8000/v1/chat/completions"}


def test_a_server_on_this_machine_is_asked_directly(store, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    with FaultServer() as server:
        assert ask_once(server, store, texts(1)) == ["answer to prompt 0"]


def test_no_proxy_is_kept(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.example")
    monkeypatch.setenv("no_proxy", "teacher.example")
    assert proxy_for(AWAY) is None

"""Finding a local LLM: how a host is read, what a server lists, which model is taken, and the config that is written."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import ROOT
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.errors import ConfigError, TeacherError
from spacy_synthesizrr.models.local import base_url, choose_model, list_models, write_teacher


@contextmanager
def serving(body: bytes, status: int = 200):
    """A server that answers every GET with the same body; yields its host and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            asked.append(self.path)
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def listing(*names: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name} for name in names]}).encode()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        (":8080", "http://127.0.0.1:8080/v1"),
        ("localhost", "http://localhost:11434/v1"),
        ("box.lan:11500", "http://box.lan:11500/v1"),
        ("http://box.lan", "http://box.lan:80/v1"),
        ("https://box.lan/ollama/", "https://box.lan:443/ollama/v1"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("[::1]:11434", "http://[::1]:11434/v1"),
        ("[::]", "http://127.0.0.1:11434/v1"),
    ],
)
def test_a_host_is_read_as_ollama_reads_it(host, url):
    assert base_url(host) == url


@pytest.mark.parametrize("host", ["127.0.0.1:port", "127.0.0.1:99999", "ftp://box.lan", "http://anna:geheim@box.lan"])
def test_what_is_no_address_or_holds_a_password_is_refused(host):
    with pytest.raises(ConfigError) as caught:
        base_url(host)
    assert "geheim" not in str(caught.value)


def test_models_come_in_the_order_of_the_server():
    with serving(listing("b", "a")) as (host, asked):
        assert list_models(base_url(host)) == ["b", "a"]
    assert asked == ["/v1/models"]


def test_no_proxy_stands_between_us_and_this_machine(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(listing("a")) as (host, _):
        assert list_models(base_url(host)) == ["a"]


def test_an_ollama_without_models_lists_none():
    with serving(b'{"object": "list", "data": null}') as (host, _):
        assert list_models(base_url(host)) == []


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"{}", b"[]", b'{"data": [1]}', b"\xff"])
def test_what_lists_no_models_is_no_chat_server(body):
    with serving(body) as (host, _), pytest.raises(TeacherError, match="no chat server"):
        list_models(base_url(host))


def test_an_error_page_is_shown_with_its_status():
    with serving(b"", status=503) as (host, _), pytest.raises(TeacherError, match="Service Unavailable"):
        list_models(base_url(host))


def test_where_nothing_answers_the_error_says_how_to_start_a_server():
    with pytest.raises(TeacherError, match="refused.*ollama serve.*OLLAMA_HOST"):
        list_models("http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("names", "wanted", "chosen"),
    [
        (["a:1b", "usual:3b"], "", "usual:3b"),
        (["a:1b", "b:1b"], "", "a:1b"),
        (["nomic-embed-text:latest", "a:1b"], "", "a:1b"),
        (["a:1b", "usual:3b"], "a:1b", "a:1b"),
        (["a:latest"], "a", "a:latest"),
        (["a:latest"], "a:latest", "a:latest"),
    ],
)
def test_the_model_is_the_one_asked_for_or_the_usual_one_or_the_first(names, wanted, chosen):
    assert choose_model(names, wanted, "usual:3b") == chosen


def test_a_model_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(TeacherError, match=r"no model 'smol'\. Get it with: ollama pull smol\. .*Valid: 'smollm2:135m'"):
        choose_model(["smollm2:135m"], "smol", "usual")


@pytest.mark.parametrize("names", [[], ["nomic-embed-text"]])
def test_a_server_without_a_model_that_writes_says_how_to_get_one(names):
    with pytest.raises(TeacherError, match="ollama pull usual:3b"):
        choose_model(names, "", "usual:3b")


def test_the_config_differs_from_its_source_in_address_and_model_alone(tmp_path):
    source, target = ROOT / "configs" / "teacher.ollama.cfg", tmp_path / "teacher.local.cfg"
    write_teacher(source, target, url="http://127.0.0.1:1/v1", model='odd "name" \\1')
    before, after = read_config(source), read_config(target)
    assert after["teacher"].pop("base_url") == "http://127.0.0.1:1/v1" != before["teacher"].pop("base_url")
    assert after["teacher"].pop("model") == 'odd "name" \\1' != before["teacher"].pop("model")
    assert after == before


def test_a_source_without_an_address_is_refused(tmp_path):
    (tmp_path / "a.cfg").write_text('[teacher]\nmodel = "a"\n')
    with pytest.raises(ConfigError, match="no line `base_url"):
        write_teacher(tmp_path / "a.cfg", tmp_path / "b.cfg", url="http://127.0.0.1:1/v1", model="a")
    assert not (tmp_path / "b.cfg").exists()


def test_the_command_writes_a_config_that_the_project_takes(project, monkeypatch):
    monkeypatch.chdir(project.path)
    with serving(listing("tiny:1b", "other:1b")) as (host, _):
        done = CliRunner().invoke(app, ["local-teacher"], env={"OLLAMA_HOST": host})
    assert done.exit_code == 0, done.output
    assert f"the model tiny:1b at http://{host}/v1 (it also has: other:1b" in done.output
    prepared = project.command("spacy_synthesizrr", "prepare", "--task", "assets/news_demo", "--run", "local", "--teacher", "local")
    assert prepared.returncode == 0, prepared.stderr


def test_the_command_without_a_server_is_one_line(project, monkeypatch):
    monkeypatch.chdir(project.path)
    done = CliRunner().invoke(app, ["local-teacher"], env={"OLLAMA_HOST": "127.0.0.1:9"})
    assert done.exit_code == 2
    assert done.output.startswith("✘ No chat server answers") and done.output.count("\n") == 1
    assert not (project.path / "configs" / "teacher.local.cfg").exists()

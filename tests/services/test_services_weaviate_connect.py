"""Ways to a Weaviate, and what a person is told where there is none."""

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from services.fixtures import serve
from services.processes import free_ports
from services.weaviate import running_weaviate
from services.weaviate_stores import store_on
from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
from spacy_synthesizrr.errors import ConfigError, StoreError
from spacy_synthesizrr.stores.weaviate import connect as connecting
from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store
from spacy_synthesizrr.stores.weaviate.settings import Connection, Place, address

KEY = "tests-secret-key-8d1f"
NEAR = Passage("a", "ferry harbour storm")


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("WEAVIATE_URL", "WEAVIATE_API_KEY", "WEAVIATE_GRPC_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server that takes one key only."""
    yield from serve(running_weaviate(tmp_path_factory.mktemp("guarded"), api_key=KEY))


@contextmanager
def answering(replies):
    """A server that is no Weaviate: replies by path; the headers that came are in `seen`."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(dict(self.headers))
            status, body = replies.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


def refused(store):
    """The message with which a store says that it cannot connect."""
    with pytest.raises(StoreError) as caught:
        store.complete()
    store.close()
    return str(caught.value)


def meta(version):
    return {"/v1/meta": (200, json.dumps({"version": version}).encode())}


def test_a_server_is_reached_by_its_address_in_the_environment(weaviate, tmp_path, monkeypatch):
    monkeypatch.setenv("WEAVIATE_URL", weaviate.url)
    monkeypatch.setenv("WEAVIATE_GRPC_PORT", str(weaviate.grpc_port))
    store = make_weaviate_store(str(tmp_path), "by_environment")
    assert not store.complete()
    assert store.location == f"{weaviate.url}, collection Synthesizrr_by_environment"
    store.close()


def test_connecting_asks_nobody_but_the_server(weaviate, tmp_path, monkeypatch):
    asked = set()
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **options: asked.add(host) or look_up(host, *more, **options))
    store = store_on(weaviate, tmp_path)
    store.complete()
    store.close()
    assert asked == {"127.0.0.1"}


def test_the_right_key_opens_and_may_write(guarded, tmp_path, monkeypatch):
    monkeypatch.setenv("WEAVIATE_API_KEY", KEY)
    store = store_on(guarded, tmp_path, "key")
    assert store.index([NEAR], make_lsa_embedder()).written
    assert store.get(["a"]) == [NEAR]
    store.close()


@pytest.mark.parametrize(("key", "told"), [("wrong-5ad0", "refuses the key in"), ("", "wants a key, and none is set in")])
def test_a_wrong_key_is_told_without_showing_it(guarded, tmp_path, monkeypatch, key, told):
    monkeypatch.setenv("MY_KEY", key)
    said = refused(store_on(guarded, tmp_path, connection={"api_key_env": "MY_KEY"}))
    assert f"{told} MY_KEY" in said
    assert "wrong-5ad0" not in said


def test_a_key_for_a_server_that_takes_everybody(weaviate, tmp_path, monkeypatch):
    monkeypatch.setenv("WEAVIATE_API_KEY", KEY)
    said = refused(store_on(weaviate, tmp_path))
    assert "refuses the key in WEAVIATE_API_KEY" in said
    assert KEY not in said


def test_where_nothing_listens_three_ways_are_shown(tmp_path):
    (port,) = free_ports(1)
    said = refused(make_weaviate_store(str(tmp_path), connection={"url": f"http://127.0.0.1:{port}"}))
    assert said.startswith(f"No Weaviate answers at http://127.0.0.1:{port} (")
    for way in ("start a server and set WEAVIATE_URL", "a cluster in Weaviate Cloud", 'reach = "embedded"'):
        assert way in said


@pytest.mark.parametrize(
    "replies",
    [{}, {"/v1/meta": (200, b"<html>")}, {"/v1/meta": (200, b"{}")}, {"/v1/meta": (500, b"oops")}, meta("newest")],
    ids=["404", "html", "empty", "500", "version"],
)
def test_what_is_no_weaviate_is_told(tmp_path, replies):
    with answering(replies) as (url, _):
        said = refused(make_weaviate_store(str(tmp_path), connection={"url": url}))
    assert said.startswith(f"What answers at {url} is no Weaviate")


@pytest.mark.parametrize("version", ["1.19.3", "1.32.9"])
def test_a_server_below_the_supported_version_is_refused(tmp_path, version):
    with answering(meta(version)) as (url, _):
        said = refused(make_weaviate_store(str(tmp_path), connection={"url": url}))
    assert said.startswith(f"Weaviate at {url} is too old")
    assert "version 1.33 or later: update the server" in said


def test_a_closed_grpc_port_is_named_with_the_cure(weaviate, tmp_path):
    (port,) = free_ports(1)
    said = refused(store_on(weaviate, tmp_path, connection={"grpc_port": port}))
    assert f"gRPC port at 127.0.0.1:{port}" in said
    assert "WEAVIATE_GRPC_PORT" in said


def test_a_port_that_does_not_speak_grpc_is_named(weaviate, tmp_path):
    with answering({}) as (url, _):
        port = int(url.rsplit(":", 1)[1])
        said = refused(store_on(weaviate, tmp_path, connection={"grpc_port": port, "timeout": 5.0}))
    assert f"gRPC port at 127.0.0.1:{port}" in said


def test_one_port_for_both_is_refused(weaviate, tmp_path):
    with pytest.raises(ConfigError, match="cannot be both HTTP and gRPC"):
        store_on(weaviate, tmp_path, connection={"grpc_port": weaviate.port}).complete()


def test_secret_headers_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXY_TOKEN", KEY)
    with answering(meta("1.37.0")) as (url, seen):
        said = refused(make_weaviate_store(str(tmp_path), connection={"url": url, "headers_env": {"X-Proxy": "PROXY_TOKEN"}}))
    assert seen[-1]["x-proxy"] == KEY
    assert KEY not in said


def test_an_embedded_server_gets_the_secret_headers_and_no_key(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXY_TOKEN", KEY)
    monkeypatch.setenv("WEAVIATE_API_KEY", "key-of-another-server")
    with answering(meta("1.37.0")) as (url, seen):
        (closed,) = free_ports(1)
        server = SimpleNamespace(host="127.0.0.1", port=int(url.rsplit(":", 1)[1]), grpc_port=closed, release=lambda: None)
        monkeypatch.setattr(connecting, "embedded_server", lambda place: server)
        refused(make_weaviate_store(str(tmp_path), connection={"reach": "embedded", "headers_env": {"X-Proxy": "PROXY_TOKEN"}}))
    assert seen[-1]["x-proxy"] == KEY
    assert "authorization" not in {name.lower() for name in seen[-1]}


@pytest.mark.parametrize("watched", [True, False])
def test_a_connection_that_is_closed_at_once_ends_in_silence(weaviate, monkeypatch, watched):
    caught = []
    monkeypatch.setattr(threading, "excepthook", lambda args: caught.append(args.exc_value))
    before = set(threading.enumerate())
    for _ in range(3):
        link = connecting.connect(Place(Connection(url=weaviate.url, grpc_port=weaviate.grpc_port)))
        assert not watched or link.watch.breaks == 0
        link.close()
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(5)
    assert caught == []
    assert watched or not left


def test_a_header_whose_variable_is_not_set_is_named(weaviate, tmp_path):
    store = store_on(weaviate, tmp_path, connection={"headers_env": {"X-Proxy": "NO_SUCH_TOKEN"}})
    with pytest.raises(ConfigError, match="the environment variable NO_SUCH_TOKEN is not set"):
        store.complete()


@pytest.mark.parametrize(
    "connection",
    [
        {"api_key_env": "s3cr3t-value"},
        {"headers_env": {"X-Proxy": "s3cr3t-value"}},
        {"url": "http://user:s3cr3t-value@127.0.0.1:8080"},
    ],
    ids=["key", "header", "url"],
)
def test_a_secret_in_the_config_is_refused_and_not_shown(tmp_path, connection):
    with pytest.raises(ConfigError) as caught:
        make_weaviate_store(str(tmp_path), connection=connection).complete()
    assert "environment variable" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [("127.0.0.1:8080", "must begin with http"), ("http://a/b", "must end with the port"), ("http://a:b", "cannot be read")],
)
def test_an_address_that_is_none_is_refused(tmp_path, url, told):
    with pytest.raises(ConfigError, match=told):
        make_weaviate_store(str(tmp_path), connection={"reach": "server", "url": url}).complete()


def test_an_unknown_key_of_the_config_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(ConfigError, match=r"\[store.connection\] unknown key 'grpc_prt'. Did you mean 'grpc_port'"):
        make_weaviate_store(str(tmp_path), connection={"grpc_prt": 1})


@pytest.mark.parametrize(
    ("url", "reach"),
    [
        ("http://127.0.0.1:8080", "server"),
        ("https://search.example.org", "server"),
        ("https://name.c0.europe-west3.gcp.weaviate.cloud", "cloud"),
        ("name.c0.europe-west3.gcp.weaviate.cloud", "cloud"),
        (None, "embedded"),
    ],
)
def test_the_address_says_which_way_to_go(url, reach):
    assert Place(Connection(url=url)).reach == reach


def test_https_is_the_default_port_and_tls():
    at = address("https://search.example.org")
    assert (at.port, at.secure, at.url) == (443, True, "https://search.example.org:443")


def test_the_cloud_wants_a_key(tmp_path):
    store = make_weaviate_store(str(tmp_path), connection={"url": "https://name.weaviate.cloud"})
    with pytest.raises(ConfigError, match="Weaviate Cloud wants a key. Set the environment variable WEAVIATE_API_KEY"):
        store.complete()


def test_a_cluster_that_cannot_be_reached_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("WEAVIATE_API_KEY", KEY)
    said = refused(make_weaviate_store(str(tmp_path), connection={"url": "https://no-such-name.invalid", "reach": "cloud", "timeout": 5.0}))
    assert said.startswith("No Weaviate answers at https://no-such-name.invalid:443 (")
    assert KEY not in said


TLS = """
    import sys
    from spacy_synthesizrr.candidates import Passage
    from spacy_synthesizrr.embedders.lsa import make_lsa_embedder
    from spacy_synthesizrr.stores.weaviate.making import make_weaviate_store

    url, grpc_port, folder = sys.argv[1:]
    connection = {"url": url, "grpc_port": int(grpc_port), "trust_env": True}
    store = make_weaviate_store(folder, "tls", connection=connection)
    store.index([Passage("a", "ferry harbour storm")], make_lsa_embedder())
    print(store.get(["a"])[0].text)
    store._table.drop()
    store.close()
"""


def test_a_server_behind_tls_is_reached(weaviate, tmp_path):
    import textwrap

    from services.tls import certificate, tls_before

    key, cert = certificate(tmp_path)
    env = {**os.environ, "SSL_CERT_FILE": str(cert), "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(cert)}
    with tls_before(weaviate.port, key, cert) as port, tls_before(weaviate.grpc_port, key, cert) as grpc_port:
        words = [f"https://127.0.0.1:{port}", str(grpc_port), str(tmp_path)]
        command = [sys.executable, "-c", textwrap.dedent(TLS), *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        plain = {name: value for name, value in env.items() if name not in ("SSL_CERT_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")}
        unknown = subprocess.run(command, env=plain, capture_output=True, text=True, timeout=120)
    assert done.stdout == "ferry harbour storm\n", done.stderr
    assert "No Weaviate answers at https://127.0.0.1" in unknown.stderr


def test_the_client_is_imported_without_what_it_would_tell_people(tmp_path):
    """A package below it warns when another one is missing, which is no matter of ours or of our users."""
    (tmp_path / "httpx2.py").write_text("raise ImportError")
    code = "from spacy_synthesizrr.stores.weaviate.connect import require_client; require_client(); import weaviate"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "PYTHONWARNINGS": "default"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")

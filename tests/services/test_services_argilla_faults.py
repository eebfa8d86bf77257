"""What a person is told where Argilla is not as it should be, and that nothing is lost by it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from argilla_bridge.server.connect import connect
from argilla_bridge.server.faults import ServerError
from argilla_bridge.settings import ReviewSettings, ServerSettings
from services.argilla import Person, running_argilla
from services.argilla_reviews import connected, reviewing, row
from services.fixtures import serve
from services.processes import free_ports
from spacy_synthesizrr.errors import ConfigError

SECRET = "secret-key-8d1f"
NOBODY = Person("nobody", "", SECRET)


@pytest.fixture(scope="module")
def mortal(tmp_path_factory):
    """A server that tests may kill."""
    yield from serve(running_argilla(tmp_path_factory.mktemp("mortal")))


@contextmanager
def answering(status, body, seen=None):
    """A server that is no Argilla."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if seen is not None:
                seen.append(dict(self.headers))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def told(monkeypatch, url, key=SECRET, **settings):
    """What a person is told who cannot connect."""
    monkeypatch.setenv("ARGILLA_API_URL", url)
    monkeypatch.setenv("ARGILLA_API_KEY", key)
    with pytest.raises((ConfigError, ServerError)) as error:
        connect(ServerSettings(retries=0, **settings))
    assert SECRET not in str(error.value)
    return str(error.value)


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("ARGILLA_API_URL", raising=False)
    with pytest.raises(ConfigError, match="ARGILLA_API_URL is not set.*http://localhost:6900"):
        connect(ServerSettings())
    monkeypatch.setenv("ARGILLA_API_URL", "http://localhost:6900")
    monkeypatch.delenv("OTHER_KEY", raising=False)
    with pytest.raises(ConfigError, match="OTHER_KEY is not set"):
        connect(ServerSettings(key_env="OTHER_KEY"))


@pytest.mark.parametrize("url", ["localhost:6900", "ftp://localhost", "http://"])
def test_an_address_that_is_none_is_refused(monkeypatch, url):
    assert "ARGILLA_API_URL is no address" in told(monkeypatch, url)


def test_an_address_with_a_password_is_refused_without_repeating_it(monkeypatch):
    assert "has a user or a password in it" in told(monkeypatch, f"http://me:{SECRET}@localhost:6900")


def test_nobody_answers(monkeypatch):
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    assert told(monkeypatch, url).startswith(f"No Argilla answers at {url} (ConnectError")


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>hello</html>"), (200, b"{}"), (404, b"not here"), (500, b""), (200, b"[]")])
def test_what_answers_is_no_argilla(monkeypatch, status, body):
    with answering(status, body) as url:
        assert f"What answers at {url} is no Argilla" in told(monkeypatch, url)


def test_headers_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("SPACE_TOKEN", "Bearer of-a-space")
    seen = []
    with answering(404, b"", seen) as url:
        told(monkeypatch, url, headers_env={"Authorization": "SPACE_TOKEN"})
    assert {each.get("Authorization") for each in seen} == {"Bearer of-a-space"}


def test_a_wrong_key_is_said_to_be_wrong_and_not_shown(monkeypatch, argilla):
    assert "does not take the key in $ARGILLA_API_KEY" in told(monkeypatch, argilla.url)


def test_an_annotator_s_key_is_not_enough(monkeypatch, argilla):
    assert "that of 'ann', whose role" in told(monkeypatch, argilla.url, key=argilla.ann.key)


def test_an_address_may_have_the_path_of_the_api(monkeypatch, argilla):
    monkeypatch.setenv("ARGILLA_API_URL", f"{argilla.url}/api/v1/")
    monkeypatch.setenv("ARGILLA_API_KEY", argilla.owner.key)
    link = connect(ServerSettings())
    assert (link.url, link.user, link.role) == (argilla.url, "argilla", "owner")
    link.close()


def test_connecting_leaves_the_log_of_python_alone(argilla):
    import logging

    before = [*logging.getLogger().handlers]
    with connected(argilla, ReviewSettings()):
        assert logging.getLogger().handlers == before


def test_nothing_is_printed(argilla, capfd):
    with reviewing(argilla) as review:
        review.put(row(1))
        review.answer(argilla.ann, row(1), "sport")
        review.votes()
    assert capfd.readouterr() == ("", "")


def test_after_a_server_was_killed_while_rows_were_sent_the_rest_can_be_sent(mortal):
    rows = [row(number, vectors={}) for number in range(30)]
    with reviewing(mortal, server_settings={"batch_size": 5}) as review:

        def cut():
            for number, each in enumerate(rows):
                if number == 17:
                    mortal.kill_server()
                yield each

        with pytest.raises(ServerError, match="No Argilla answers"):
            review.backend.put("main", cut(), done=review.kept.extend)
        mortal.restart_server()
        kept = [*review.kept]
        assert set(kept) <= set(review.backend.ids("main"))
        assert kept == [each.id for each in rows[:15]]
        assert review.put(*rows[15:]) == {}
        assert sorted(review.backend.ids("main")) == sorted(each.id for each in rows)


def test_rows_get_through_when_the_server_is_back_before_the_last_try(mortal):
    """It is started again by this thread, as the server goes with the thread that started it."""
    rows = [row(number, vectors={}) for number in range(10)]
    with reviewing(mortal, server_settings={"batch_size": 5, "retries": 30}) as review, ThreadPoolExecutor(1) as other:
        mortal.kill_server()
        sending = other.submit(review.put, *rows)
        time.sleep(1)
        mortal.restart_server()
        assert sending.result(timeout=120) == {}
        assert len({*review.backend.ids("main")}) == 10


def test_without_the_worker_rows_and_votes_go_both_ways(mortal):
    mortal.stop_worker()
    try:
        with reviewing(mortal) as review:
            review.put(row(1))
            review.answer(mortal.ann, row(1), "sport")
            assert [vote.labels for vote in review.votes()] == [("sport",)]
            assert review.backend.progress("main")["completed"] == 1
    finally:
        mortal.restart_worker()

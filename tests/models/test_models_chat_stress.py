"""The chat model under load and with many faults: every answer is kept once, nothing leaks, the limit comes back."""

import json
import subprocess
import sys
import threading
import time

import pytest
from apart import MIX, ServerApart
from asking import chat
from conftest import ROOT

ASKER = ROOT / "tests" / "servers" / "asker.py"
PATIENCE = 240.0  # seconds; a busy computer is slow, a hang is for ever


def until(holds) -> bool:
    """Whether something comes true, sooner or later."""
    last = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > last:
            return False
        time.sleep(0.005)
    return True


class Stream:
    """Asks for ever, in a thread of its own, as long as the block lasts."""

    def __init__(self, model) -> None:
        self._model, self._ended = model, threading.Event()
        self.errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _prompts(self):
        number = 0
        while not self._ended.is_set():
            yield [f"prompt {number}"]
            number += 1

    def _run(self) -> None:
        try:
            for _ in self._model(self._prompts()):
                pass
        except BaseException as error:
            self.errors.append(error)

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join(PATIENCE)
        assert not self.errors and not self._thread.is_alive()


@pytest.fixture(scope="module", params=[10_000, 100_000])
def run(request, tmp_path_factory):
    """Client and server in processes of their own: what the client reports, and what the server counted."""
    count = request.param
    with ServerApart(seed=count, mix=MIX, seconds=0.02) as server:
        told = {"url": server.url, "store": str(tmp_path_factory.mktemp("stress") / "answers.sqlite"), "count": count}
        done = subprocess.run([sys.executable, str(ASKER), json.dumps(told)], capture_output=True, text=True, cwd=ROOT, timeout=1800)
        assert done.returncode == 0, done.stderr
        yield count, json.loads(done.stdout), server.counts()


def test_every_prompt_gets_its_own_answer_in_order(run):
    count, report, _ = run
    assert (report["answers"], report["wrong"]) == (count, "")


def test_every_answer_is_kept_once(run):
    count, report, _ = run
    assert report["kept"] == count


def test_every_answer_is_paid_once(run):
    count, _, server = run
    assert (server["paid"], server["distinct"], server["most"]) == (count, count, 1)
    assert 1.1 * count < server["asked"] < 1.2 * count  # the faults were there


def test_all_counts_as_spent_but_what_was_refused(run):
    _, report, server = run
    assert report["status"]["requests"] == server["asked"] - server["refused"]


def test_no_permit_is_left_behind(run):
    _, report, _ = run
    assert (report["status"]["in_flight"], report["reserved"]) == (0, 0)


def test_memory_does_not_grow_with_the_number_of_prompts(run):
    _, report, _ = run
    early, late = report["memory"]
    assert late - early < 20_000


@pytest.mark.usefixtures("quick")
def test_the_limit_is_full_again_after_faults(store):
    with ServerApart(mix=MIX, seconds=0.02) as server, chat(server, store, requests={"max_in_flight": 16}) as model:
        with Stream(model):
            server.wait(distinct=3_000)
            server.mix()
            assert until(lambda: model.status()["limit"] == 16)
        assert model.status()["in_flight"] == 0


@pytest.mark.usefixtures("quick")
def test_a_storm_pushes_the_limit_to_its_floor_and_it_comes_back_to_full(store):
    settings = {"max_in_flight": 24, "max_retries": 1_000_000}
    with ServerApart(seconds=0.005) as server, chat(server, store, requests=settings) as model:
        with Stream(model):
            server.wait(distinct=100)
            server.mix(busy=100)
            assert until(lambda: model.status()["limit"] == 1)
            answered = server.mix()["distinct"]
            assert until(lambda: model.status()["limit"] == 24)
            assert server.counts()["distinct"] - answered >= 23 * 25 - 24  # by one per 25 answers, not at once
        assert model.status()["in_flight"] == 0

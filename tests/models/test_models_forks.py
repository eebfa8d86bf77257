"""A fork in the middle of the work: neither side loses an answer, waits for a thread that is not there, or disturbs the other."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from apart import ServerApart
from asking import ask, texts

from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.chat.model import make_chat_completions

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),  # that it has threads is the point
]
PATIENCE = 60.0  # seconds; a hang is for ever


def forked(work) -> int:
    """A child that does some work and ends as programs end: 0 when the work returns True."""
    child = os.fork()
    if child == 0:
        try:
            code = 0 if work() else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
            code = 2
        os._exit(code)
    return child


def ended(child: int) -> int:
    """The exit code of a child; a child that hangs is killed and gives 99."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return 99


@pytest.fixture
def store(tmp_path):
    with ResponseStore(tmp_path / "answers.sqlite") as opened:
        yield opened


@pytest.fixture(scope="module")
def server():
    with ServerApart(seconds=0.005) as running:
        yield running


@pytest.fixture
def model(server, store):
    made = make_chat_completions(server.url, "m", requests={"max_in_flight": 16})
    made.remember(store)
    yield made
    made.close(grace=10)


def test_what_a_child_keeps_after_its_parent_closed_the_store_is_there(store):
    store.put("a", "1")
    heard, tell = os.pipe()

    def work():
        store.put("b", "2")
        os.read(heard, 1)
        store.put("c", "3")
        return True

    child = forked(work)
    while store.get("b") is None:
        time.sleep(0.005)
    store.close()
    os.write(tell, b"x")
    assert ended(child) == 0
    assert [store.get(request) for request in "abc"] == ["1", "2", "3"]


def test_a_child_that_is_born_while_its_parent_writes_can_use_the_store(store):
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            number += 1
            store.put(f"parent {number}", "x", flush=False)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        children = [forked(lambda number=number: store.put(f"child {number}", "y") == "y") for number in range(20)]
        assert [ended(child) for child in children] == [0] * 20
    finally:
        stop.set()
        writer.join()
    assert all(store.get(f"child {number}") == "y" for number in range(20))
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_parent_and_children_ask_at_the_same_time(model, store):
    answers = iter(model([text] for text in texts(600)))
    children = []
    for number in range(5):
        for _ in range(40):
            next(answers)
        mine = texts(20, start=10_000 + 20 * number)

        def work(mine=mine):
            right = ask(model, mine) == [f"answer to {text}" for text in mine]
            model.close()
            return right

        children.append(forked(work))
    rest = [str(answer) for [answer] in answers]
    assert [ended(child) for child in children] == [0] * 5
    assert rest == [f"answer to {text}" for text in texts(400, start=200)]
    assert len(store) == 700


def test_a_child_that_ends_as_programs_do_waits_for_nothing_and_takes_nothing_away(server):
    program = f"""
import os, sys
from spacy_synthesizrr.models.chat.model import make_chat_completions
from spacy_synthesizrr.models.chat.scheduler import Scheduler

model = make_chat_completions({server.url!r}, "m", requests={{"max_in_flight": 8}})
answers = iter(model([f"prompt {{number}}"] for number in range(200)))
next(answers)
child = os.fork()
if child == 0:
    Scheduler.close = lambda self, grace: os.write(2, b"waited for threads that are not here")
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert sum(1 for _ in answers) == 199  # the temporary store is still there
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")

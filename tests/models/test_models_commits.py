"""Whoever waits for a commit is told in any case; one bad row harms no other; what others spend is heard of."""

import errno
import os
import queue
import threading

import pytest
from asking import ask_once, kinds, texts
from faulty import FaultServer

from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.budget import Spent
from spacy_synthesizrr.models.answers.commits import Commits, NotKept
from spacy_synthesizrr.models.answers.ledger import Entry, Purpose
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.prompts import Answer

PATIENCE = 20.0  # seconds; longer means that nobody was told


def made(store, **options):
    ledger.prepare(store)
    return Commits(store, identity="m", purpose=Purpose("run", "m at here"), **options)


def entry(name, **about):
    return Entry(Spent(1, 10, 5), answer=Answer(f"answer {name}", request=str(name), **about), cost=0.5)


class Told:
    """Collects what is said of entries, in their order."""

    def __init__(self, commits):
        self.commits, self.news = commits, queue.Queue()

    def put(self, *entries):
        for one in entries:
            self.commits.put(one, self.news.put)
        return [self.news.get(timeout=PATIENCE) for _ in entries]


@pytest.fixture
def commits(store):
    found = made(store)
    yield found
    found.close()


def fails(number):
    def call(*args, **options):
        raise OSError(number, os.strerror(number))

    return call


def broken_from_now_on(told):
    """Put entries until one is not taken; the flush comes within 50 ms of the first commit."""
    for number in range(10_000):
        [error] = told.put(entry(f"later {number}"))
        if error is not None:
            return error
    return None


def test_a_disk_that_cannot_be_forced_fails_everyone_who_comes_after(commits, monkeypatch):
    monkeypatch.setattr(os, "fsync", fails(errno.ENOSPC))
    told = Told(commits)
    error = broken_from_now_on(told)
    assert isinstance(error, RunFolderError) and "No space left" in str(error) and "Make room" in str(error)
    assert told.put(entry("x"), entry("y")) == [error, error]


def test_a_run_on_a_broken_disk_ends_with_an_error(store, monkeypatch):
    monkeypatch.setattr(os, "fsync", fails(errno.EIO))
    ended = queue.Queue()

    def ask():
        try:
            ended.put(kinds(ask_once(server, store, texts(200), requests={"max_in_flight": 4})))
        except RunFolderError as error:
            ended.put(error)

    with FaultServer(seconds=0.02) as server:
        threading.Thread(target=ask, daemon=True).start()
        assert "cannot be forced to the disk" in str(ended.get(timeout=PATIENCE))


def test_answers_are_forced_without_a_new_file_handle(commits, monkeypatch):
    forced = threading.Event()
    monkeypatch.setattr(os, "open", fails(errno.EMFILE))
    monkeypatch.setattr(os, "fsync", lambda file: forced.set())
    assert Told(commits).put(entry("a")) == [None]
    assert forced.wait(PATIENCE)
    commits.close()
    monkeypatch.undo()


def test_too_many_open_files_name_their_own_cure(commits, store, monkeypatch):
    commits._log.close()
    monkeypatch.setattr(os, "open", fails(errno.EMFILE))
    error = broken_from_now_on(Told(commits))
    monkeypatch.undo()
    assert "max_in_flight" in str(error) and "ulimit" in str(error)


def test_a_log_that_was_made_anew_is_found(store, commits, monkeypatch):
    told = Told(commits)
    assert told.put(entry("a")) == [None]
    with store._lock:
        store._reader.close()
        store._disconnect()  # as before a fork
    seen = queue.Queue()
    force = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (force(file), seen.put(os.fstat(file).st_ino)))
    assert told.put(entry("b")) == [None]
    commits.close()
    inodes = [seen.get(timeout=PATIENCE) for _ in range(seen.qsize())]
    assert os.stat(f"{store.path}-wal").st_ino in inodes


@pytest.mark.parametrize("error", [MemoryError("no room"), SystemExit(3)])
def test_a_writer_that_dies_tells_all_who_wait(commits, monkeypatch, error):
    def die(batch):
        raise error

    monkeypatch.setattr(commits, "_write", die)
    first, second = Told(commits).put(entry("a"), entry("b"))
    assert isinstance(first, RunFolderError) and first is second


@pytest.mark.parametrize("about", [{"prompt_tokens": 2**70}, {"model": "\ud83d"}, {"finish": None}, {"finish": ["stop"]}])
def test_one_row_that_cannot_be_written_harms_no_other(store, commits, about):
    with store.transaction():  # all of them come into one batch
        told = Told(commits)
        entries = [entry(1), entry("bad", **about), entry(2), entry(3)]
        for one in entries:
            commits.put(one, told.news.put)
    said = [told.news.get(timeout=PATIENCE) for _ in entries]
    assert [type(error) for error in said] == [type(None), NotKept, type(None), type(None)]
    assert [store.get(name) for name in ("1", "bad", "2", "3")] == ["answer 1", None, "answer 2", "answer 3"]
    assert ledger.spent(store, "run").requests == 4  # the bad one was paid too


def test_a_full_disk_is_not_taken_for_a_bad_row(store, commits):
    store.put("a", "b")
    with store._used() as connection:
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
    [error] = Told(commits).put(entry("x" * 100_000))
    assert isinstance(error, RunFolderError) and "Make room" in str(error)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_that_is_cleared_away_is_noticed_at_once(store, commits, replaced):
    told = Told(commits)
    assert told.put(entry("a")) == [None]
    for path in store.path.parent.iterdir():
        path.unlink()
    if replaced:
        with ResponseStore(store.path) as other:
            other.put("x", "y")
    [error] = told.put(entry("b"))
    assert isinstance(error, RunFolderError) and "was removed or replaced" in str(error)


def test_a_store_that_was_closed_may_be_made_anew(store):
    store.put("a", "b")
    store.close()
    store.path.unlink()
    assert store.get("a") is None


def test_after_each_commit_one_hears_what_was_spent_elsewhere(store):
    heard = {"one": [], "two": []}
    first, second = (made(store, elsewhere=heard[name].append) for name in heard)
    with ResponseStore(store.path) as another:
        other_model = Commits(another, identity="n", purpose=Purpose("run", "n at there"))
        Told(first).put(entry(1))
        Told(first).put(entry(2))
        Told(other_model).put(Entry(Spent(1, 100, 50)))
        Told(second).put(entry(3))
        Told(first).put(entry(4))
        for commits in (first, second, other_model):
            commits.close()
    mine = [(total.requests, total.tokens, total.cost, total.unpriced) for total in heard["one"]]
    assert mine == [(0, 0, 0.0, Spent())] * 2 + [(2, 165, 0.5, Spent(1, 100, 50))]
    [others] = heard["two"]
    assert (others.requests, others.tokens, others.cost) == (3, 180, 1.0)


def test_what_could_not_be_forced_at_the_end_is_said(store, caplog, monkeypatch):
    commits = made(store)
    commits._flushed = float("inf")  # not before the end
    Told(commits).put(entry("a"))
    monkeypatch.setattr(os, "fsync", fails(errno.EIO))
    commits.close()
    assert "cannot be forced to the disk" in caplog.text

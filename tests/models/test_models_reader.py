"""Who looks into a store does not wait for who writes to it."""

import sqlite3
import threading
import time

import pytest

from spacy_synthesizrr.models.answers.reader import Reader
from spacy_synthesizrr.models.answers.responses import ResponseStore


@pytest.fixture
def store(tmp_path):
    with ResponseStore(tmp_path / "answers.sqlite") as opened:
        yield opened


def test_a_look_does_not_wait_while_the_writer_waits_for_another_program(store):
    store.put("a", "kept")
    other = sqlite3.connect(store.path)
    other.execute("BEGIN IMMEDIATE")
    writer = threading.Thread(target=store.put, args=("b", "late"))
    writer.start()
    while not store._lock.locked():
        time.sleep(0.001)
    found = []
    look = threading.Thread(target=lambda: found.extend((store.get("a"), store.get("b"), len(store))), daemon=True)
    look.start()
    look.join(20)
    waited = writer.is_alive()
    other.rollback()
    other.close()
    writer.join()
    assert waited and found == ["kept", None, 1]
    assert store.get("b") == "late"


def test_a_reader_changes_nothing_and_makes_no_file(store, tmp_path):
    store.put("a", "kept")
    reader = Reader(store.path, wait=1)
    with pytest.raises(Exception, match="readonly|read-only"), reader.used() as connection:
        connection.execute("DELETE FROM answers")
    reader.close()
    with pytest.raises(Exception, match="unable to open"), Reader(tmp_path / "none.sqlite", wait=1).used():
        pass
    assert not (tmp_path / "none.sqlite").exists() and store.get("a") == "kept"


def test_names_with_signs_are_files_like_others(tmp_path):
    with ResponseStore(tmp_path / "a #1?mode=ro %20.sqlite") as store:
        store.put("a", "kept")
        assert store.get("a") == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["a #1?mode=ro %20.sqlite"]

"""Looking into a response store, and throwing answers away."""

import time

from asking import ask_once, texts
from faulty import FaultServer

from spacy_synthesizrr.models.answers import archive, ledger
from spacy_synthesizrr.models.answers.responses import ResponseStore


def fill(store, count=3, **settings):
    with FaultServer() as server:
        ask_once(server, store, texts(count), **settings)


def test_the_newest_come_first_and_those_without_a_time_last(store, monkeypatch):
    store.put("old", "of another model")
    fill(store, 1)
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    fill(store, 2)
    assert [row["text"] for row in archive.newest(store, 9)] == ["answer to prompt 1", "answer to prompt 0", "of another model"]


def test_all_answers_are_streamed_also_where_there_are_many(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "BLOCK", 2)
    with ResponseStore(tmp_path / "a.sqlite") as store:
        fill(store, 5)
        assert len(list(archive.kept(store))) == 5
        one = next(archive.kept(store))["request"]
        assert [row["request"] for row in archive.kept(store, begins=one[:8])] == [one]


def test_a_name_chooses_by_model_and_endpoint_whatever_its_case(store):
    fill(store, 2, model="Big-Model")
    fill(store, 3, model="small")
    store.put("x", "kept by another way", flush=False)
    assert archive.prune(store, name="big-model", remove=False) == 2
    assert archive.prune(store, name="127.0.0.1", remove=False) == 5


def test_what_is_removed_is_no_longer_in_the_file_and_stays_in_the_ledger(store):
    store.put("x", "a secret of the corpus")
    fill(store, 2)
    assert archive.prune(store, name="", remove=False) == 3
    archive.prune(store, name="")
    store.close()
    assert b"a secret of the corpus" not in store.path.read_bytes()
    assert len(store) == 0 and sum(row["requests"] for row in ledger.accounts(store)) == 2


def test_age_chooses_only_what_has_one(store):
    store.put("x", "of unknown age")
    fill(store, 2)
    assert archive.prune(store, before=time.time() + 9) == 2
    assert len(store) == 1

import sqlite3
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argilla_bridge.rounds.ledger import Ledger, Noted, Place, digest_of, texts_digest
from argilla_bridge.rows import ReviewRow, Suggestion
from spacy_synthesizrr.errors import RunFolderError

HERE = Place("main", "dataset-1")
ROW = ReviewRow("r1", "c1", {"text": "A text."}, {"rank": 3}, {"text_vector": [0.1, 0.2]}, Suggestion(("sport",), 0.8, "teacher"), 0.2)


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "review" / "ledger.sqlite") as opened:
        yield opened


def test_what_is_noted_is_known(ledger):
    ledger.note(HERE, [Noted("r2", "d2", True), Noted("r1", "d1", False)])
    assert list(ledger.known(HERE)) == ["r1", "r2"]
    assert (ledger.noted(HERE, "r1"), ledger.noted(HERE, "r3")) == (Noted("r1", "d1", False), None)


def test_noting_again_replaces(ledger):
    ledger.note(HERE, [Noted("r1", "old", True)])
    ledger.note(HERE, [Noted("r1", "new", True)])
    assert ledger.noted(HERE, "r1") == Noted("r1", "new", True)
    assert list(ledger.known(HERE)) == ["r1"]


def test_another_identity_knows_nothing(ledger):
    ledger.note(HERE, [Noted("r1", "d1", True)])
    assert ledger.noted(Place("main", "dataset-2"), "r1") is None
    assert list(ledger.known(Place("overlap", "dataset-1"))) == []


def test_rows_can_be_forgotten_while_they_are_read(ledger):
    ledger.note(HERE, [Noted(f"r{number:04}", "d", True) for number in range(2500)])
    for row in ledger.known(HERE):
        ledger.forget(HERE, [row])
    assert list(ledger.known(HERE)) == []


def test_whether_a_suggestion_is_shown_is_kept(ledger):
    ledger.note(HERE, [Noted("r1", "d", True), Noted("r2", "d", False)])
    ledger.note(Place("adjudication", "dataset-3"), [Noted("r3", "d", False)])
    assert [ledger.shown(row) for row in ("r1", "r2", "r3", "r4")] == [True, False, None, None]


def test_candidates_that_say_the_same_share_a_row(ledger):
    ledger.link([("c2", "r1", "t"), ("c1", "r1", "t")])
    assert ledger.candidates("r1") == ["c1", "c2"]
    assert ledger.row_of("c1") == ("r1", "t")


def test_a_candidate_whose_text_changed_has_the_new_row(ledger):
    ledger.link([("c1", "r1", "old")])
    ledger.link([("c1", "r2", "new")])
    assert ledger.row_of("c1") == ("r2", "new")
    assert ledger.candidates("r1") == []


def test_a_ledger_is_opened_again(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite") as first:
        first.note(HERE, [Noted("r1", "d1", True)])
    with Ledger.open(tmp_path / "ledger.sqlite") as second:
        assert list(second.known(HERE)) == ["r1"]
        assert second.datasets() == ["main"]


def test_only_the_owner_reads_it(tmp_path):
    Ledger.open(tmp_path / "ledger.sqlite").close()
    assert (tmp_path / "ledger.sqlite").stat().st_mode & 0o077 == 0


def test_something_else_is_refused_with_the_cure(tmp_path):
    (tmp_path / "ledger.sqlite").write_text("this is no database, however long it may be " * 40)
    with pytest.raises(RunFolderError, match="Delete it .* nothing is there twice"):
        Ledger.open(tmp_path / "ledger.sqlite")


def test_a_newer_one_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(RunFolderError, match="version 2; this release reads versions up to 1"):
        Ledger.open(tmp_path / "ledger.sqlite")


def test_a_backend_may_note_from_a_thread_of_its_own(ledger):
    thread = threading.Thread(target=ledger.note, args=(HERE, [Noted("r1", "d1", True)]))
    thread.start()
    thread.join()
    assert list(ledger.known(HERE)) == ["r1"]


CHANGES = [
    {"fields": {"text": "Another text."}},
    {"metadata": {"rank": 4}},
    {"metadata": {}},
    {"suggestion": None},
    {"suggestion": Suggestion(("science",), 0.8, "teacher")},
    {"suggestion": Suggestion(("sport",), 0.7, "teacher")},
    {"vectors": {"text_vector": [0.1, 0.3]}},
    {"vectors": {}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_whatever_is_sent_is_in_the_digest(change):
    assert digest_of(ReviewRow(**{**vars(ROW), **change})) != digest_of(ROW)


def test_the_order_of_metadata_does_not_matter():
    one, two = (ReviewRow("r", "c", {}, metadata) for metadata in ({"a": 1, "b": 2}, {"b": 2, "a": 1}))
    assert digest_of(one) == digest_of(two)


def test_the_last_bit_of_a_vector_does_not_matter():
    assert digest_of(ReviewRow(**{**vars(ROW), "vectors": {"text_vector": [0.1000001, 0.2]}})) == digest_of(ROW)


@given(st.lists(st.text(max_size=5), max_size=3), st.lists(st.text(max_size=5), max_size=3))
def test_texts_have_the_same_digest_only_when_they_are_the_same(one, two):
    from argilla_bridge.showing.marking import shown

    assert (texts_digest(one) == texts_digest(two)) == (list(map(shown, one)) == list(map(shown, two)))

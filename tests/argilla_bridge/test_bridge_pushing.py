import random
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from review_room import Room, candidate, row_of, schema

from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rounds.pushing import push
from argilla_bridge.rows import ReviewRow
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.making import dataset_of

ALONE = ReviewSettings(overlap=0.0)
SHARED = ReviewSettings(overlap=0.5)


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path / "room")


@pytest.fixture
def ledger(tmp_path):
    with Ledger.open(tmp_path / "ledger.sqlite") as opened:
        yield opened


def rows(number, start=0):
    return [row_of(candidate(place)) for place in range(start, start + number)]


def send(room, ledger, made, settings=ALONE):
    return push(room, iter(made), ledger, schema=schema(settings), settings=settings)


def counts(pushed):
    return pushed.new, pushed.changed, pushed.unchanged, pushed.removed


def test_rows_are_put_there(room, ledger):
    assert counts(send(room, ledger, rows(25))) == (25, 0, 0, 0)
    assert set(room.lines("main")) == {row.id for row in rows(25)}
    assert not (room.folder / "overlap.id").exists()


def test_pushing_again_sends_nothing(room, ledger):
    send(room, ledger, rows(25), SHARED)
    before = len(room.sent)
    assert counts(send(room, ledger, rows(25), SHARED)) == (0, 0, 25, 0)
    assert len(room.sent) == before


def test_the_most_useful_rows_come_first(room, ledger):
    made = rows(30)
    send(room, ledger, made)
    priority = {row.id: row.priority for row in made}
    assert room.sent == sorted(room.sent, key=lambda id: (-priority[id], id))


def test_the_order_in_which_rows_are_made_does_not_matter(tmp_path):
    sent = []
    for number in range(3):
        made = rows(40)
        random.Random(number).shuffle(made)
        room = Room(tmp_path / f"room{number}")
        with Ledger.open(tmp_path / f"ledger{number}.sqlite") as ledger:
            send(room, ledger, made, SHARED)
        sent.append(room.sent)
    assert sent[0] == sent[1] == sent[2]


def test_the_overlap_share_goes_to_a_dataset_of_its_own(room, ledger):
    made = rows(60)
    send(room, ledger, made, SHARED)
    for dataset in ("main", "overlap"):
        assert set(room.lines(dataset)) == {row.id for row in made if dataset_of(row, SHARED) == dataset}
    assert 15 < len(room.lines("overlap")) < 45


def test_the_overlap_dataset_asks_more_people(tmp_path, ledger):
    class Watching(Room):
        def open(self, dataset, schema):
            asked[dataset] = schema.min_submitted
            return super().open(dataset, schema)

    asked = {}
    settings = ReviewSettings(overlap=0.5, min_submitted=1, overlap_submitted=3)
    push(Watching(tmp_path / "room"), rows(20), ledger, schema=schema(settings), settings=settings)
    assert asked == {"main": 1, "overlap": 3}


def test_a_changed_suggestion_is_sent_again_under_the_same_id(room, ledger):
    made = rows(5)
    send(room, ledger, made)
    other = replace(made[2], suggestion=replace(made[2].suggestion, score=0.99))
    assert counts(send(room, ledger, [*made[:2], other, *made[3:]])) == (0, 1, 4, 0)
    assert len(room.lines("main")) == 5


def test_a_changed_text_is_a_new_row_and_the_old_one_goes(room, ledger):
    made = rows(5)
    send(room, ledger, made)
    changed = row_of(candidate(2, text="Another text."))
    assert counts(send(room, ledger, [*made[:2], changed, *made[3:]])) == (1, 0, 4, 1)
    assert made[2].id not in room.lines("main")
    assert ledger.row_of("c2")[0] == changed.id


def test_a_stale_row_is_kept_by_choice(room, ledger):
    made, keep = rows(5), ReviewSettings(overlap=0.0, stale="keep")
    send(room, ledger, made, keep)
    done = send(room, ledger, made[1:], keep)
    assert (done.removed, done.kept) == (0, 1)
    assert made[0].id in room.lines("main")


def test_a_row_stays_where_it_was_put(room, ledger):
    """Its votes are there."""
    made = rows(40)
    send(room, ledger, made, ALONE)
    assert counts(send(room, ledger, made, SHARED)) == (0, 0, 40, 0)
    done = send(room, ledger, rows(80), SHARED)
    assert (done.new, done.unchanged, done.removed) == (40, 40, 0)
    assert {row.id for row in made} <= set(room.lines("main"))


def test_rows_that_somebody_deleted_are_sent_again(room, ledger):
    made = rows(25)
    send(room, ledger, made)
    room.remove("main", [made[3].id, made[7].id])
    assert counts(send(room, ledger, made)) == (2, 0, 23, 0)


def test_a_deleted_dataset_is_filled_again(room, ledger):
    send(room, ledger, rows(25), SHARED)
    room.delete("main"), room.delete("overlap")
    assert counts(send(room, ledger, rows(25), SHARED)) == (25, 0, 0, 0)


def test_without_the_ledger_everything_is_sent_once_more_and_nothing_is_there_twice(room, tmp_path):
    for name in ("one", "two"):
        with Ledger.open(tmp_path / f"{name}.sqlite") as ledger:
            assert counts(send(room, ledger, rows(25))) == (25, 0, 0, 0)
    assert len(room.lines("main")) == 25


def test_bad_rows_are_told_and_do_not_block_the_rest(room, ledger):
    made = rows(25)
    room.refused = {made[4].id: "metadata: not a number"}
    done = send(room, ledger, made)
    assert (done.new, [(row.id, row.why) for row in done.bad]) == (24, [(made[4].id, "metadata: not a number")])
    room.refused = {}
    assert counts(send(room, ledger, made)) == (1, 0, 24, 0)


def test_a_cut_connection_costs_at_most_a_batch(room, ledger):
    made = rows(100)
    room.cut_after = 57
    with pytest.raises(ConnectionError):
        send(room, ledger, made)
    room.cut_after = None
    done = send(room, ledger, made)
    assert (done.new, done.unchanged) == (50, 50)
    assert sorted(room.written("main")) == sorted(row.id for row in made)


def test_candidates_that_say_the_same_are_asked_about_once(room, ledger):
    twins = [row_of(candidate(number, text="The same.")) for number in (1, 2)]
    assert counts(send(room, ledger, twins)) == (1, 0, 0, 0)
    assert ledger.candidates(twins[0].id) == ["c1", "c2"]
    assert counts(send(room, ledger, twins)) == (0, 0, 1, 0)


def test_at_most_so_many_rows_those_of_the_highest_priority(room, ledger):
    made, few = rows(50), ReviewSettings(overlap=0.3, rows=12)
    done = send(room, ledger, made, few)
    assert (done.new, done.waiting) == (12, 38)
    best = sorted(made, key=lambda row: (-row.priority, row.id))[:12]
    assert {*room.lines("main"), *room.lines("overlap")} == {row.id for row in best}


def test_more_rows_join_those_that_are_there(room, ledger):
    send(room, ledger, rows(50), ReviewSettings(overlap=0.0, rows=12))
    there = set(room.lines("main"))
    done = send(room, ledger, rows(50), ReviewSettings(overlap=0.0, rows=20))
    assert counts(done) == (8, 0, 12, 0)
    assert there < set(room.lines("main"))
    assert counts(send(room, ledger, rows(50), ReviewSettings(overlap=0.0, rows=5))) == (0, 0, 20, 0)


def test_blind_rows_are_remembered(room, ledger):
    send(room, ledger, [row_of(candidate(1)), row_of(candidate(2), blind=True)])
    assert [ledger.shown(row_of(candidate(number)).id) for number in (1, 2)] == [True, False]


@pytest.mark.parametrize("blind", [False, True])
def test_what_people_saw_with_a_row_never_changes(room, ledger, blind):
    made = row_of(candidate(1), blind=blind)
    send(room, ledger, [made])
    done = send(room, ledger, [row_of(candidate(1), blind=not blind)])
    assert counts(done) == (0, 0, 1, 0)
    assert ledger.shown(made.id) is not blind
    assert (room.lines("main")[made.id]["suggestion"] is None) is blind


def test_votes_are_read_only_when_rows_are_to_go(tmp_path, ledger):
    class Watching(Room):
        def votes(self, dataset):
            read.append(dataset)
            return super().votes(dataset)

    read, room = [], Watching(tmp_path / "room")
    send(room, ledger, rows(5)), send(room, ledger, rows(5))
    send(room, ledger, rows(4), ReviewSettings(overlap=0.0, stale="keep"))
    assert read == []
    send(room, ledger, rows(4))
    assert read == ["main"]


def test_all_stale_rows_go_at_once(tmp_path, ledger):
    class Watching(Room):
        def remove(self, dataset, ids):
            removed.append(list(ids))
            super().remove(dataset, removed[-1])

    removed, room = [], Watching(tmp_path / "room", batch=500)
    send(room, ledger, rows(350))
    assert send(room, ledger, rows(20)).removed == 330
    assert [len(ids) for ids in removed] == [330]


def test_a_row_goes_to_the_dataset_of_before_at_a_new_place_too(tmp_path, room, ledger):
    send(room, ledger, rows(40), ALONE)
    other = Room(tmp_path / "other")
    assert counts(send(other, ledger, rows(40), SHARED)) == (40, 0, 0, 0)
    assert set(other.lines("main")) == set(room.lines("main"))


def test_a_dataset_of_another_place_is_not_made_before_it_is_needed(tmp_path, room, ledger):
    send(room, ledger, rows(40), SHARED)
    other = Room(tmp_path / "other")
    few = [row for row in rows(40) if dataset_of(row, SHARED) == "main"]
    send(other, ledger, few, SHARED)
    assert not (other.folder / "overlap.id").exists()


def test_no_rows_make_no_dataset(room, ledger):
    assert send(room, ledger, []).places == {}
    assert not list(room.folder.iterdir())


def test_places_are_told(room, ledger):
    assert send(room, ledger, rows(40), SHARED).places == {name: room.place(name) for name in ("main", "overlap")}


def test_memory_does_not_grow_with_the_rows(tmp_path):
    class Sink(Room):
        def put(self, dataset, rows, *, done):
            for row in rows:
                done([row.id])
            return []

    def many(number):
        for place in range(number):
            yield ReviewRow(f"r{place}", f"c{place}", {"text": f"{place} " + "words " * 1000}, {}, {}, None, place % 7 / 7)

    peaks = []
    for number in (10, 400, 1200):  # the first one pays for what is loaded once
        with Ledger.open(tmp_path / f"{number}.sqlite") as ledger:
            tracemalloc.start()
            push(Sink(tmp_path / "room"), many(number), ledger, schema=schema(), settings=ALONE)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[2] < 1.3 * peaks[1], peaks  # the texts alone are 2 and 7 MB


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from review_room import Room, candidate, row_of, schema
from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rounds.pushing import push
from argilla_bridge.settings import ReviewSettings
folder, settings = Path(sys.argv[1]), ReviewSettings(overlap=0.0)
with Ledger.open(folder / "ledger.sqlite") as ledger:
    room = Room(folder / "room", batch=5, pause=float(sys.argv[3]))
    push(room, (row_of(candidate(n)) for n in range(400)), ledger, schema=schema(), settings=settings)
"""


def test_kill_9_costs_at_most_one_batch(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), str(Path(__file__).parent)]
    room = Room(tmp_path / "room")
    for least in (50, 150, 250):
        with subprocess.Popen([*command, "0.05"]) as process:  # slow, so that it is not done before the kill comes
            while len(room.written("main")) < least and process.poll() is None:
                time.sleep(0.01)
            process.kill()
        assert process.returncode == -signal.SIGKILL
    subprocess.run([*command, "0"], check=True)
    written = room.written("main")
    assert len(set(written)) == 400
    assert len(written) <= 400 + 3 * 5
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert counts(send(room, ledger, rows(400))) == (0, 0, 400, 0)

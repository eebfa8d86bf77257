import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Candidate, Event, Seed
from spacy_synthesizrr.report.browse import CELL, MOST, REJECTED, cells_as_answers, draw_sample, draw_tested, fair, thinned

SEED = Seed.make(["sport"], {"text": "A match."})


def write(folder, *, accepted=0, rejected=()):
    """Rows of an arm; rejected ones by reason and number."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [row(number, ("sport", "science")[number % 2]) for number in range(accepted)]
    away = [row(number, "sport", reason) for reason, count in rejected for number in range(count)]
    for name, rows in (("accepted", kept), ("rejected", away)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one.to_dict()) + "\n" for one in rows))
    return folder


def labelled(folder, labels, each):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row(label * each + number, f"label {label}") for number in range(each) for label in range(labels)]
    (folder / "accepted.jsonl").write_text("".join(json.dumps(one.to_dict()) + "\n" for one in rows))
    return folder


def row(number, label, reason=""):
    status = "rejected" if reason else "accepted"
    events = (Event("curate", status, reason),)
    return Candidate(f"{number:08x}{reason}", "synthesizrr", (label,), SEED.id, None, fields={"text": "x"}, status=status, events=events)


def drawn(arms, **more):
    return draw_sample(arms, **{"seed": 0, "labels": 2, "tested": 0, "watch": iter, **more})


def test_a_small_run_is_shown_whole(tmp_path):
    found = drawn({"main": write(tmp_path, accepted=30, rejected=[("near_copy", 3)])})
    assert Counter(row.status for _, row in found.rows) == {"accepted": 30, "rejected": 3}
    assert found.totals == {"main": {"accepted": 30, "rejected": 3}}


def test_a_large_run_is_sampled_with_every_reason_and_control(tmp_path):
    main = write(tmp_path / "main", accepted=4000, rejected=[("near_copy", 3000), ("duplicate", 2000), ("rare", 1)])
    found = drawn({"main": main, "random": write(tmp_path / "random", accepted=900)}, tested=100)
    assert len(found.rows) == MOST - 100
    kinds = Counter((arm, row.reason) for arm, row in found.rows)
    assert kinds["main", "rare"] == 1 and kinds["random", ""] == 300
    assert kinds["main", "near_copy"] + kinds["main", "duplicate"] + 1 == REJECTED
    assert abs(kinds["main", "near_copy"] - kinds["main", "duplicate"]) <= 1


def test_every_label_has_rows_however_many_there_are(tmp_path):
    found = drawn({"main": labelled(tmp_path / "main", 77, 70), "random": labelled(tmp_path / "random", 77, 9)}, labels=77)
    assert len({row.key for arm, row in found.rows if arm == "main"}) == len({row.key for arm, row in found.rows if arm == "random"}) == 77
    counts = Counter(row.key for arm, row in found.rows if arm == "main")
    assert max(counts.values()) - min(counts.values()) <= 1


def test_rows_turned_away_are_counted_by_reason(tmp_path):
    main = write(tmp_path / "main", rejected=[("near_copy", 3000), ("rare", 1)])
    found = drawn({"main": main, "random": write(tmp_path / "random", rejected=[("near_copy", 5)])})
    assert found.reasons == {"near_copy": 3000, "rare": 1}


def test_the_first_rows_are_of_all_labels(tmp_path):
    found = drawn({"main": write(tmp_path, accepted=100)})
    assert {row.key for _, row in found.rows[:2]} == {"sport", "science"}


def test_the_same_seed_draws_the_same_rows_and_another_seed_others(tmp_path):
    folder = write(tmp_path, accepted=3000)
    first, again, other = ([row.id for _, row in drawn({"main": folder}, seed=seed).rows] for seed in (0, 0, 1))
    assert first == again != other


def test_all_accepted_rows_go_by(tmp_path):
    seen = []

    def watch(rows):
        for one in rows:
            seen.append(one.id)
            yield one

    drawn({"main": write(tmp_path, accepted=3000)}, watch=watch)
    assert len(seen) == 3000


@given(st.dictionaries(st.text(), st.integers(0, 50), max_size=8), st.integers(0, 200))
def test_room_is_shared_fairly(sizes, room):
    given_ = fair(sizes, room)
    assert sum(given_.values()) == min(room, sum(sizes.values()))
    assert all(given_[kind] <= size for kind, size in sizes.items())
    short = [given_[kind] for kind, size in sizes.items() if given_[kind] < size]
    if short and room >= len(sizes):
        assert max(short) - min(short) <= 1 and min(short) >= max(given_.values()) - 1


def test_thinning_keeps_the_order():
    assert thinned({"a": [1, 2, 3], "b": [4, 5]}, 10, seed=0) == [1, 2, 3, 4, 5]
    assert thinned({"a": list(range(100))}, 9, seed=0) == sorted(thinned({"a": list(range(100))}, 9, seed=0))


def answers(**counts):
    line = 0
    for cell, count in counts.items():
        for _ in range(count):
            line += 1
            gold, student = cell.split("_")
            yield {"line": line, "gold": [gold], "student": [student]}


def test_every_cell_has_some_of_its_rows_and_mistakes_come_first():
    found = draw_tested(answers(a_a=500, a_b=40, b_a=2), seed=0)
    assert list(found.cells) == [("a", "b"), ("b", "a"), ("a", "a")]
    assert [len(lines) for lines in found.cells.values()] == [CELL, 2, CELL]
    assert found.counts == {("a", "a"): 500, ("a", "b"): 40, ("b", "a"): 2}
    assert all(found.said[line] == (cell[1],) for cell, lines in found.cells.items() for line in lines)


def test_with_more_cells_than_room_the_most_frequent_mistakes_are_shown():
    counts = {f"g{number}_s{number}x": 1 + (number < 20) for number in range(400)}
    found = draw_tested(answers(**counts), seed=0)
    assert len(found.cells) == 300
    assert all((f"g{number}", f"s{number}x") in found.cells for number in range(20))


@pytest.mark.parametrize(("key", "labels"), [("a", ["a"]), ("a + b", ["a", "b"]), ("c + d", ["c + d"]), ("(none)", [])])
def test_rows_that_a_matrix_names_are_taken_for_answers(key, labels):
    cells = [{"gold": key, "predicted": "a", "count": 9, "rows": [4]}]
    assert list(cells_as_answers(cells, ["a", "b", "c + d"])) == [{"line": 4, "gold": labels, "student": ["a"]}]

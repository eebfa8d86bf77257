import json
import random

import pytest

from argilla_bridge.measures.agreement import agreement
from argilla_bridge.measures.judged import Judged, read_judged
from argilla_bridge.measures.pace import Pace
from argilla_bridge.rows import DISCARDED, DRAFT, REJECT, SUBMITTED, Vote
from spacy_synthesizrr.jsonl import write_jsonl

LABELS = ("sport", "science", "cooking", "politics")


def says(user, *labels, row="r", **more):
    return Vote(row, user, SUBMITTED, labels, **more)


def row(*votes, labels=("sport",), score=None, shown=True):
    return Judged(votes, labels, score, shown)


def measured(rows):
    return agreement(rows, labels=LABELS)


def person(found, name):
    return next(one for one in found["people"] if one["name"] == name)


def test_nothing_asked_and_nothing_answered():
    found = measured([])
    assert found["rows"] == {"asked": 0, "answered": 0}
    assert found["agreement"]["all"]["alpha"]["value"] is None
    assert json.dumps(found, allow_nan=False)


def test_answers_are_counted_by_status():
    rows = [row(says("ann", "sport"), Vote("r", "bob", DRAFT)), row(Vote("r", "ann", DISCARDED)), row()]
    found = measured(rows)
    assert (found["rows"], found["answers"]) == ({"asked": 3, "answered": 2}, {"submitted": 1, "draft": 1, "discarded": 1})
    assert person(found, "ann")["answers"] == {"submitted": 1, "draft": 0, "discarded": 1}


def test_drafts_and_judges_agree_with_nobody():
    rows = [row(says("ann", "sport"), Vote("r", "bob", DRAFT, ("sport",)), says("cleo", "sport", dataset="adjudication"))]
    found = measured(rows)
    assert found["agreement"]["all"]["percent"]["n"] == 0
    assert [one["name"] for one in found["people"]] == ["ann", "bob"]


def test_votes_for_labels_that_are_gone_agree_with_nobody():
    rows = [row(says("ann", "weather"), says("bob", "sport"), shown=False), row(says("ann", "weather"))]
    found = measured(rows)
    assert (found["rows"]["answered"], found["answers"]["submitted"]) == (1, 3)
    assert found["agreement"]["all"]["percent"]["n"] == 0 and found["pairs"] == []
    assert found["suggestions"]["became"] == [{"suggested": "sport", "answer": "sport", "answers": 1}]


def test_who_turns_a_row_away_under_a_label_that_is_gone_turns_it_away():
    found = measured([row(Vote("r", "ann", SUBMITTED, ("weather",), REJECT))])
    assert [one["answer"] for one in found["suggestions"]["became"]] == ["(turned away)"]


def test_no_label_is_an_answer_where_rows_may_have_none():
    rows = [row(says("ann"), says("bob", "sport"))]
    assert {one["answer"] for one in measured(rows)["suggestions"]["became"]} == {"(no label)", "sport"}
    found = agreement(rows, labels=LABELS, exclusive=True)
    assert [one["answer"] for one in found["suggestions"]["became"]] == ["sport"] and found["pairs"] == []


def test_acceptance_is_the_labels_exactly():
    rows = [row(says("ann", "sport")), row(says("ann", "science")), row(Vote("r", "ann", SUBMITTED, verdict=REJECT))]
    suggestions = measured(rows)["suggestions"]
    assert suggestions["pull"]["shown"]["value"] == pytest.approx(1 / 3, abs=0.0001)
    became = {(one["suggested"], one["answer"]): one["answers"] for one in suggestions["became"]}
    assert became == {("sport", "sport"): 1, ("sport", "science"): 1, ("sport", "(turned away)"): 1}


def test_bins_tell_shown_from_blind():
    rows = [row(says("ann", "sport"), score=0.95), row(says("ann", "science"), score=0.91, shown=False)]
    (one,) = measured(rows)["suggestions"]["bins"]
    assert (one["low"], one["rows"], one["score"], one["shown"]["value"], one["blind"]["value"]) == (0.9, 2, 0.93, 1.0, 0.0)


def test_a_person_against_the_majority_of_the_others():
    rows = [
        row(says("ann", "sport"), says("bob", "sport"), says("cleo", "science")),
        row(says("ann", "sport"), says("bob", "science")),
        row(says("ann", "sport"), says("bob", "sport"), says("cleo", "science"), says("dan", "science")),
    ]
    found = measured(rows)
    # ann: the first row's others are tied and say nothing; bob disagrees in the second; the others say science in the third
    assert (person(found, "ann")["like_others"]["value"], person(found, "ann")["like_others"]["n"]) == (0.0, 2)
    assert (person(found, "cleo")["like_others"]["value"], person(found, "cleo")["like_others"]["n"]) == (0.0, 2)


def test_pairs_of_people():
    rows = [
        row(says("bob", label), says("ann", other)) for label, other in [("sport", "sport"), ("science", "science"), ("sport", "science")]
    ]
    (pair,) = measured(rows)["pairs"]
    assert (pair["people"], pair["percent"]["n"]) == (["ann", "bob"], 3)
    assert pair["kappa"]["value"] == 0.4


def test_labels_of_the_task_in_its_order():
    found = measured([row(says("ann", "science"), says("bob", "sport"))])
    assert [one["label"] for one in found["labels"]] == list(LABELS)
    assert {one["label"]: one["answers"] for one in found["labels"]}["science"] == 1


def test_label_sets_have_no_accuracy_but_an_alpha_of_sets():
    rows = [row(says("ann", "sport", "science"), says("bob", "sport"), labels=("sport", "science"), shown=False) for _ in range(5)]
    rows += [row(says("ann", "cooking"), says("bob", "cooking"), labels=("cooking",), shown=False) for _ in range(5)]
    found = measured(rows)
    assert person(found, "ann")["accuracy"] is None
    assert found["agreement"]["all"]["alpha_masi"]["value"] > found["agreement"]["all"]["alpha"]["value"]


def test_the_order_of_rows_does_not_matter():
    rows = simulated(200, seed=1)
    assert measured(rows) == measured(rows[::-1])


def simulated(number, seed, right=(("ann", 0.95), ("bob", 0.8)), copied=0.3, blind=0.25):
    """Two people who answer from the truth, each right with a probability, and copy a shown suggestion in a share of the rows; the
    suggestion is right in 80 %, and its score knows: 0.9 where 95 % are right, 0.5 where 65 % are.
    """
    rng, rows = random.Random(seed), []

    def answer(p, truth):
        return truth if rng.random() < p else rng.choice([label for label in LABELS if label != truth])

    for place in range(number):
        truth, score, shown = rng.choice(LABELS), rng.choice([0.9, 0.5]), rng.random() >= blind
        suggestion = answer(0.95 if score == 0.9 else 0.65, truth)
        votes = [says(name, suggestion if shown and rng.random() < copied else answer(p, truth), row=f"r{place}") for name, p in right]
        rows.append(row(*votes, labels=(suggestion,), score=score, shown=shown))
    return rows


def inside(estimate, planted):
    return estimate["low"] <= planted <= estimate["high"]


def test_planted_values_lie_in_the_measured_intervals():
    found = measured(simulated(2000, seed=5))
    chance = lambda p, q: p * q + (1 - p) * (1 - q) / 3  # noqa: E731
    assert inside(person(found, "ann")["accuracy"], 0.95)
    assert inside(person(found, "bob")["accuracy"], 0.8)
    assert inside(found["suggestions"]["accuracy"], 0.8)
    assert inside(found["agreement"]["blind"]["percent"], chance(0.95, 0.8))
    kappa = (chance(0.95, 0.8) - 0.25) / 0.75
    for name in ("fleiss", "alpha"):
        assert inside(found["agreement"]["blind"][name], kappa)
    assert inside(found["suggestions"]["pull"]["copied"], 0.3)
    for name in ("ann", "bob"):
        assert inside(person(found, name)["pull"]["copied"], 0.3)
    for one, right in zip(found["suggestions"]["bins"], (0.65, 0.95), strict=True):
        planted = (chance(0.95, right) + chance(0.8, right)) / 2
        assert inside(one["blind"], planted)
        assert inside(one["shown"], 0.3 + 0.7 * planted)


def right(found):
    return {**{one["name"]: one["accuracy"] for one in found["people"]}, "": found["suggestions"]["accuracy"]}


def test_a_row_that_somebody_turns_away_moves_no_accuracy():
    rows = simulated(400, seed=5)
    votes = (Vote("r", "ann", SUBMITTED, (), REJECT), says("bob", "science"))
    for shown in (True, False):
        assert right(measured([*rows, row(*votes, shown=shown)])) == right(measured(rows))


def test_a_label_that_one_person_chose_once_hardly_moves_an_accuracy():
    """Two labels of four are in use; how many others an error may fall on is two less one, whatever is said once."""
    rng, rows, other = random.Random(1), [], {"sport": "science", "science": "sport"}

    def answer(truth, p):
        return truth if rng.random() < p else other[truth]

    for _ in range(2000):
        truth = rng.choice(["sport", "science"])
        rows.append(row(says("ann", answer(truth, 0.7)), says("bob", answer(truth, 0.8)), labels=(answer(truth, 0.9),), shown=False))
    found = right(measured([*rows, row(says("ann", "cooking"), says("bob", "politics"), shown=False)]))
    for name, planted in (("ann", 0.7), ("bob", 0.8), ("", 0.9)):
        assert inside(found[name], planted)


def test_people_who_answer_each_row_alone_have_no_accuracy():
    rows = [Judged(one.votes[place % 2 :][:1], one.labels, one.score, False) for place, one in enumerate(simulated(600, seed=2))]
    assert all(one["value"] is None for one in right(measured(rows)).values())


def test_agreement_on_shown_rows_is_flattered():
    found = measured(simulated(4000, seed=6, copied=0.6))["agreement"]
    assert found["all"]["alpha"]["value"] > found["blind"]["alpha"]["high"]


def test_pace_leaves_pauses_out():
    pace = Pace()
    for minute, second in [(0, 0), (0, 10), (0, 30), (30, 0), (30, 12)]:
        pace.add("ann", f"2026-01-01T10:{minute:02}:{second:02}")
    pace.add("bob", "")
    assert pace.of("ann") == {"median": 12.0, "gaps": 3, "left_out": 1}
    assert pace.of("bob") == {"median": None, "gaps": 0, "left_out": 0}
    assert pace.all() == pace.of("ann")


def test_pace_leaves_out_what_came_in_one_moment():
    pace = Pace()
    for second in (0, 0, 0, 0, 0, 7, 16):  # five that a program moved, then two by hand
        pace.add("ann", f"2026-01-01T10:00:{second:02}")
    assert pace.of("ann") == {"median": 8.0, "gaps": 2, "left_out": 4}


def test_pace_leaves_out_who_answered_faster_than_anybody_reads():
    pace = Pace()
    for place in range(20):
        pace.add("ann", f"2026-01-01T10:00:00.{place:02}")
        pace.add("bob", f"2026-01-01T10:00:{place * 2:02}")
    assert pace.of("ann") == {"median": None, "gaps": 0, "left_out": 19}
    assert pace.all() == {"median": 2.0, "gaps": 19, "left_out": 19}


def test_pace_is_that_of_each_person():
    pace = Pace()
    for second in range(0, 60, 10):
        pace.add("ann" if second % 20 else "bob", f"2026-01-01T10:00:{second:02}Z")
    assert pace.all()["median"] == 20.0


def test_votes_and_what_was_asked_are_joined_by_row(tmp_path):
    votes = [says("ann", "sport", row="b"), says("bob", "sport", row="b"), says("ann", "sport", row="c"), says("ann", "sport", row="e")]
    asked = [{"v": 1, "row": name, "candidate": "c", "labels": ["sport"], "score": None, "shown": True} for name in "abdef"]
    write_jsonl(tmp_path / "votes.jsonl", (vote.to_dict() for vote in votes))
    write_jsonl(tmp_path / "asked.jsonl", asked)
    assert [len(one.votes) for one in read_judged(tmp_path)] == [0, 2, 0, 1, 0]

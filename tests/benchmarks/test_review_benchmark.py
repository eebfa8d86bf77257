"""The people of the benchmark of review: what they say is what is planted, and measuring finds it."""

import importlib.util
import random
import sys
from collections import Counter

import pytest
from conftest import ROOT

from argilla_bridge.measures.agreement import agreement
from argilla_bridge.measures.judged import Judged
from argilla_bridge.rows import SUBMITTED, Vote

SPEC = importlib.util.spec_from_file_location("review_people", ROOT / "benchmarks" / "review_people.py")
people = importlib.util.module_from_spec(SPEC)
sys.modules["review_people"] = people  # its dataclasses look themselves up
SPEC.loader.exec_module(people)
Person, Row = people.Person, people.Row

LABELS = ("World", "Sports", "Business", "Sci/Tech")
PEOPLE = (Person("ann", 0.95, 0.3), Person("bob", 0.8, 0.3))


def rows(number):
    rng = random.Random(0)
    for place in range(number):
        truth, right = rng.choice(LABELS), rng.random() < 0.8
        suggestion = truth if right else rng.choice([label for label in LABELS if label != truth])
        yield Row(f"r{place}", f"Text {place}.", truth, suggestion, people.drawn_score(rng, right=right))


def judged(row, shown):
    votes = tuple(Vote(row.id, one.name, SUBMITTED, (one.answer(row, LABELS, shown=shown, seed=1),)) for one in PEOPLE)
    return Judged(votes, (row.suggestion,), row.score, shown)


def test_the_chances_of_answers_are_those_of_the_answers():
    person, row = Person("ann", 0.9, 0.3), Row("r", "", "World", "Sports", 0.5)
    for shown in (True, False):
        said = Counter(person.answer(Row(f"r{place}", "", "World", "Sports", 0.5), LABELS, shown=shown, seed=0) for place in range(20_000))
        assert {label: count / 20_000 for label, count in said.items()} == pytest.approx(
            person.chances(row, LABELS, shown=shown), abs=0.012
        )


def test_what_is_planted_is_found():
    kept = list(rows(6000))
    found = agreement((judged(row, place % 4 > 0) for place, row in enumerate(kept)), labels=LABELS)
    compared = people.side_by_side(people.planted(kept, PEOPLE, LABELS, blind=0.25), found)
    assert len(compared) > 30
    # of 35 intervals of 95 % two are missed on average, more than six once in 1,000 times
    assert sum(not one["inside"] for one in compared) <= 6, [one["what"] for one in compared if not one["inside"]]
    assert all(abs(one["planted"] - one["value"]) < 0.1 for one in compared if one["n"] > 500 and "cop" not in one["what"])


def test_answers_are_sent_in_parts():
    parts = []
    sent = people.respond(parts.append, ((f"id{place}", "World") for place in range(250)))
    assert (sent, [len(part) for part in parts]) == (250, [100, 100, 50])
    assert parts[0][0] == {"record_id": "id0", "values": {"label": {"value": "World"}}, "status": "submitted"}


def test_what_has_no_interval_is_missed():
    kept = list(rows(400))
    alone = [
        Judged(one.votes[:1], one.labels, one.score, one.shown) for one in (judged(row, place % 4 > 0) for place, row in enumerate(kept))
    ]
    found = agreement(alone, labels=LABELS)
    found["pairs"] = [{"kappa": {"value": None, "low": None, "high": None, "n": 0}}]
    compared = people.side_by_side(people.planted(kept, PEOPLE, LABELS, blind=0.25), found)
    missed = {one["what"] for one in compared if one["low"] is None}
    assert {"Cohen's kappa, all rows", "accuracy of ann", "bob copies", "Fleiss' kappa, blind rows"} <= missed
    assert not any(one["inside"] for one in compared if one["what"] in missed)


def test_bins_of_few_rows_are_not_planted():
    kept = list(rows(60))
    names = [name for name, _ in people.planted(kept, PEOPLE, LABELS, blind=0.25)]
    assert not any("score from" in name for name in names)

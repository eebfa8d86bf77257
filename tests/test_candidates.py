"""Ids say which row was asked for; rows survive a round trip with their history."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Candidate, Event, Passage, Seed, Shot, digest, label_key, passage_id
from spacy_synthesizrr.jsonl import dumps, parse_row

SEED = Seed.make(["sport"], {"text": "A goal in the last minute."})


def planned(**changes):
    options = {"task": "t", "strategy": "synthesizrr", "seed": SEED, "passage_id": "p1", "shots": (Shot("s1", "p2"),), "draw": 0}
    return Candidate.plan(**(options | changes))


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_digest_of_different_lists_differs(left, right):
    assert (digest(*left) == digest(*right)) == (left == right)


def test_seed_id_does_not_depend_on_the_order_of_fields():
    assert Seed.make(["a"], {"x": "1", "y": "2"}).id == Seed.make(["a"], {"y": "2", "x": "1"}).id


@pytest.mark.parametrize(
    "change",
    [
        {"task": "other"},
        {"strategy": "fewgen"},
        {"seed": Seed.make(["business"], {"text": "A goal in the last minute."})},
        {"passage_id": "p9"},
        {"shots": (Shot("s1"),)},
        {"draw": 1},
    ],
)
def test_candidate_id_depends_on_everything_that_asks_for_another_row(change):
    assert planned(**change).id != planned().id


def test_candidate_id_does_not_depend_on_what_was_measured():
    assert planned(similarity=0.4, rank=3).id == planned(similarity=0.5, rank=4).id


def test_passage_id_is_stable_and_tells_passages_apart():
    assert passage_id("a", "d", 0, "x") == passage_id("a", "d", 0, "x")
    assert (
        len({passage_id("a", "d", 0, "x"), passage_id("a", "d", 1, "x"), passage_id("ad", "", 0, "x"), passage_id("a", "d", 0, "y")}) == 4
    )


def test_after_adds_an_event_and_leaves_the_old_candidate_alone():
    first = planned()
    second = first.after(Event("synthesize", "rejected", "length", {"score": 3.0}), fields={"text": "x"})
    assert (first.status, first.events) == ("planned", ())
    assert (second.status, second.reason, second.fields) == ("rejected", "length", {"text": "x"})


def test_candidate_survives_json_with_zeros_and_empties():
    candidate = planned(similarity=0.0, margin=0.0, rank=1, reserve=True).after(Event("synthesize", "generated", "", {"tokens": 0}))
    assert parse_row(dumps(candidate.to_dict()), Candidate.from_dict, path="x", number=1) == candidate


def test_candidate_without_passage_survives_json():
    candidate = planned(passage_id=None, shots=())
    assert Candidate.from_dict(candidate.to_dict()) == candidate


def test_candidate_row_holds_ids_and_no_text_of_others():
    assert len(dumps(planned().to_dict())) < 400


def test_candidate_reads_rows_whose_lists_became_tuples():
    row = planned().to_dict()
    row["labels"], row["shots"] = tuple(row["labels"]), tuple(tuple(shot) for shot in row["shots"])
    assert Candidate.from_dict(row) == planned()


def test_passage_and_seed_survive_json():
    passage = Passage("i", "text", "src", "doc", 2, {"title": "T"})
    assert Passage.from_dict(passage.to_dict()) == passage
    assert Seed.from_dict(SEED.to_dict()) == SEED


def test_label_key_joins_a_label_set():
    assert label_key(("delivery", "price")) == "delivery + price"

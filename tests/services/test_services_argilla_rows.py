"""Rows on a real Argilla: what is put there, put again, refused, removed."""

from dataclasses import replace
from unittest.mock import patch

import pytest

from argilla_bridge.rows import Suggestion
from argilla_bridge.schema import review_schema
from argilla_bridge.settings import ReviewSettings
from services.argilla_reviews import connected, demo_task, reviewing, row
from spacy_synthesizrr.errors import ConfigError, InputError


@pytest.fixture
def review(argilla):
    with reviewing(argilla) as made:
        yield made


def test_opening_twice_finds_the_same_dataset(review):
    assert review.backend.open("main", review.schema) == review.backend.open("main", review.schema)


def test_a_dataset_that_was_deleted_and_made_again_is_another_one(review):
    first = review.backend.open("main", review.schema)
    review.backend.link.call("DELETE", f"/datasets/{first}")
    assert review.backend.open("main", review.schema) != first


def test_what_is_left_of_a_dataset_that_was_cut_while_it_was_made_is_made_whole(review):
    with patch("argilla.Settings.create", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        review.backend.open("overlap", review.schema)
    half = review.backend.link.dataset(review.backend.name("overlap"), review.backend.workspace_id)
    assert half["status"] == "draft"
    assert review.backend.open("overlap", review.schema) != half["id"]
    assert review.put(row(1), dataset="overlap") == {}


def test_an_unfinished_dataset_of_somebody_else_is_left_alone(review):
    name, link = review.backend.name("overlap"), review.backend.link
    theirs = link.call("POST", "/datasets", json={"name": name, "workspace_id": review.backend.workspace_id})
    with pytest.raises(InputError, match="it is not published"):
        review.backend.open("overlap", review.schema)
    assert link.dataset(name, review.backend.workspace_id)["id"] == theirs["id"]


def test_a_row_arrives_whole(review):
    one = row(1)
    assert review.put(one) == {}
    record = review.records()[one.id]
    (suggestion,) = record["suggestions"]
    assert (record["fields"], record["metadata"], record["vectors"]) == (one.fields, one.metadata, one.vectors)
    assert (suggestion["value"], suggestion["score"], suggestion["agent"]) == ("sport", 0.75, "a teacher")


def test_rows_that_are_surely_kept_are_told_batch_by_batch(argilla):
    told = []
    with reviewing(argilla, server_settings={"batch_size": 2}) as review:
        rows = [row(number) for number in range(5)]
        review.backend.put("main", rows, done=lambda ids: told.append(list(ids)))
        assert told == [[each.id for each in some] for some in (rows[:2], rows[2:4], rows[4:])]


def test_putting_again_makes_no_second_record(review):
    review.put(row(1), row(2))
    review.put(row(1), row(2))
    assert sorted(review.backend.ids("main")) == sorted([row(1).id, row(2).id])


def test_the_same_row_twice_in_one_batch_is_one_record(review):
    assert review.put(row(1), row(1, "science")) == {}
    assert review.records()[row(1).id]["suggestions"][0]["value"] == "science"


def test_putting_again_replaces_all_that_is_shown(review):
    review.put(row(1))
    review.put(row(1, "politics", metadata={"round": 2}, fields={"passage": "Another."}))
    record = review.records()[row(1).id]
    assert record["suggestions"][0]["value"] == "politics"
    assert record["metadata"] == {"round": 2}
    assert record["fields"]["passage"] == "Another."


def test_a_row_that_became_blind_shows_no_suggestion_any_more(review):
    review.put(row(1), row(2))
    review.put(row(1, suggestion=None), row(2))
    held = review.records()
    assert [len(held[row(number).id]["suggestions"]) for number in (1, 2)] == [0, 1]


def test_putting_again_leaves_the_votes_there(review, argilla):
    review.put(row(1))
    review.answer(argilla.ann, row(1), "science")
    review.put(row(1, "politics", metadata={"round": 2}))
    assert [(vote.user, vote.labels) for vote in review.votes()] == [("ann", ("science",))]


BAD = {
    "a filter of another type": row(90, metadata={"round": 1.5}),
    "a whole number where one with a point is wanted": row(91, metadata={"similarity": 1}),
    "a number that is none": row(92, metadata={"similarity": float("nan")}),
    "a filter that is not there": row(93, metadata={"nonsense": "x"}),
    "a filter that is too long to search for": row(94, metadata={"strategy": "é" * 20_000}),
    "a table as a filter": row(95, metadata={"strategy": {"a": 1}}),
    "a label that is too long": row(96, "x" * 600),
    "a label of another task": row(97, "weather"),
    "a score above one": row(98, suggestion=Suggestion(("sport",), 1.5, "a teacher")),
    "two labels where one is wanted": row(99, suggestion=Suggestion(("sport", "science"), 0.5, "a teacher")),
    "a vector of another size": row(100, vectors={"text_vector": [1.0, 2.0]}),
    "a vector that is not finite": row(101, vectors={"text_vector": [1.0, 2.0, float("inf"), 0.0]}),
    "half a character": row(102, fields={"passage": "\ud83d"}),
    "no text": replace(row(103), fields={"passage": "p"}),
    "a field that is not there": row(104, fields={"nonsense": "x"}),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_row_is_named_and_does_not_block_the_others(review, bad):
    refused = review.put(row(1), bad, row(2))
    assert list(refused) == [bad.id] and refused[bad.id]
    assert sorted(review.backend.ids("main")) == sorted(review.kept) == sorted([row(1).id, row(2).id])


def test_all_bad_rows_of_a_batch_are_named(review):
    refused = review.put(*BAD.values(), row(1))
    assert refused.keys() == {bad.id for bad in BAD.values()}
    assert list(review.backend.ids("main")) == [row(1).id]


def test_the_teacher_s_name_is_written_in_the_letters_that_the_server_takes(review):
    review.put(row(1, suggestion=Suggestion(("sport",), None, "GPT-4o (écrit; v1)")))
    assert review.records()[row(1).id]["suggestions"][0]["agent"] == "GPT-4o -crit- v1"


def test_removing_takes_the_named_rows_alone(review):
    rows = [row(number) for number in range(205)]
    review.put(*rows)
    review.backend.remove("main", [each.id for each in rows[3:]] + ["no such row"])
    assert set(review.backend.ids("main")) == {each.id for each in rows[:3]}


def test_a_dataset_that_is_not_there_has_no_rows_and_no_votes(review):
    backend = review.backend
    assert (list(backend.ids("overlap")), list(backend.votes("overlap")), backend.progress("overlap")) == ([], [], {})
    backend.remove("overlap", ["x"])


def test_putting_where_no_dataset_was_opened_is_an_error(review):
    with pytest.raises(InputError, match="has no dataset"):
        review.put(row(1), dataset="overlap")


def test_5000_rows_arrive_once_each_and_are_read_back(review):
    rows = [row(number, vectors={}) for number in range(5000)]
    assert review.put(*rows) == {}
    found = list(review.backend.ids("main"))
    assert len(found) == 5000 and set(found) == {each.id for each in rows} == set(review.kept)
    assert review.backend.progress("main") == {"total": 5000, "completed": 0, "pending": 5000}


def test_a_dataset_of_another_task_is_left_alone(review, argilla):
    other = demo_task().model_copy(update={"labels": {"rain": demo_task().labels["sport"]}})
    with pytest.raises(InputError, match=r"no answer 'rain'.*the answers 'politics'.*Set \[review\] dataset to another name"):
        review.backend.open("main", review_schema(other, review.settings, dimensions={}))


def test_a_dataset_of_another_task_with_the_same_labels_is_left_alone(review):
    other = demo_task().model_copy(update={"name": "another"})
    with pytest.raises(InputError, match="made for the task 'news_demo', not 'another'"):
        review.backend.open("main", review_schema(other, review.settings, dimensions={}))


def test_a_dataset_that_asks_otherwise_is_left_alone(review):
    careful = review.settings.model_copy(update={"mode": "careful"})
    with pytest.raises(InputError, match="it has no question 'verdict'"):
        review.backend.open("main", review_schema(demo_task(), careful, dimensions={}))


def test_vectors_of_another_embedder_are_refused_before_any_row_is_sent(review):
    with pytest.raises(InputError, match="'text_vector' has 4 dimensions, not 7"):
        review.backend.open("main", review_schema(demo_task(), review.settings, dimensions={"text_vector": 7}))


def test_guidelines_people_and_vectors_are_brought_up_to_date(argilla):
    with reviewing(argilla) as review:
        plain = replace(review.schema, vectors=())
        review.backend.link.call("DELETE", f"/datasets/{review.backend.open('main', review.schema)}")
        id = review.backend.open("main", plain)
        assert review.backend.open("main", replace(review.schema, guidelines="New ones.", min_submitted=2)) == id
        held = review.backend.link.call("GET", f"/datasets/{id}")
        assert (held["guidelines"], held["distribution"]["min_submitted"]) == ("New ones.", 2)
        assert review.put(row(1)) == {}
        assert review.records()[row(1).id]["vectors"] == row(1).vectors


def test_a_workspace_that_is_not_there_is_named_with_those_that_are(argilla):
    with (
        pytest.raises(ConfigError, match=r"no workspace 'argila'.*Did you mean 'argilla'"),
        connected(argilla, ReviewSettings(workspace="argila")),
    ):
        raise AssertionError("it connected")


def test_similar_rows_are_found_by_each_vector(review):
    one, near, far = row(1), row(2), row(3, vectors={"text_vector": [-1.0, 0.0, 0.0, 0.0], "passage_vector": [-1.0, 0.0, 0.0, 0.0]})
    review.put(one, near, far)
    id, held = review.backend.open("main", review.schema), review.records()
    for vector in ("text_vector", "passage_vector"):
        query = {"query": {"vector": {"name": vector, "record_id": held[one.id]["id"], "order": "most_similar"}}}
        found = review.backend.link.call("POST", f"/datasets/{id}/records/search", json=query)["items"]
        assert [each["record"]["external_id"] for each in found] == [near.id, far.id]

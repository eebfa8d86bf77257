"""Votes on a real Argilla: who said what, whatever happens while they are read."""

import threading
import uuid
from datetime import datetime, timedelta, timezone

import pytest

from argilla_bridge.server.paging import records
from argilla_bridge.server.users import read_names
from services.argilla import Person
from services.argilla_reviews import demo_task, reviewing, row


@pytest.fixture
def review(argilla):
    with reviewing(argilla) as made:
        yield made


def account(review, role="annotator"):
    """A new person in the workspace, and the id of their account."""
    name = f"{role}-{uuid.uuid4().hex[:8]}"
    about = {"first_name": "New", "username": name, "role": role, "password": "long-password"}
    made = review.backend.link.call("POST", "/users", json=about)
    review.backend.link.call("POST", f"/workspaces/{review.backend.workspace_id}/users", json={"user_id": made["id"]})
    return Person(name, "long-password", made["api_key"]), made["id"]


def test_two_people_with_their_own_keys_are_told_apart(review, argilla):
    review.put(row(1))
    review.answer(argilla.ann, row(1), "sport")
    review.answer(argilla.bob, row(1), "science")
    assert [(vote.user, vote.status, vote.labels) for vote in review.votes()] == [
        ("ann", "submitted", ("sport",)),
        ("bob", "submitted", ("science",)),
    ]


def test_drafts_and_discards_are_told_apart_from_answers(review, argilla):
    rows = [row(number) for number in range(3)]
    review.put(*rows)
    for each, status in zip(rows, ("submitted", "draft", "discarded"), strict=True):
        review.answer(argilla.ann, each, "sport", status=status)
    found = {vote.row_id: (vote.status, vote.labels, vote.counts, vote.rejects) for vote in review.votes()}
    assert [found[each.id] for each in rows] == [
        ("submitted", ("sport",), True, False),
        ("draft", ("sport",), False, False),
        ("discarded", (), True, True),
    ]


def test_unusable_is_an_answer_that_rejects(review, argilla):
    review.put(row(1))
    review.answer(argilla.ann, row(1), "unusable")
    (vote,) = review.votes()
    assert (vote.status, vote.labels, vote.verdict, vote.rejects) == ("submitted", (), "reject", True)


def test_a_careful_answer_has_verdict_correction_and_reason(argilla):
    with reviewing(argilla, mode="careful") as review:
        review.put(row(1))
        review.answer(argilla.ann, row(1), "science", verdict="fix", corrected=" A better text.\n", reason="It was clumsy.")
        (vote,) = review.votes()
        assert (vote.labels, vote.verdict, vote.text, vote.reason) == (("science",), "fix", "A better text.", "It was clumsy.")


def test_several_labels_come_in_the_order_of_the_task(argilla):
    task = demo_task().model_copy(update={"exclusive": False})
    with reviewing(argilla, task=task) as review:
        review.put(row(1))
        review.answer(argilla.ann, row(1), ["science", "politics"])
        assert [vote.labels for vote in review.votes()] == [("politics", "science")]


def test_an_answer_says_when_in_utc(review, argilla):
    review.put(row(1))
    review.answer(argilla.ann, row(1), "sport")
    (vote,) = review.votes()
    assert abs(datetime.now(timezone.utc) - datetime.fromisoformat(vote.updated_at)) < timedelta(minutes=5)


def test_a_vote_says_by_which_account_it_was_given_and_where(review, argilla):
    person, id = account(review)
    review.put(row(1))
    review.answer(person, row(1), "sport")
    (vote,) = review.votes()
    assert (vote.user, vote.person, vote.identity) == (person.name, id, review.backend.open("main", review.schema))
    assert read_names(review.backend.link, review.backend.workspace_id)[id] == person.name


def test_votes_of_somebody_whose_account_is_gone_go_with_it_and_the_others_stay(review, argilla):
    person, id = account(review)
    review.put(row(1))
    review.answer(person, row(1), "science")
    review.answer(argilla.ann, row(1), "sport")
    assert {vote.user for vote in review.votes()} == {"ann", person.name}
    review.backend.link.call("DELETE", f"/users/{id}")
    assert [vote.user for vote in review.votes()] == ["ann"]


def test_an_admin_of_the_workspace_can_push_and_pull(review, argilla):
    admin, _ = account(review, "admin")
    with reviewing(argilla, person=admin) as own:
        own.put(row(1))
        own.answer(argilla.ann, row(1), "sport")
        assert [vote.labels for vote in own.votes()] == [("sport",)]
        assert own.votes()[0].user == "ann"


def test_no_vote_is_missed_or_told_twice_while_people_answer(review, argilla):
    rows = [row(number, vectors={}) for number in range(16)]
    review.put(*rows)
    for each in rows[:8]:
        review.answer(argilla.ann, each, "sport")
    at_work = threading.Thread(target=lambda: [review.answer(argilla.bob, each, "science") for each in rows])
    at_work.start()
    try:
        sights = [review.votes() for _ in range(3)]
    finally:
        at_work.join()
    for sight in sights:
        people = [(vote.row_id, vote.user) for vote in sight]
        assert len(people) == len(set(people))
        assert {row_id for row_id, user in people if user == "ann"} == {each.id for each in rows[:8]}
    assert len(review.votes()) == 24


def test_no_row_is_missed_while_others_are_removed(review):
    rows = [row(number, vectors={}) for number in range(12)]
    review.put(*rows)
    reading = records(review.backend.link, review.backend.open("main", review.schema), page=4)
    seen = [next(reading)["external_id"]]
    review.backend.remove("main", seen)
    seen += [each["external_id"] for each in reading]
    assert len(seen) == len(set(seen)) and set(seen) == {each.id for each in rows}


def test_rows_that_are_added_while_others_are_read_do_not_disturb(review):
    rows = [row(number, vectors={}) for number in range(9)]
    review.put(*rows)
    reading = records(review.backend.link, review.backend.open("main", review.schema), page=4)
    seen = [next(reading)["external_id"]]
    review.put(row(50, vectors={}))
    seen += [each["external_id"] for each in reading]
    assert len(seen) == len(set(seen)) and set(seen) >= {each.id for each in rows}


def test_the_number_of_rows_per_page_does_not_matter(review):
    review.put(*(row(number, vectors={}) for number in range(8)))
    id = review.backend.open("main", review.schema)
    for page in (1, 3, 7, 8, 9):
        assert len([*records(review.backend.link, id, page=page)]) == 8


def test_a_row_is_done_when_enough_people_submitted(argilla):
    with reviewing(argilla, min_submitted=2) as review:
        review.put(row(1), row(2))
        review.answer(argilla.ann, row(1), "sport")
        assert review.backend.progress("main")["completed"] == 0
        review.answer(argilla.bob, row(1), status="discarded")
        assert review.backend.progress("main")["completed"] == 0
        review.answer(argilla.ann, row(2), "sport")
        review.answer(argilla.bob, row(2), "sport")
        assert review.backend.progress("main") == {"total": 2, "completed": 1, "pending": 1}

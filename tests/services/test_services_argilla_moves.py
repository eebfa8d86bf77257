"""Datasets that are there already: read for import, moved to another label set, looked at by the doctor."""

import os
import re
from collections import Counter
from dataclasses import replace
from unittest.mock import patch

import pytest

from argilla_bridge.backends import DATASETS
from argilla_bridge.doctor import doctor
from argilla_bridge.importing import Imported, imported_rows
from argilla_bridge.schema import review_schema
from argilla_bridge.server.backend import ArgillaBackend
from argilla_bridge.server.reading import open_source
from argilla_bridge.server.records import encoded
from argilla_bridge.server.relabelling import plan_of, relabel
from argilla_bridge.showing.marking import escaped
from services.argilla_reviews import SIZES, demo_task, reviewing, row
from spacy_synthesizrr.errors import InputError


@pytest.fixture
def review(argilla):
    with reviewing(argilla) as made:
        yield made


def imported(review, name, question, **how):
    """What `import` makes of a dataset: rows, and what was left out."""
    source, done = open_source(review.backend.link, "argilla", name), Imported()
    rows = imported_rows(source.rows(question), task=demo_task(), fields=how.pop("fields", {"text": "text"}), done=done, ours=source.ours)
    return list(rows), done


@pytest.fixture
def foreign(review, argilla):
    """A dataset that somebody else made with the SDK, without ids, in other words than ours."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import argilla as rg

        name, client = f"{review.settings.dataset}-foreign", review.backend.link.client
        questions = [rg.LabelQuestion("topic", labels=["sport", "science"]), rg.RatingQuestion("stars", values=[1, 2, 3], required=False)]
        questions.append(rg.TextQuestion("remark", required=False))
        settings = rg.Settings(fields=[rg.TextField("body"), rg.ImageField("photo", required=False)], questions=questions)
        rg.Dataset(name, workspace="argilla", settings=settings, client=client).create()
    there = review.backend.link.dataset(name, review.backend.workspace_id)
    items = [{"fields": {"body": f"A *text* {number}."}} for number in range(3)]
    made = review.backend.link.call("PUT", f"/datasets/{there['id']}/records/bulk", json={"items": items})["items"]
    for record, label in ((made[0], "sport"), (made[1], "science")):
        body = {"status": "submitted", "values": {"topic": {"value": label}, "stars": {"value": 3}}}
        mine = {"x-argilla-api-key": argilla.ann.key}
        review.backend.link.call("POST", f"/records/{record['id']}/responses", json=body, headers=mine)
    return name


def test_a_dataset_of_somebody_else_is_imported(review, foreign):
    rows, done = imported(review, foreign, "topic", fields={"text": "body"})
    assert [(each["text"], each["label"]) for each in rows] == [("A *text* 0.", "sport"), ("A *text* 1.", "science")]
    assert done.unanswered == 1


def test_a_rating_counts_as_a_label(review, foreign):
    source = open_source(review.backend.link, "argilla", foreign)
    assert [[vote.labels for vote in each.votes] for each in source.rows("stars")] == [[("3",)], [("3",)], []]
    assert (source.fields, source.questions, source.ours) == (("body",), ("topic", "stars"), False)


@pytest.mark.parametrize(
    ("question", "said"), [("topik", "has no question 'topik'.*Did you mean 'topic'"), ("remark", "are no labels but text")]
)
def test_a_question_that_gives_no_labels_is_refused(review, foreign, question, said):
    with pytest.raises(InputError, match=said):
        list(open_source(review.backend.link, "argilla", foreign).rows(question))


def test_a_dataset_that_is_not_there_is_named_with_those_that_are(review):
    with pytest.raises(InputError, match=rf"has no dataset '{review.settings.dataset}x'.*Did you mean '{review.settings.dataset}'"):
        open_source(review.backend.link, "argilla", review.settings.dataset + "x")


def test_a_dataset_of_ours_is_imported_without_our_escapes_and_without_what_was_turned_away(review, argilla):
    rows = [row(1, fields={"text": escaped("3 * 4 < 5")}), row(2)]
    review.put(*rows)
    review.answer(argilla.ann, rows[0], "science")
    review.answer(argilla.ann, rows[1], "unusable")
    found, done = imported(review, review.settings.dataset, "label")
    assert [(each["text"], each["label"]) for each in found] == [("3 * 4 < 5", "science")]
    assert done.undecided == 1


def relabelled_task(**labels):
    """The task with some labels under other names; those with the name None are gone."""
    known = demo_task().labels
    return demo_task().model_copy(update={"labels": {labels.get(old, old): spec for old, spec in known.items() if labels.get(old, old)}})


def move(review, task, renames):
    """Relabel the datasets of a review."""
    plan = plan_of(review.backend, tuple(task.labels), renames)
    return relabel(review.backend, plan, {dataset: review_schema(task, review.settings, dimensions=SIZES) for dataset in DATASETS})


def moved(review, done):
    """What is in the new main dataset."""
    return ArgillaBackend(review.backend.link, review.backend.review, review.backend.workspace_id, done.name)


def test_rows_suggestions_and_answers_go_to_a_dataset_with_the_new_labels(review, argilla):
    rows = [row(1), row(2, "science"), row(3)]
    review.put(*rows)
    review.answer(argilla.ann, rows[0], "sport")
    review.answer(argilla.bob, rows[0], "unusable")
    review.answer(argilla.ann, rows[1], "science")
    review.answer(argilla.bob, rows[1], status="discarded")
    review.answer(argilla.ann, rows[2], "business", status="draft")
    done = move(review, relabelled_task(sport="games"), {"sport": "games"})
    assert (done.name, done.rows, done.answers, done.waiting, done.bad) == (f"{review.settings.dataset}-v2", 3, 5, 0, [])
    new = moved(review, done)
    votes = {(vote.row_id, vote.user): (vote.status, vote.labels, vote.verdict) for vote in new.votes("main")}
    assert votes == {
        (rows[0].id, "ann"): ("submitted", ("games",), ""),
        (rows[0].id, "bob"): ("submitted", (), "reject"),
        (rows[1].id, "ann"): ("submitted", ("science",), ""),
        (rows[1].id, "bob"): ("discarded", (), ""),
        (rows[2].id, "ann"): ("draft", ("business",), ""),
    }
    id = review.backend.link.dataset(done.name, review.backend.workspace_id)["id"]
    params = {"include": "suggestions,vectors"}
    found = {each["external_id"]: each for each in review.backend.link.call("GET", f"/datasets/{id}/records", params=params)["items"]}
    assert [found[each.id]["suggestions"][0]["value"] for each in rows] == ["games", "science", "games"]
    assert all(found[each.id]["fields"] == each.fields and found[each.id]["vectors"] == each.vectors for each in rows)
    assert len(review.votes()) == 5


def test_an_answer_whose_label_is_gone_waits_for_its_person_again(argilla):
    with reviewing(argilla, mode="careful") as review:
        review.put(row(1))
        review.answer(argilla.ann, row(1), "sport", verdict="keep", reason="A match.")
        done = move(review, relabelled_task(sport=None), {})
        (vote,) = moved(review, done).votes("main")
        assert (done.answers, done.waiting) == (0, 1)
        assert (vote.status, vote.labels, vote.verdict, vote.reason) == ("draft", (), "keep", "A match.")


def test_relabelling_again_leaves_the_new_answers_alone(review, argilla):
    review.put(row(1))
    review.answer(argilla.ann, row(1), "sport")
    task = relabelled_task(sport="games")
    first = move(review, task, {"sport": "games"})
    new = replace(review, backend=moved(review, first), schema=review_schema(task, review.settings, dimensions=SIZES), places={})
    record = new.records()[row(1).id]
    about = {"status": "submitted", "values": {"label": {"value": "science"}}}
    mine = {"x-argilla-api-key": argilla.ann.key}
    new.backend.link.call("PUT", f"/responses/{record['responses'][0]['id']}", json=about, headers=mine)
    again = move(review, task, {"sport": "games"})
    assert (again.name, again.rows) == (first.name, 0)
    assert [vote.labels for vote in new.votes()] == [("science",)]


def test_relabelling_that_was_cut_off_goes_on(review, argilla):
    rows = [row(number) for number in range(3)]
    review.put(*rows)
    review.answer(argilla.ann, rows[2], "sport")
    task = relabelled_task(sport="games")
    with patch("argilla_bridge.server.relabelling.Sending.send", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        move(review, task, {"sport": "games"})
    done = move(review, task, {"sport": "games"})
    assert (done.name, done.rows, done.answers) == (f"{review.settings.dataset}-v2", 3, 1)


def test_a_reject_under_a_label_that_is_gone_stays_a_reject(argilla):
    with reviewing(argilla, mode="careful") as review:
        review.put(row(1))
        review.answer(argilla.ann, row(1), "sport", verdict="reject", reason="Dull.")
        done = move(review, relabelled_task(sport=None), {})
        (vote,) = moved(review, done).votes("main")
        assert (done.answers, done.waiting) == (1, 0)
        assert (vote.status, vote.verdict, vote.reason) == ("submitted", "reject", "Dull.")


def test_rows_that_were_refused_are_tried_again_and_told_again(review, argilla):
    rows = [row(number) for number in range(3)]
    review.put(*rows)
    review.answer(argilla.ann, rows[1], "sport")
    task, renames = relabelled_task(sport="games"), {"sport": "games"}

    def refused(row, held, responses=()):
        if row.id == rows[1].id:
            raise ValueError("no room")
        return encoded(row, held, responses)

    for moved_then in (2, 0):
        with patch("argilla_bridge.server.sending.encoded", side_effect=refused):
            done = move(review, task, renames)
        assert (done.rows, done.answers, [bad.id for bad in done.bad]) == (moved_then, 0, [rows[1].id])
    last = move(review, task, renames)
    assert (last.rows, last.answers, last.bad) == (1, 1, [])
    assert move(review, task, renames).rows == 0


def test_a_push_under_the_new_name_finds_its_dataset(review):
    review.put(row(1))
    task = relabelled_task(sport="games")
    done = move(review, task, {"sport": "games"})
    new = moved(review, done)
    new.open("main", review_schema(task, review.settings, dimensions=SIZES))
    assert new.put("main", [row(1, "games")], done=lambda ids: None) == []
    assert list(new.ids("main")) == [row(1).id]


def test_the_doctor_finds_a_server_in_order(argilla):
    with patch.dict(os.environ, {"ARGILLA_API_URL": argilla.url, "ARGILLA_API_KEY": argilla.owner.key}):
        found = doctor(None)
    assert not [each for each in found if each.bad]
    told = {each.name: each.detail for each in found}
    assert "2.8.0" in told["server"] and "'argilla' (owner)" in told["server"]
    assert re.match(r"\d+ people: ", told["workspace argilla"])


def test_the_doctor_names_what_is_not_set_and_what_does_not_answer():
    with patch.dict(os.environ, {"ARGILLA_API_URL": "", "ARGILLA_API_KEY": "secret-key-8d1f"}):
        found = doctor(None)
    assert Counter(each.state for each in found) == {"ok": 2, "missing": 1}
    with patch.dict(os.environ, {"ARGILLA_API_URL": "http://127.0.0.1:1", "ARGILLA_API_KEY": "secret-key-8d1f"}):
        (last,) = [each for each in doctor(None) if each.bad]
    assert last.name == "server" and last.detail.startswith("No Argilla answers at http://127.0.0.1:1")
    assert "secret" not in repr(found) + repr(last)

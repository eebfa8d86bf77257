"""Whole rounds of a run on a real Argilla: push, answers, pull, a judge, and what is left when accounts and rows go."""

import json
import uuid

import pytest

from argilla_bridge.measures.agreement import agreement
from argilla_bridge.measures.judged import read_judged
from argilla_bridge.rounds.adjudicating import adjudicate
from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rounds.pulling import pull
from argilla_bridge.rounds.pushing import push
from argilla_bridge.rows import ReviewRow, Suggestion, content_id
from argilla_bridge.schema import review_schema
from argilla_bridge.server.backend import ArgillaBackend
from argilla_bridge.showing.marking import escaped
from services.argilla import Person
from services.argilla_reviews import SIZES, demo_task, reviewing
from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl


class Round:
    """A run whose rows stand in a dataset of their own."""

    def __init__(self, folder, review):
        self.folder, self.review, self.out = folder, review, folder / "review"
        self.ledger = Ledger.open(self.out / "ledger.sqlite")
        self.texts = [f"Text number {number}." for number in range(4)]
        self.push()

    def candidates(self):
        for number, text in enumerate(self.texts):
            made = Candidate(f"c{number}", "synthesizrr", ("sport",), "seed", None, fields={"text": text})
            yield made.after(Event("curate", ACCEPTED))

    @staticmethod
    def made(candidates):
        for one in candidates:
            about = {"strategy": one.strategy, "candidate": one.id, "planned_label": one.key, "blind": "no"}
            yield ReviewRow(
                content_id(one.fields), one.id, {"text": escaped(one.fields["text"])}, about, {}, Suggestion(one.labels, 0.5), 0.5
            )

    def row(self, number):
        return list(self.made(self.candidates()))[number]

    def push(self):
        write_jsonl(self.folder / "accepted.jsonl", (one.to_dict() for one in self.candidates()))
        rows, settings = self.made(self.candidates()), self.review.settings
        return push(self.review.backend, rows, self.ledger, schema=self.review.schema, settings=settings)

    def pull(self):
        accepted, how = self.folder / "accepted.jsonl", {"task": demo_task(), "settings": self.review.settings}
        return pull(self.review.backend, self.ledger, accepted, self.out, **how)

    def adjudicate(self):
        shape = review_schema(demo_task(), self.review.settings, dimensions=SIZES, adjudication=True)
        return adjudicate(
            self.review.backend, self.ledger, self.out, making=self.made, schema=shape, settings=self.review.settings
        )  # fmt: skip

    def judge(self, person, label):
        """Answer the only row for a judge."""
        link, id = self.review.backend.link, self.review.backend.open("adjudication", self.shape())
        (record,) = link.call("GET", f"/datasets/{id}/records", params={"limit": 10})["items"]
        body, mine = {"status": "submitted", "values": {"label": {"value": label}}}, {"x-argilla-api-key": person.key}
        link.call("POST", f"/records/{record['id']}/responses", json=body, headers=mine)

    def shape(self):
        return review_schema(demo_task(), self.review.settings, dimensions=SIZES, adjudication=True)

    def labels(self):
        return {row.id: row.labels for row in read_jsonl(self.out / "reviewed.jsonl", Candidate.from_dict)}


@pytest.fixture
def round(argilla, tmp_path):
    with reviewing(argilla, overlap=0.0, blind=0.0, min_submitted=2) as review:
        made = Round(tmp_path, review)
        yield made
        made.ledger.close()


def account(review):
    name = f"annotator-{uuid.uuid4().hex[:8]}"
    about = {"first_name": "New", "username": name, "role": "annotator", "password": "long-password"}
    made = review.backend.link.call("POST", "/users", json=about)
    review.backend.link.call("POST", f"/workspaces/{review.backend.workspace_id}/users", json={"user_id": made["id"]})
    return Person(name, "long-password", made["api_key"]), made["id"]


def test_a_tie_goes_to_a_judge_whose_vote_decides_also_when_the_ledger_is_lost(round, argilla):
    round.review.answer(argilla.ann, round.row(0), "science")
    assert round.pull().human == 1
    round.review.answer(argilla.bob, round.row(0), "business")
    assert round.pull().ties == 1
    assert round.adjudicate().new == 1
    round.judge(argilla.ann, "business")
    done = round.pull()
    assert (done.ties, done.strays, round.labels()["c0"]) == (0, 0, ("business",))
    found = agreement(read_judged(round.out), labels=list(demo_task().labels))
    assert (found["rows"], found["agreement"]["all"]["percent"]["value"]) == ({"asked": 4, "answered": 1}, 0.0)
    round.ledger.close()
    for path in round.out.glob("ledger*"):
        path.unlink()
    round.ledger = Ledger.open(round.out / "ledger.sqlite")
    assert round.push().new == 4
    assert (round.pull().ties, round.labels()["c0"]) == (0, ("business",))


def test_votes_outlive_accounts_and_removed_rows(round, argilla):
    person, id = account(round.review)
    round.review.answer(person, round.row(0), "science")
    round.review.answer(argilla.ann, round.row(1), "science")
    round.pull()
    round.review.backend.link.call("DELETE", f"/users/{id}")
    done = round.pull()
    assert (done.submitted, done.missing, round.labels()["c0"]) == (2, 1, ("science",))
    round.review.answer(argilla.bob, round.row(2), "science")
    round.texts[2] = "Another text."
    pushed = round.push()
    assert (pushed.removed, pushed.answers) == (1, 1)
    done = round.pull()
    assert (done.submitted, done.strays, done.human) == (3, 1, 2)
    votes = [json.loads(line) for line in (round.out / "votes.jsonl").read_text().splitlines()]
    assert sorted(vote["user"] for vote in votes) == sorted([person.name, "ann", "bob"])


def test_a_dataset_of_another_run_is_left_alone(round):
    own, schema = round.review.backend, round.review.schema
    first, second = (ArgillaBackend(own.link, own.review, own.workspace_id, own.base, run) for run in ("run-1", "run-2"))
    assert first.open("main", schema) == own.open("main", schema)
    for attempt in (lambda: second.open("main", schema), lambda: list(second.votes("main")), lambda: second.remove("main", ["x"])):
        with pytest.raises(InputError, match="belongs to another run.*Set \\[review\\] dataset"):
            attempt()
    assert len(list(first.ids("main"))) == 4
    assert ArgillaBackend(own.link, own.review, own.workspace_id, own.base, "run-1").open("main", schema)

"""A whole review in a file, through the same code as one on a server."""

import csv
import json

import pytest
from review_room import candidate, row_of, schema, task

from argilla_bridge.files.filed import FileBackend
from argilla_bridge.rounds.adjudicating import adjudicate
from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rounds.pulling import pull
from argilla_bridge.rounds.pushing import push
from argilla_bridge.settings import ReviewSettings
from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl

LABELS = ["sport", "science", "cooking"]


class FileReview:
    """A run whose rows people review in one file, and copies of it."""

    def __init__(self, folder, suffix, *, number=6, copies=(), **settings):
        self.folder, self.settings = folder, ReviewSettings(backend="file", **{"overlap": 0.0, **settings})
        self.path = folder / "review" / f"rows{suffix}"
        self.copies = [folder / name for name in copies]
        self.candidates = [candidate(place, LABELS[place % 3]) for place in range(number)]
        self.ledger = Ledger.open(folder / "review" / "ledger.sqlite")

    def backend(self):
        return FileBackend(self.path, "ann", schema=schema(self.settings), copies=[copy for copy in self.copies if copy.is_file()])

    def push(self):
        write_jsonl(self.folder / "accepted.jsonl", (made.to_dict() for made in self.candidates))
        return push(self.backend(), map(row_of, self.candidates), self.ledger, schema=schema(self.settings), settings=self.settings)

    def pull(self):
        out = self.folder / "review"
        return pull(self.backend(), self.ledger, self.folder / "accepted.jsonl", out, task=task(), settings=self.settings)

    def adjudicate(self):
        making = lambda candidates: map(row_of, candidates)  # noqa: E731
        shape = schema(self.settings, adjudication=True)
        out = self.folder / "review"
        return adjudicate(self.backend(), self.ledger, out, making=making, schema=shape, settings=self.settings)

    def lines(self, path=None):
        path = path or self.path
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def fill(self, number, path=None, **cells):
        path = path or self.path
        id = row_of(self.candidates[number]).id
        found = [{**line, **cells} if id == line["id"] or cells.get("id") == line["id"] else line for line in self.lines(path)]
        self.write(found, path)

    def write(self, found, path=None):
        path = path or self.path
        if path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(line) + "\n" for line in found), encoding="utf-8")
            return
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(found[0]))
            writer.writeheader()
            writer.writerows(found)

    def reviewed(self):
        return {made.id: made for made in read_jsonl(self.folder / "review" / "reviewed.jsonl", Candidate.from_dict)}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_answers_in_a_file_decide_rows(tmp_path, suffix):
    review = FileReview(tmp_path, suffix)
    assert review.push().new == 6
    review.fill(0, label="science", user="bob")
    review.fill(1, label="unusable")
    review.fill(2, label="cooking", status="draft")
    done = review.pull()
    assert (done.submitted, done.drafts, done.human, done.rejected, done.unreviewed) == (2, 1, 1, 1, 4)
    assert review.reviewed()["c0"].labels == ("science",)
    assert "c1" not in review.reviewed()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_second_push_sends_nothing_and_a_third_only_what_changed(tmp_path, suffix):
    review = FileReview(tmp_path, suffix)
    review.push()
    review.fill(0, label="science")
    before = review.path.read_bytes()
    again = review.push()
    assert (again.new, again.changed, again.unchanged) == (0, 0, 6)
    assert review.path.read_bytes() == before
    review.candidates[1] = candidate(1, "science", text="Another text.")
    third = review.push()
    assert (third.new, third.unchanged, third.removed) == (1, 5, 1)
    assert review.pull().human == 1


def test_rows_that_somebody_deleted_are_written_again(tmp_path):
    review = FileReview(tmp_path, ".csv")
    review.push()
    review.write(review.lines()[:2])
    assert review.push().new == 4
    assert len(review.lines()) == 6


def test_a_corrected_text_is_taken_over(tmp_path):
    review = FileReview(tmp_path, ".csv", mode="careful")
    review.push()
    review.fill(0, corrected="=A better text", reason="dull")
    done = review.pull()
    assert (done.edited, done.human) == (1, 1)
    assert review.reviewed()["c0"].fields == {"text": "=A better text"}


def test_a_tie_between_two_copies_is_judged_in_the_same_file(tmp_path):
    review = FileReview(tmp_path, ".csv", copies=["bob.csv"])
    review.push()
    review.copies[0].write_bytes(review.path.read_bytes())
    review.fill(0, label="science")
    review.fill(0, review.copies[0], label="cooking")
    assert review.pull().ties == 1
    assert review.adjudicate().new == 1
    (tie,) = [line for line in review.lines() if line["dataset"] == "adjudication"]
    assert tie["answers"].count("(1)") == 2
    review.write([{**line, "label": "cooking"} if line is tie or line["id"] == tie["id"] else line for line in review.lines()])
    assert review.pull().ties == 0
    assert review.reviewed()["c0"].labels == ("cooking",)


def test_an_answer_is_taken_back_by_emptying_its_cell(tmp_path):
    review = FileReview(tmp_path, ".csv")
    review.push()
    review.fill(0, label="science"), review.fill(1, label="science", user="bob")
    assert review.pull().human == 2
    review.fill(0, label=""), review.fill(1, label="", user="")
    done = review.pull()
    assert (done.human, done.submitted, done.missing) == (0, 0, 0)


def test_answers_in_a_file_that_was_deleted_stay(tmp_path):
    review = FileReview(tmp_path, ".csv")
    review.push()
    review.fill(0, label="science")
    review.pull()
    review.path.unlink()
    assert review.push().new == 6
    done = review.pull()
    assert (done.human, done.missing) == (1, 1)
    review.fill(0, label="cooking")
    done = review.pull()
    assert (done.submitted, done.missing, review.reviewed()["c0"].labels) == (1, 0, ("cooking",))


def test_names_and_pseudonyms_hold_in_files_too(tmp_path):
    review = FileReview(tmp_path, ".csv", pseudonyms=True, names={"Ann Smith": "A"})
    review.push()
    review.fill(0, label="science", user="Ann Smith"), review.fill(1, label="science", user="bob")
    review.pull()
    users = {json.loads(line)["user"] for line in (tmp_path / "review" / "votes.jsonl").read_text(encoding="utf-8").splitlines()}
    assert len(users) == 2 and "A" in users and users - {"A"} <= {"annotator-1", "annotator-2"}

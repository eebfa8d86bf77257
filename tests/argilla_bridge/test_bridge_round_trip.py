"""Push, people who fill in a file, pull, adjudication: the whole round through the real file backend."""

import csv
import json

from review_room import candidate, row_of, schema, task

from argilla_bridge.files.filed import FileBackend
from argilla_bridge.measures.agreement import agreement
from argilla_bridge.measures.judged import read_judged
from argilla_bridge.rounds.adjudicating import adjudicate
from argilla_bridge.rounds.ledger import Ledger
from argilla_bridge.rounds.pulling import pull
from argilla_bridge.rounds.pushing import push
from argilla_bridge.settings import ReviewSettings
from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl

SETTINGS = ReviewSettings(backend="file", overlap=0.3)


def fill_in(path, answers, *, user):
    """Write answers into the lines of a copy, by text."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row |= {"label": answers.get(row["text"], row["label"]), "user": user}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_round_through_a_file(tmp_path):
    made = [candidate(place, ["sport", "science"][place % 2], text=f"=Text {place}") for place in range(8)]
    write_jsonl(tmp_path / "accepted.jsonl", (one.to_dict() for one in made))
    path, copy, out = tmp_path / "rows.csv", tmp_path / "bob.csv", tmp_path / "review"
    with Ledger.open(out / "ledger.sqlite") as ledger:

        def opened(*copies):
            return FileBackend(path, "ann", schema=schema(adjudication=True), copies=copies)

        def pushed():
            return push(opened(), map(row_of, made), ledger, schema=schema(SETTINGS), settings=SETTINGS)

        assert pushed().new == 8
        assert pushed().unchanged == 8
        copy.write_bytes(path.read_bytes())
        fill_in(path, {"'=Text 0": "sport", "'=Text 1": "unusable", "'=Text 2": "cooking"}, user="ann")
        fill_in(copy, {"'=Text 0": "sport", "'=Text 2": "science"}, user="bob")
        again = pushed()
        assert (again.new, again.changed, again.removed) == (0, 0, 0)

        done = pull(opened(copy), ledger, tmp_path / "accepted.jsonl", out, task=task(), settings=SETTINGS)
        assert (done.submitted, done.human, done.rejected, done.ties, done.unreviewed) == (5, 1, 1, 1, 5)
        sent = adjudicate(
            opened(copy), ledger, out, making=lambda ties: map(row_of, ties), schema=schema(adjudication=True), settings=SETTINGS
        )
        assert sent.new == 1

        with path.open(newline="", encoding="utf-8") as file:
            (judge,) = [row for row in csv.DictReader(file) if row["dataset"] == "adjudication"]
        assert "cooking" in judge["answers"] and "science" in judge["answers"]
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            if row["dataset"] == "adjudication":
                row |= {"label": "science", "user": "judge"}
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        done = pull(opened(copy), ledger, tmp_path / "accepted.jsonl", out, task=task(), settings=SETTINGS)
        assert (done.ties, done.human, done.relabelled) == (0, 2, 1)
    labels = {row.id: row.labels for row in read_jsonl(out / "reviewed.jsonl", Candidate.from_dict)}
    assert labels["c2"] == ("science",) and "c1" not in labels
    found = agreement(read_judged(out), labels=list(task().labels))
    assert found["pairs"][0]["percent"]["n"] == 2
    assert json.dumps(found, allow_nan=False)

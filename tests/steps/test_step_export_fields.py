"""`export` for tasks with several labels per row, or several fields."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import spacy
from spacy.tokens import DocBin
from student_run import FixedPassages, StudentRun

from spacy_synthesizrr.candidates import ACCEPTED, Candidate, Event, Seed
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.steps import export

FIXTURES = Path(__file__).parents[1] / "fixtures"
STORE = FixedPassages({"p": "The ferry was late again, and the fare has gone up."})


def make(tmp_path, monkeypatch, fixture, rows):
    """A run of a fixture task with these accepted rows."""
    run = StudentRun.make(tmp_path)
    shutil.copytree(FIXTURES / fixture, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: STORE)
    accepted = []
    for labels, fields in rows:
        planned = Candidate.plan(task="t", strategy="s", seed=Seed.make(labels, fields), passage_id="p")
        accepted.append(planned.after(Event("synthesize", ACCEPTED), fields=fields).to_dict())
    write_jsonl(run.folder.file("accepted.jsonl"), accepted)
    export.run(run.ready())
    return run


def docs(run, name):
    return list(DocBin().from_disk(run.folder.file(name)).get_docs(spacy.blank("en").vocab))


@pytest.fixture
def multi(tmp_path, monkeypatch):
    """Complaints, each about one thing or more."""
    rows = [(["delivery", "price"], {"text": "Late and dear."}), (["quality"], {"text": "It broke."})]
    return make(tmp_path, monkeypatch, "multi", rows)


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """A premise, carried, and a hypothesis, generated."""
    rows = [
        (["entailment"], {"premise": "It rains.", "hypothesis": "The street is wet."}),
        (["not_entailment"], {"premise": "It rains.", "hypothesis": "The sun is out."}),
    ]
    return make(tmp_path, monkeypatch, "pair", rows)


def test_row_with_two_labels_has_both_in_its_cats(multi):
    assert docs(multi, "train.spacy")[0].cats == {"delivery": 1.0, "price": 1.0, "quality": 0.0}
    assert multi.arm("export.json", "main")["labels"] == {"delivery": 1, "price": 1, "quality": 1}
    assert multi.json("export.json")["exclusive"] is False


def test_seeds_and_dev_of_a_multi_label_task_are_exported(multi):
    assert multi.arm("export.json", "seed-only")["rows"] == 12
    assert any(sum(doc.cats.values()) > 1 for doc in docs(multi, "dev.spacy"))


def test_student_reads_all_fields_in_order(pair):
    assert docs(pair, "train.spacy")[0].text == "It rains.\nThe street is wet."


def test_retrieve_only_replaces_the_generated_field_alone(pair):
    assert docs(pair, "controls/retrieve-only/train.spacy")[0].text == f"It rains.\n{STORE.texts['p']}"

"""Labels that `curate` checked on a real run: what is written, what people see, what a student gets."""

import json
import shutil
from pathlib import Path

import pytest
import spacy

from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.making import priority, review_rows
from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.labelled import read_seeds
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.report.labels import part
from spacy_synthesizrr.set_filters.labels import VerifyLabels
from spacy_synthesizrr.steps import curate, prepare, synthesize
from spacy_synthesizrr.students.export import ROW_SCORE, ROW_WEIGHT, Written, make_docs
from spacy_synthesizrr.students.reviewed import label_score
from spacy_synthesizrr.students.rows import accepted_rows

FILTERS = """
[set_filters.map]
@misc = "synthesizrr.Cartography.v1"
keep = null

[set_filters.shares]
@misc = "synthesizrr.MatchDistribution.v1"
how = "weights"

[set_filters.shares.to]
sport = 0.25
cooking = 0.75
"""


@pytest.fixture(scope="module")
def checked(walked_project, tmp_path_factory):
    """A copy of the walked run, curated again with judges of labels, a data map and weights; tests only read it."""
    folder = tmp_path_factory.mktemp("checked") / "project"
    shutil.copytree(walked_project, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        path = Path("configs/curate.cfg")
        path.write_text(path.read_text() + FILTERS)
        prepare.run(prepare.Choices("tiny", "tiny", per_label=4))
        ctx = Context.open("tiny")
        synthesize.run(ctx)
        assert curate.run(ctx) and not curate.run(ctx)
        yield ctx


def rows_of(ctx):
    return list(read_jsonl(ctx.folder.file("accepted.jsonl"), Candidate.from_dict))


def test_every_row_says_how_sure_its_label_is_and_the_run_says_it_is_uncalibrated(checked):
    assert all(0 <= label_score(row) <= 1 for row in rows_of(checked))
    filters = json.loads(checked.folder.file("curation.json").read_text())["arms"]["main"]["filters"]
    assert filters["labels"]["pool"]["why"] == "6 labelled rows are too few; 20 are needed"
    assert [about["kind"] for about in filters.values()][-1] == "synthesizrr.MatchDistribution.v1"


def test_the_console_says_how_many_rows_are_doubtful(checked, capsys):
    checked.folder.receipt_path("curate").unlink()
    curate.run(checked)
    out = capsys.readouterr().out
    assert out.count("Labels: ") == 1
    assert "of 8 rows are doubtful (below 0.5); scores are uncalibrated: 6 labelled rows are too few; 20 are needed." in out


def test_curate_is_done_again_as_long_as_a_judge_lost_questions(checked, monkeypatch):
    checked.folder.receipt_path("curate").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(VerifyLabels, "told", lambda self: {**self._told, "unfinished": True})
        assert curate.run(checked) and curate.run(checked)
    assert curate.run(checked) and not curate.run(checked)


def test_people_can_sort_by_score_confidence_and_doubt(checked):
    from spacy_synthesizrr.stores.opening import open_store

    store, rows = open_store(checked), rows_of(checked)
    lookup = Lookup(checked.task, store, read_seeds(checked.task))
    shown = list(review_rows(rows, task=checked.task, settings=ReviewSettings(blind=0), lookup=lookup, embedder=None, agent="robot"))
    store.close()
    for row in shown:
        candidate = next(each for each in rows if each.id == row.candidate_id)
        assert row.metadata["label_score"] == pytest.approx(label_score(candidate), abs=1e-4)
        assert (
            row.metadata["priority"] == pytest.approx(1 - label_score(candidate), abs=1e-4) == pytest.approx(priority(candidate), abs=1e-4)
        )
        assert 0 <= row.metadata["confidence"] <= 1 and row.suggestion.score == label_score(candidate)


def test_a_student_gets_scores_and_weights(checked):
    rows = list(accepted_rows(checked.folder.file("accepted.jsonl"), checked.task))
    docs = list(make_docs(rows, nlp=spacy.blank("en"), labels=["sport", "cooking"], written=Written()))
    weights = {label: {doc.user_data[ROW_WEIGHT] for doc in docs if doc.cats[label]} for label in ("sport", "cooking")}
    assert weights == {"sport": {0.5}, "cooking": {1.5}}
    assert all(ROW_SCORE in doc.user_data for doc in docs)


def test_the_report_has_a_part_about_labels(checked):
    found = part({"run": "tiny", "curation": json.loads(checked.folder.file("curation.json").read_text())})
    assert found is not None and len(found.plots) == 2
    assert any("uncalibrated: 6 labelled rows are too few" in sentence for sentence in found.sentences)
    assert [table.caption for table in found.tables][-1] == "Labels brought to: given"
    assert found.commands == ("synthesizrr rows --reason label_mismatch --run tiny",)


def test_the_report_says_of_each_filter_and_arm_what_it_did(checked):
    curation = json.loads(checked.folder.file("curation.json").read_text())
    checks = curation["arms"]["main"]["filters"]["labels"]
    about = {"right_share": 0.82, "right_interval": [0.7, 0.9], "unjudged": 3, "acted": "relabel", "action": "relabel"}
    pool = {**checks["pool"], "why": "judges are no better than chance", "by_chance": True}
    curation["arms"]["main"]["filters"] = {"labels": checks | about, "again": checks | {"action": "reject", "pool": pool}}
    nobody = {"kind": checks["kind"], "rows": 2, "judges": {}, "off": {"gold": "there are no labelled rows"}}
    curation["arms"]["random"] = {"filters": {"labels": checks | {"action": "relabel", "acted": "review"}, "again": nobody}, "off": []}
    found = part({"run": "tiny", "curation": curation})
    assert found.tables[0].rows == (
        ("labels", "main", 8, 3, "relabelled", "relabelled", "82.0", "70 to 90"),
        ("again", "main", 8, 0, "rejected", "marked", "–", "–"),
        ("labels", "random", 8, 0, "relabelled", "marked", "–", "–"),
        ("again", "random", 2, None, "–", "left as they are", "–", "–"),
    )
    assert len(found.plots) == 2 and 'id="label-scores-1-title"' in found.plots[1][0].svg
    assert "Doubted rows were to be rejected and were only marked: judges are no better than chance." in found.sentences
    assert any(sentence.startswith("Of 3 rows no judge said anything") for sentence in found.sentences)


def test_without_filters_of_labels_the_report_has_no_such_part():
    assert part({"run": "tiny", "curation": {"arms": {"main": {"filters": {}, "off": []}}}}) is None
    assert part({"run": "tiny", "curation": None}) is None

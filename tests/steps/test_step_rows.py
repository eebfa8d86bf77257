"""The command `rows`: what it finds in the files of a run, and how it says it."""

import json

import pytest
from student_run import StudentRun
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.errors import RunFolderError, SynthesizrrError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.steps.rows import Wanted, arm_folders, find_rows, told


@pytest.fixture
def curated(walked):
    """A run with four accepted rows of each label, of which one was turned away and one failed."""
    lines = [json.loads(line) for line in walked.folder.file("accepted.jsonl").read_text(encoding="utf-8").splitlines()]
    away = [
        {
            **lines[0],
            "status": "rejected",
            "fields": {"text": "A \x1b[31m red text."},
            "events": [{"step": "curate", "status": "rejected", "reason": "near_copy"}],
        }
    ]
    away.append({**lines[1], "status": "failed", "fields": {}, "events": [{"step": "synthesize", "status": "failed", "reason": "timeout"}]})
    write_jsonl(walked.folder.file("rejected.jsonl"), away)
    return walked


def found(ctx, **wanted):
    return list(find_rows(ctx, Wanted(**wanted)))


@pytest.mark.parametrize(("wanted", "count"), [
    ({"arm": "main"}, 10), ({"status": "accepted", "arm": "main"}, 8), ({"status": "rejected"}, 1), ({"status": "failed"}, 1),
    ({"reason": "near_copy"}, 1), ({"reason": "near copy"}, 1), ({"reason": "unheard_of"}, 0),
    ({"text": "A \x1b[31m RED", "arm": "main"}, 1),
])  # fmt: skip
def test_rows_are_found_by_what_is_asked(curated, wanted, count):
    assert len(found(curated, **wanted)) == count


def test_rows_are_found_by_label_in_every_arm(curated):
    rows = found(curated, label="sport", status="accepted")
    assert {row["labels"][0] for row in rows} == {"sport"}
    assert {row["arm"] for row in rows} == set(arm_folders(curated)) > {"main"}


def test_a_row_is_the_one_of_the_file_with_its_arm_and_reason(curated):
    (row,) = found(curated, reason="near_copy")
    line = json.loads(curated.folder.file("rejected.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert row == {**line, "arm": "main", "reason": "near_copy"}


@pytest.mark.parametrize(("wanted", "said"), [
    ({"arm": "rndom"}, "no arm 'rndom'. Did you mean 'random'"), ({"status": "rejectd"}, "Did you mean 'rejected'"),
    ({"status": "accepted", "arm": "test"}, "Valid: 'right', 'wrong'"), ({"gold": "sport", "arm": "main"}, "Valid: 'test'"),
])  # fmt: skip
def test_a_slip_is_told_with_what_there_is(curated, wanted, said):
    with pytest.raises(SynthesizrrError, match=said):
        found(curated, **wanted)


def test_rows_are_told_without_what_could_repaint_a_terminal(curated):
    (text,) = told(found(curated, reason="near_copy"))
    assert text.splitlines()[1] == r"    A \x1b[31m red text." and "main  rejected (near_copy)  " in text
    assert sum("main  accepted" in line for line in told(found(curated, status="accepted", arm="main"), limit=2)) == 2


@pytest.fixture
def answered(tmp_path):
    """A run whose students have answered two of three test rows right; the last is multi-line."""
    run = StudentRun.make(tmp_path)
    write_jsonl(tmp_path / "test.jsonl", [{"text": f"Row {line}.", "label": ("sport", "business")[line % 2]} for line in range(1, 4)])
    ctx = run.ready()
    said = {1: "business", 2: "business", 3: "business"}
    rows = [{"line": line, "gold": [("sport", "business")[line % 2]], "student": [label]} for line, label in said.items()]
    write_jsonl(ctx.folder.file("answers.jsonl"), rows)
    run_step(ctx.folder, "evaluate", after=(), settings={}, outputs=("answers.jsonl",), body=dict)
    return ctx


@pytest.mark.parametrize(("wanted", "lines"), [
    ({"arm": "test"}, [1, 2, 3]), ({"status": "wrong"}, [2]), ({"status": "right"}, [1, 3]), ({"gold": "sport"}, [2]),
    ({"gold": "sport", "student": "business"}, [2]), ({"student": "sport"}, []), ({"reason": "taken for business"}, [2]),
    ({"arm": "test", "label": "business"}, [1, 3]), ({"arm": "test", "text": "row 3"}, [3]),
])  # fmt: skip
def test_test_rows_are_found_by_what_the_student_says(answered, wanted, lines):
    assert [row["line"] for row in found(answered, **wanted)] == lines


def test_test_rows_are_told_with_both_labels(answered):
    assert list(told(found(answered, status="wrong"))) == ["test line 2  wrong: sport, taken for business\n    Row 2.\n"]


def test_before_evaluate_nobody_knows_what_the_student_says(walked):
    with pytest.raises(RunFolderError, match="Run `evaluate`"):
        found(walked, status="wrong")


def test_the_command_prints_json_and_says_when_there_is_nothing(curated):
    shown = CliRunner().invoke(app, ["rows", "--run", "tiny", "--arm", "main", "--limit", "3", "--json"])
    assert shown.exit_code == 0 and len([json.loads(line) for line in shown.output.splitlines()]) == 3
    nothing = CliRunner().invoke(app, ["rows", "--run", "tiny", "--reason", "unheard_of"])
    assert nothing.exit_code == 0 and "No row is like that." in nothing.output

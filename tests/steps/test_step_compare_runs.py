"""`report compare`: two runs on a page, by the command."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.errors import RunFolderError, SynthesizrrError
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.receipts import RunFolder, run_step
from spacy_synthesizrr.steps import report
from spacy_synthesizrr.steps.compare_runs import _tested, compare_runs


@pytest.fixture
def two(walked):
    """The run "tiny" with a report, and a copy of it called "other"."""
    report.run(walked)
    shutil.copytree("runs/tiny", "runs/other")
    return walked


def test_the_command_writes_a_page_and_its_numbers(two):
    done = CliRunner().invoke(app, ["report", "compare", "tiny", "other", "--out", "both"])
    assert done.exit_code == 0 and "Comparison: both/index.html" in done.output
    found = json.loads(Path("both/comparison.json").read_text(encoding="utf-8"))
    assert found["runs"] == ["tiny", "other"] and found["asked"] == {} and found["funnel"]["accepted"] == [8, 8]
    page = Path("both/index.html").read_text(encoding="utf-8")
    assert "tiny against other" in page and "<script" not in page


def test_beside_the_first_run_by_default_whose_report_stays(two):
    lines = list(compare_runs(["tiny", "runs/other"]))
    assert lines[-1] == "Comparison: runs/tiny/report/comparison/index.html"
    assert not report.run(two)


@pytest.mark.parametrize(("names", "error", "said"), [
    (["tiny"], SynthesizrrError, "two runs or more"), (["tiny", "tiny"], SynthesizrrError, "each once"),
    (["tiny", "tinny"], RunFolderError, "no run 'tinny'. Runs: other, tiny"),
])  # fmt: skip
def test_what_cannot_be_compared_is_told(two, names, error, said):
    with pytest.raises(error, match=said):
        list(compare_runs(names))


def test_a_run_without_a_report_is_told_how_to_get_one(two):
    RunFolder(two.folder.path.parent / "other").receipt_path("report").unlink()
    with pytest.raises(RunFolderError, match="synthesizrr report --run other"):
        list(compare_runs(["tiny", "other"]))


def test_answers_are_read_student_by_student(tmp_path):
    folder = RunFolder(tmp_path)
    rows = [{"line": line, "gold": ["a"], "student": ["a"], "arms": {"main": [["a"], ["b"] if line > 1 else ["a"]]}} for line in (1, 2)]
    write_jsonl(folder.file("answers.jsonl"), rows)
    run_step(folder, "evaluate", after=(), settings={}, outputs=("answers.jsonl",), body=dict)
    found = _tested(folder, {"files": {"test": {"sha256": "f"}}})
    assert found.answers == [[("a",), ("a",)], [("a",), ("b",)]] and found.gold == [("a",), ("a",)]


def test_report_alone_still_writes_the_report(walked):
    done = CliRunner().invoke(app, ["report", "--run", "tiny"])
    assert done.exit_code == 0 and "report: done in" in done.output

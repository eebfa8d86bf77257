"""The command line: what each command prints, and that a user's error is one line with exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import ROOT
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app


@pytest.fixture
def run(monkeypatch):
    """Run a command in a folder."""

    def call(folder: Path, *words: object, code: int = 0) -> str:
        monkeypatch.chdir(folder)
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == code, done.output + repr(done.exception)
        return done.output

    return call


def test_preview_shows_a_prompt_of_every_label_and_the_tokens_of_every_arm(run, demo):
    out = run(demo.path, "preview", "-n", 1)
    assert out.count("Headline and lead:") == 4
    assert all(f"{label} · candidate" in out for label in ("politics", "business", "sport", "science"))
    assert demo.file("news_demo", "preview.txt").read_text() == out
    assert all(f"{arm}: 200 prompts if every row is accepted" in out for arm in ("main", "random", "fewgen"))


def test_trace_tells_the_life_of_a_row(run, demo):
    row = demo.rows("news_demo", "accepted.jsonl")[0]
    out = run(demo.path, "trace", row["id"][:10])
    assert row["fields"]["text"] in out
    assert "accepted" in out


def test_trace_of_an_unknown_id_is_one_line(run, demo):
    out = run(demo.path, "trace", "zzzz", code=2)
    assert out.startswith("✘ ") and out.count("\n") == 1


def test_calibrate_shows_how_close_passages_are_and_proposes_no_edges_without_a_scale(run, demo):
    out = run(demo.path, "calibrate")
    assert "Passages are found by hybrid search" in out and "ranks 11-50" in out
    assert 'kind = "absolute"' not in out


def test_a_step_of_a_run_that_is_not_there_says_what_to_do(run, tmp_path):
    out = run(tmp_path, "plan", "--run", "nothing", code=2)
    assert out.startswith("✘ ") and "prepare" in out


def test_a_step_that_is_done_says_so(run, demo):
    assert run(demo.path, "measure").strip() == "measure: nothing changed"


def test_a_run_may_be_named_by_its_folder(run, demo):
    assert run(demo.path, "measure", "--run", "runs/news_demo").strip() == "measure: nothing changed"


def test_draw_cuts_a_labelled_file(run, tmp_path):
    rows = [{"body": f"Text number {i} about something.", "topic": "ab"[i % 2]} for i in range(40)]
    (tmp_path / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("--text", "body", "--label", "topic", "--per-label", 2, "--dev", 3, "--test", 4)
    run(tmp_path, "seeds", "draw", "all.jsonl", "cut", *words)
    sizes = {name: len((tmp_path / "cut" / f"{name}.jsonl").read_text().splitlines()) for name in ("seeds", "dev", "test", "rest")}
    assert sizes == {"seeds": 4, "dev": 6, "test": 8, "rest": 22}


def test_draw_of_more_than_there_is_names_the_label(run, tmp_path):
    (tmp_path / "all.jsonl").write_text('{"text": "One.", "label": "a"}\n{"text": "Two.", "label": "b"}\n')
    out = run(tmp_path, "seeds", "draw", "all.jsonl", "cut", code=2)
    assert "'a'" in out or "'b'" in out
    assert not (tmp_path / "cut").exists()


def test_init_writes_a_project_and_says_what_next(run, tmp_path):
    out = run(tmp_path, "init", "mine")
    assert "Next: cd mine && python -m spacy project run all" in out
    assert (tmp_path / "mine" / "project.yml").read_bytes() == (ROOT / "project.yml").read_bytes()


def test_init_leaves_a_folder_that_is_not_empty_alone(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "mine.txt").write_text("x")
    assert "not empty" in run(tmp_path, "init", "mine", code=2)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["mine.txt"]

"""The real tasks of the loop's benchmarks are cut without overlap, their configs are the project's, and tables show what was measured."""

import json
import sys

import pytest
from conftest import ROOT

from spacy_synthesizrr.loop.settings import read_loop_settings
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.taskfile import read_task

with pytest.MonkeyPatch.context() as patch:  # they import one another as scripts do
    patch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import s3_llm
    import s3_loops
    import s3_real
    import s3_sets
    import s3_simulated

from spacy_synthesizrr.configs import read_config, section


@pytest.fixture
def data(tmp_path):
    """Made-up rows in the place of the reviews."""
    rows = [{"text": f"Film {number} of the year.", "label": "positive" if number % 2 else "negative"} for number in range(200)]
    (tmp_path / "reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    return tmp_path


def test_no_row_stands_in_two_parts_and_every_part_is_balanced(data):
    case = s3_sets.Case("imdb", "reviews.jsonl", dev=60, test=40, corpus="")
    parts = s3_sets.cut(case, data, 3)
    texts = [row["text"] for rows in parts.values() for row in rows]
    assert len(texts) == len(set(texts)) == 200
    assert {part: len(rows) for part, rows in parts.items()} == {"test": 40, "seeds": 20, "dev": 60, "rest": 80}
    assert all(sum(row["label"] == "positive" for row in rows) * 2 == len(rows) for rows in parts.values())
    assert parts == s3_sets.cut(case, data, 3) != s3_sets.cut(case, data, 4)


def test_a_task_without_a_corpus_takes_the_rows_that_are_left_without_their_labels(data, monkeypatch, tmp_path):
    monkeypatch.setitem(s3_sets.CASES, "imdb", s3_sets.Case("imdb", "reviews.jsonl", dev=60, test=40, corpus=""))
    task = read_task(tmp_path / "project" / s3_sets.make_task(tmp_path / "project", "imdb", data, 0))
    assert (task.k_seeds, task.train) == (1, None)
    rows = [json.loads(line) for line in (tmp_path / "project" / "tasks" / "imdb-0" / "corpus.jsonl").read_text().splitlines()]
    assert len(rows) == 80 and set(rows[0]) == {"id", "text"}


@pytest.mark.parametrize("name", sorted({case.task for case in s3_sets.CASES.values()}))
def test_the_tasks_are_ones(name):
    task = read_task(ROOT / "benchmarks" / "tasks" / f"{name}.yml")
    fields = next(case.fields for case in s3_sets.CASES.values() if case.task == name)
    assert tuple(spec.name for spec in task.fields) == fields


def test_the_configs_are_ones_of_the_project(tmp_path):
    projects = {"real": s3_real.project_of(tmp_path / "real"), "llm": s3_llm.project_of(tmp_path / "llm")}
    small = s3_simulated.configs(s3_simulated.FULL)
    projects["simulated"] = s3_loops.make_project(tmp_path / "simulated", small, steps=100)
    for name, strategy in (("real", "s3"), ("llm", "llm"), ("simulated", "simulated")):
        settings = read_loop_settings(projects[name] / "configs" / f"loop.{name}.cfg")
        assert settings.loop.final == "last" and settings.stop.patience >= settings.loop.rounds
        path = projects[name] / "configs" / f"strategy.{strategy}.cfg"
        assert section(read_config(path), "plan", PlanSettings, path=path).controls.arms == ()


def test_gains_are_paired_by_draw_and_arms_that_were_not_run_are_left_out():
    loops = [
        {"start": {"test": 0.5, "rows": 10}, "loop": {"test": 0.6 + shift, "added": 4, "calls": 4}, "random": {"why": "not run"}}
        for shift in (0.0, 0.02)
    ]
    found = s3_loops.of_all(loops)
    assert found["gain_of_the_loop_over"]["start"]["draws"] == [0.1, 0.12] and "random" not in found["arms"]
    shown = s3_loops.table("case", found)
    assert "| case | loop | 61.0 | 4 | 4 |  |" in shown and "| case | start | 50.0 | 0 | 0 | +11.0 (" in shown

"""Where the first rows of a loop come from, and what of them may not be there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from loop_project import loop_config, walk, write_project
from made_loop import Plan, make_loop

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.loop.folder import _write_task
from spacy_synthesizrr.loop.running import run_loop
from spacy_synthesizrr.loop.settings import read_loop_settings
from spacy_synthesizrr.loop.split import SplitSettings, split_task, texts_of
from spacy_synthesizrr.loop.training import TrainRows
from spacy_synthesizrr.taskfile import read_task


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    path = tmp_path_factory.mktemp("starting") / "project"
    write_project(path)
    walk(path)
    return path


@pytest.fixture
def here(started, tmp_path, monkeypatch):
    shutil.copytree(started, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")


def adding(*names: str, name: str = "other", dry_run: bool = True, **changed: object):
    settings = read_loop_settings(loop_config(**changed))
    start = settings.start.model_copy(update={"additions": names})
    return run_loop(Context.open("news"), replace(settings, start=start), name=name, dry_run=dry_run)


def test_additions_that_were_written_after_rows_of_this_selection_part_are_left_out(here, capsys):
    adding(name="first", dry_run=False)
    adding("first", share=0.25)
    selection = {texts_of({"text": row["text"]}) for row in read_jsonl(Path("runs/other/selection.jsonl"), dict)}
    parents = {seed.id: texts_of(seed.fields) for seed in read_jsonl(Path("runs/first/loop-1/parents.jsonl"), Seed.from_dict)}
    there = list(read_jsonl(Path("runs/first/loop-1/accepted.jsonl"), Candidate.from_dict))
    added = {row.id for row in read_jsonl(Path("runs/other/start/additions.jsonl"), Candidate.from_dict)}
    held = {row.id for row in there if parents[row.seed_id] in selection}
    assert held and added == {row.id for row in there} - held
    assert f"{len(held)} additions of 'first' are left out" in Path("runs/other/start/log.txt").read_text()


def test_rounds_that_an_earlier_loop_left_are_no_additions(here):
    adding(name="first", dry_run=False, rounds=2)
    adding(name="first", dry_run=False, rounds=1)
    assert Path("runs/first/loop-2").is_dir()
    adding("first", share="null")
    added = [row.id for row in read_jsonl(Path("runs/other/start/additions.jsonl"), Candidate.from_dict)]
    assert added == [row.id for row in read_jsonl(Path("runs/first/loop-1/accepted.jsonl"), Candidate.from_dict)]


def test_a_loop_without_a_finished_round_has_no_additions_yet(here):
    adding(name="first")
    with pytest.raises(RunFolderError, match="The loop 'first' has no finished round yet.*Run it first"):
        adding("first")


def test_a_loop_cannot_start_from_its_own_additions(here):
    with pytest.raises(RunFolderError, match="'other' cannot start from its own additions.*--name"):
        adding("other")


def test_additions_of_another_task_are_refused(here):
    make_loop(Path("runs/strange"), Plan(skill={"start": [0.6], "loop": [0.7]}))
    with pytest.raises(RunFolderError, match="'strange' belong to another task: 'cooking'"):
        adding("strange")


def test_rows_that_are_too_like_those_of_the_starting_file_are_turned_away(here):
    shutil.copyfile("assets/news_demo/seeds.jsonl", "mine.jsonl")
    adding(name="mine", dry_run=False, rows="mine.jsonl")
    assert "runs/mine/start/starting.jsonl" in Path("runs/mine/loop-1/configs/curate.cfg").read_text()
    texts = [row["text"] for row in read_jsonl(Path("runs/mine/start/starting.jsonl"), dict)]
    assert texts == [row["text"] for row in read_jsonl(Path("mine.jsonl"), dict)]


def test_a_starting_run_that_goes_on_lends_no_passage_twice(here):
    adding(name="first", dry_run=False)
    walk(Path.cwd(), per_label=8)
    adding(name="first", dry_run=False)
    asked = [Path("runs/news/generated.jsonl"), Path("runs/first/loop-1/planned.jsonl")]
    used = [row.passage_id for path in asked for row in read_jsonl(path, Candidate.from_dict)]
    assert len(used) == len(set(used))


def test_an_error_row_that_equals_a_test_row_is_no_parent(here, tmp_path):
    task = read_task(Path("assets/news_demo"))
    shutil.copyfile("assets/news_demo/test.jsonl", "assets/news_demo/dev.jsonl")
    with Path("assets/news_demo/dev.jsonl").open("a") as file:
        file.writelines(f'{{"text": "{label} text {n} of its own", "label": "{label}"}}\n' for label in task.labels for n in range(8))
    places = {"error": tmp_path / "error.jsonl", "selection": tmp_path / "selection.jsonl"}
    about = split_task(task, SplitSettings(), seed=0, **places)
    tested = {row["text"] for row in read_jsonl(Path("assets/news_demo/test.jsonl"), dict)}
    assert not tested & {row["text"] for row in read_jsonl(places["error"], dict)}
    assert any("they equal a test row" in remark for remark in about["remarks"])


@pytest.mark.parametrize(("rows", "named"), [("train", "error.jsonl"), ("dev", "train.jsonl")])
def test_no_filter_of_a_round_reads_the_selection_part_as_train_rows(here, tmp_path, rows, named):
    shutil.copyfile("assets/news_demo/dev.jsonl", "assets/news_demo/train.jsonl")
    file = Path("assets/news_demo/task.yml")
    file.write_text(file.read_text() + "\ntrain: {path: train.jsonl}\n")
    _write_task(tmp_path, read_task(file), SplitSettings(rows=rows))
    train = read_task(tmp_path / "task.yml").file("train")
    assert train is not None and train.name == named


def test_an_error_that_is_trained_on_counts_with_its_text():
    one, two = (TrainRows(kept_errors=(LabelledRow({"text": text}, ("sport",), 7),)).about() for text in ("a", "b"))
    assert one != two


def test_the_additions_of_a_run_are_those_that_its_review_left(here):
    from argilla_bridge.commands import pull, push

    config = Path("configs/review.file.cfg")
    config.write_text(config.read_text().replace('unreviewed = "keep"', 'unreviewed = "drop"'))
    walk(Path.cwd(), run="seen", review="file")
    ctx = Context.open("seen")
    push(ctx)
    with pytest.raises(RunFolderError, match="pull"):
        adding("seen")
    pull(ctx)
    adding("seen")
    assert Path("runs/other/start/additions.jsonl").read_text() == ""

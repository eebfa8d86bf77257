"""Grid files: what they say, and the line of what is wrong in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT

from spacy_synthesizrr.ablations.changes import name_of, typed
from spacy_synthesizrr.ablations.grid import read_grid
from spacy_synthesizrr.errors import InputError

ARMS = "arms:\n  a: {per_label: 2}\n  b: {per_label: 4}\n"


def written(tmp_path: Path, text: str, name: str = "rows.yml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_arms_and_draws_make_runs_draw_by_draw(tmp_path):
    grid = read_grid(written(tmp_path, ARMS + "base: {seed: 7, teacher: scripted}\ndraws: [0, 1]\n"))
    assert [run.name for run in grid.runs()] == ["a.seed0", "b.seed0", "a.seed1", "b.seed1"]
    last = list(grid.runs())[-1].changes
    assert (last["seed"], last["per_label"], last["teacher"]) == (1, 4, "scripted")


def test_controls_are_left_out_unless_the_grid_wants_them(tmp_path):
    key = "strategy.plan.controls.arms"
    assert next(read_grid(written(tmp_path, ARMS)).runs()).changes[key] == []
    assert next(read_grid(written(tmp_path, ARMS + f"base: {{{key}: [gold]}}\n")).runs()).changes[key] == ["gold"]


def test_a_grid_is_every_combination(tmp_path):
    grid = read_grid(written(tmp_path, "grid: {strategy.plan.margin.on: [false, true], per_label: [2, 4]}\n"))
    names = [f"margin-{margin}_per_label-{rows}" for margin in ("off", "on") for rows in (2, 4)]
    assert [arm.name for arm in grid.arms] == names
    assert grid.baseline == "margin-off_per_label-2"


def test_draws_may_be_tasks(tmp_path):
    grid = read_grid(written(tmp_path, ARMS + "draws: {one: {task: tasks/one}, two: {task: tasks/two}}\n"))
    assert [(run.name, run.changes["task"]) for run in grid.runs()][2] == ("a.two", "tasks/two")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (ARMS + "basline: a\n", 4, "'basline' is an unknown key.*Did you mean 'baseline'"),
        (ARMS + "baseline: c\n", 4, "'baseline' is no arm. Valid: 'a', 'b'"),
        (ARMS + "base:\n  per_lable: 3\n", 5, "no var 'per_lable'. Did you mean 'per_label'"),
        ("arms:\n  a: {}\n  b:\n    stratgy.plan.hits: 3\n", 4, "no kind of config 'stratgy'. Did you mean 'strategy'"),
        ("arms:\n  a: {}\n  b:\n    curate: other\n", 4, "Values of configs have dotted paths"),
        ("arms:\n  a: {per_label: two}\n  b: {}\n", 2, "'per_label' must be a whole number .was: 'two'."),
        ("arms:\n  a: {task: 3}\n  b: {}\n", 2, "'task' must be a text"),
        ("arms:\n  a: {}\n  ../b: {}\n", 3, "cannot be the name of a folder"),
        ("arms:\n  a: {}\n", 1, "nothing to compare: 1 arm"),
        (ARMS + "grid: {per_label: [1, 2]}\n", None, "either 'arms' or 'grid'"),
        ("grid: {per_label: [2, 2]}\n", 1, "Two arms would be called 'per_label-2'"),
        (ARMS + "draws: []\n", 4, "'draws' is empty"),
        (ARMS + "metric: f1\n", 4, "'metric'"),
        ("- a\n", 1, "is a mapping"),
        ("arms: [\n", 2, "not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, line, message):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        read_grid(path)
    assert caught.value.line == line


def test_a_missing_file_names_those_that_are_there(tmp_path):
    written(tmp_path, ARMS)
    with pytest.raises(InputError, match=r"no grid file here.*Did you mean .*rows\.yml"):
        read_grid(tmp_path / "row.yml")


def test_a_name_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="Give another with `name:`"):
        read_grid(written(tmp_path, ARMS, "my rows.yml"))
    assert read_grid(written(tmp_path, ARMS + "name: mine\n", "my rows.yml")).name == "mine"


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("strategy.plan.margin.on", True, "margin-on"),
        ("curate.row_filters.near_copy.enabled", False, "near_copy-off"),
        ("strategy.plan.hits", 50, "hits-50"),
        ("strategy.plan.margin.keep", 0.5, "keep-0.5"),
        ("strategy.plan.leaks.similarity", None, "similarity-none"),
        ("strategy.plan.ranks", [1, 50], "ranks-1+50"),
        ("student", "bow", "student-bow"),
    ],
)
def test_arms_of_an_axis_have_names_that_say_what_they_change(key, value, name):
    assert name_of(key, value) == name


def test_vars_of_the_command_line_have_their_types():
    assert (typed("per_label", "20"), typed("task", "20")) == (20, "20")
    with pytest.raises(ValueError, match="whole number"):
        typed("seed", "one")
    with pytest.raises(ValueError, match="only vars"):
        typed("strategy.plan.hits", "3")


@pytest.mark.parametrize("path", sorted((ROOT / "grids").glob("*.yml")), ids=lambda path: path.stem)
def test_a_shipped_grid_asks_a_question_and_fits_the_shipped_configs(path, tmp_path, monkeypatch):
    from spacy_synthesizrr.ablations.derived import choices_of

    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    grid = read_grid(path)
    assert grid.spec.about.endswith("?")
    for run in grid.runs():
        assert choices_of(grid, run, {"task": "assets/news_demo"}).run == f"{path.stem}/{run.name}"

"""A grid from end to end: two arms on a project of two labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import small_grid

from spacy_synthesizrr.ablations.ablate import FIGURE, REPORT, TABLE, ablate, collect
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import BudgetReached, PlanError, RunFolderError, StudentError
from spacy_synthesizrr.receipts import RunFolder, locked
from spacy_synthesizrr.steps import synthesize, train

GRID = Path("rows.yml")
FOLDER = Path("runs/rows")
BESIDE = ("log.txt", ".lock", "fingerprints.json")  # what is no result


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project whose grid has run; tests only read it, or copy it."""
    path = small_grid.make(tmp_path_factory.mktemp("ablated") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        ablate(GRID, {})
    return path


@pytest.fixture
def done(made, tmp_path, monkeypatch):
    """A copy of that project as working directory."""
    shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def new(tmp_path, monkeypatch):
    """A project whose grid has not run."""
    monkeypatch.chdir(small_grid.make(tmp_path / "project"))


def report():
    return json.loads((FOLDER / REPORT).read_text())


def stamps(folder=FOLDER):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name not in BESIDE}


def test_every_arm_is_a_run_with_its_own_configs(done):
    for arm, per_label in (("few", 2), ("more", 4)):
        ctx = Context.open(f"rows/{arm}.seed0")
        assert (ctx.folder.name, ctx.settings["per_label"]) == (f"rows/{arm}.seed0", per_label)
        assert ctx.config_path("student").as_posix() == f"runs/rows/{arm}.seed0/configs/student.cfg"
        assert [*ctx.config("curate")["row_filters"]] == ["duplicate"]
        assert ctx.config_path("store").as_posix() == "configs/store.memory.cfg"


def test_arms_share_the_index_the_answers_and_the_account(done):
    contexts = [Context.open(f"rows/{arm}.seed0") for arm in ("few", "more")]
    assert len({json.loads(ctx.folder.file("index.json").read_text())["store"] for ctx in contexts}) == 1
    assert {ctx.shared for ctx in contexts} == {FOLDER}
    assert {ctx.scope for ctx in contexts} == {f"rows/{json.loads((FOLDER / 'grid.json').read_text())['id']}"}
    assert not list(FOLDER.glob("*/answers.sqlite"))


def test_the_document_has_every_run_and_a_paired_interval(done):
    few, more = report()["arms"]
    assert [arm["runs"][0]["rows"] for arm in (few, more)] == [4, 8]
    assert few["difference"] is None
    gap = more["difference"]
    assert gap["value"] == pytest.approx(more["score"]["mean"] - few["score"]["mean"])
    assert gap["low"] <= gap["value"] <= gap["high"]
    assert report()["test"] == [12]


def test_table_and_figure_name_every_arm(done):
    table, figure = (FOLDER / TABLE).read_text(), (FOLDER / FIGURE).read_text()
    assert "Do more rows help?" in table and "| few (baseline) |" in table and "| more " in table
    assert "too narrow" in table  # 12 test rows
    assert figure.startswith("<svg") and "few" in figure and "prefers-color-scheme:dark" in figure


def test_running_again_does_nothing(done):
    before = stamps()
    ablate(GRID, {})
    changed = {path for path, stamp in stamps().items() if before.get(path) != stamp}
    assert changed <= {FOLDER / TABLE, FOLDER / FIGURE}


def edited(old, new):
    text = GRID.read_text()
    assert old in text
    GRID.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{per_label: 2}", "{per_label: 3}"),
        ("{per_label: 2}", "{per_label: 2, curate.gate.max_share: 0.5}"),
        ("{per_label: 2}", "{per_label: 2, store.passages.max_words: 150}"),
    ],
)
def test_what_was_found_before_a_change_does_not_stand_in_the_table(done, old, new):
    edited(old, new)
    assert [arm["runs"][0].get("why") for arm in collect(GRID, {})["arms"]] == ["not done yet", None]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tiny/task.yml", "k_seeds: 1", "k_seeds: 2"),
        ("tiny/test.jsonl", "{", " {"),
        ("configs/strategy.synthesizrr.cfg", "hits = 50", "hits = 60"),
        ("configs/measure.cfg", "top = 10", "top = 9"),
    ],
)
def test_what_was_found_before_a_file_changed_does_not_stand_in_the_table(done, name, old, new):
    path = Path(name)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert {arm["runs"][0].get("why") for arm in collect(GRID, {})["arms"]} == {"not done yet"}


def test_what_was_found_is_collected_as_it_stands(done):
    before = report()
    assert collect(GRID, {}) == before and report() == before


def test_a_stop_leaves_no_old_result_of_a_changed_arm_in_the_table(done, monkeypatch):
    edited("  curate.row_filters: {", "  curate.gate.max_share: 0.5\n  curate.row_filters: {")
    whole = train.run
    monkeypatch.setattr(train, "run", lambda ctx: whole(ctx) if "few" in str(ctx.folder.path) else _raise(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        ablate(GRID, {})
    assert [arm["runs"][0].get("why") for arm in report()["arms"]] == [None, "not done yet"]


def test_two_arms_that_ask_for_the_same_are_told(new, capsys):
    edited("more: {per_label: 4, strategy.plan.margin.on: false}", "more: {per_label: 2, strategy.plan.margin.keep: 0.5}")
    ablate(GRID, {}, dry_run=True)
    assert "'more' asks for the same as 'few'" in capsys.readouterr().out


def test_draws_that_plan_the_same_rows_are_told_before_anybody_is_asked(new, capsys):
    GRID.write_text(GRID.read_text() + "draws: [0, 1]\n")
    ablate(GRID, {}, dry_run=True)
    said = capsys.readouterr().out
    assert "Mind: two draws of an arm plan up to" in said and said.index("Mind: two draws") < said.index("Together: About")


def test_dry_run_prices_every_run_and_asks_nothing(new, capsys):
    assert ablate(GRID, {}, dry_run=True) is None
    said = capsys.readouterr().out
    assert "few.seed0   About" in said and "more.seed0  About" in said and "Together: About" in said
    assert (FOLDER / "few.seed0/planned.jsonl").is_file()
    assert not list(FOLDER.glob("*/generated.jsonl"))


def test_what_was_finished_before_a_stop_is_not_done_again(new, made, monkeypatch):
    whole = train.run

    def stopped(ctx):
        if ctx.folder.path.name.startswith("more"):
            raise KeyboardInterrupt
        return whole(ctx)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(train, "run", stopped)
        ablate(GRID, {})
    assert [arm["runs"][0].get("why") for arm in report()["arms"]] == [None, "not done yet"]
    before = stamps(FOLDER / "few.seed0")
    ablate(GRID, {})
    assert stamps(FOLDER / "few.seed0") == before
    assert report()["arms"] == json.loads((made / FOLDER / REPORT).read_text())["arms"]


def test_an_arm_that_comes_to_nothing_is_told_and_the_others_go_on(done, monkeypatch):
    whole = train.run
    monkeypatch.setattr(train, "run", lambda ctx: whole(ctx) if "few" in str(ctx.folder.path) else _raise(StudentError("No row.")))
    shutil.rmtree(FOLDER / "more.seed0/receipts")
    found = ablate(GRID, {})
    assert [arm["runs"][0].get("why") for arm in found["arms"]] == [None, "No row."]
    assert "more.seed0: No row." in (FOLDER / TABLE).read_text()


def test_a_cap_stops_the_grid(new, monkeypatch, capsys):
    monkeypatch.setattr(synthesize, "run", lambda ctx: _raise(BudgetReached("enough")))
    with pytest.raises(BudgetReached):
        ablate(GRID, {})
    assert "few.seed0: stopped in 'synthesize'" in capsys.readouterr().out


def test_a_grid_of_which_nothing_can_be_planned_is_an_error(new):
    text = GRID.read_text().replace(
        "base:", "base:\n  strategy.plan.search: vector\n  strategy.plan.window: {kind: absolute, low: 0.99, high: 1.0}"
    )
    GRID.write_text(text)
    with pytest.raises(PlanError, match="No run of rows.yml could be planned"):
        ablate(GRID, {})


def test_two_processes_do_not_work_on_one_grid(done):
    with locked(RunFolder(FOLDER)), pytest.raises(RunFolderError, match="Another process"):
        ablate(GRID, {})


def test_a_run_is_not_taken_for_a_grid(new):
    FOLDER.mkdir(parents=True)
    (FOLDER / "inputs.json").write_text("{}")
    with pytest.raises(RunFolderError, match="is a run itself"):
        ablate(GRID, {})


def _raise(error):
    raise error

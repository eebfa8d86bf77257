"""A whole loop on the demo task: rounds, controls, stop rules, starting rows from elsewhere, and going on after a stop."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from loop_project import loop_config, walk, write_project

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError, InputError, RunFolderError
from spacy_synthesizrr.jsonl import read_json, read_jsonl, write_jsonl
from spacy_synthesizrr.loop.running import run_loop
from spacy_synthesizrr.loop.settings import read_loop_settings

LOOP = Path("runs/news-test")


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A project whose run "news" has come as far as `curate`; tests copy it."""
    path = tmp_path_factory.mktemp("loop") / "project"
    write_project(path)
    walk(path)
    return path


@pytest.fixture
def here(started, tmp_path, monkeypatch):
    shutil.copytree(started, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")


def loop(*, name: str = "news-test", dry_run: bool = False, **changed: object):
    return run_loop(Context.open("news"), read_loop_settings(loop_config(**changed)), name=name, dry_run=dry_run)


def candidates(path: str) -> list[Candidate]:
    return list(read_jsonl(LOOP / path, Candidate.from_dict))


@pytest.fixture(scope="module")
def finished(started, tmp_path_factory):
    """A loop of two rounds with all controls, done once; tests only read it."""
    path = tmp_path_factory.mktemp("finished") / "project"
    shutil.copytree(started, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        loop(rounds=2, controls='["goldgen", "random", "more-seed"]', per_error=2)
    return path


@pytest.fixture
def done(finished, monkeypatch):
    monkeypatch.chdir(finished)


def test_every_arm_makes_as_many_calls_and_no_more_rows_than_the_loop(done):
    found = read_json(LOOP / "ledger.json")
    assert [arm["name"] for arm in found["arms"]] == ["loop", "goldgen", "random", "more-seed"]
    own = found["arms"][0]["rounds"]
    for arm in found["arms"][1:]:
        assert [one["calls"] for one in arm["rounds"]] == [one["calls"] for one in own]
        assert [one["steps"] for one in arm["rounds"]] == [one["steps"] for one in own]
        assert all(one["rows"] <= mine["rows"] for one, mine in zip(arm["rounds"], own, strict=True))


def test_a_row_names_its_parent_and_keeps_its_gold_label(done):
    errors = {seed.id: seed for seed in read_jsonl(LOOP / "start/errors.jsonl", Seed.from_dict)}
    rows = candidates("loop-1/accepted.jsonl")
    assert rows
    for row in rows:
        assert row.seed_id in errors and row.labels == errors[row.seed_id].labels
        assert row.events[0].detail["round"] == 1
        assert set(errors[row.seed_id].predicted).isdisjoint(row.labels)


def test_no_passage_is_used_twice(done):
    first, second = (candidates(f"loop-{number}/planned.jsonl") for number in (1, 2))
    started = list(read_jsonl(Path("runs/news/generated.jsonl"), Candidate.from_dict))
    used = [row.passage_id for rows in (started, first, second) for row in rows]
    assert len(used) == len(set(used))


def test_the_selection_part_has_no_parent_and_no_error_row(done):
    lines = {part: {row["line"] for row in read_jsonl(LOOP / f"{part}.jsonl", dict)} for part in ("error", "selection")}
    assert not lines["error"] & lines["selection"]
    for arm in ("loop-1", "loop-2", "goldgen-1", "random-2"):
        assert {row["line"] for row in read_jsonl(LOOP / arm / "parents.jsonl", dict)} <= lines["error"]


def test_a_round_is_trained_on_what_was_there_and_what_it_adds(done):
    from spacy.vocab import Vocab

    from spacy_synthesizrr.students.export import ROW_ID, read_docs

    def ids(folder: str) -> set[str]:
        return {doc.user_data[ROW_ID] for doc in read_docs(LOOP / folder / "train.spacy", Vocab())}

    start, first, second = (ids(name) for name in ("start", "loop-1", "loop-2"))
    assert start < first < second
    assert first - start <= {row.id for row in candidates("loop-1/accepted.jsonl")}


def test_the_test_set_is_read_for_the_start_and_for_one_round_of_each_arm(done):
    tested = sorted(path.parent.name for path in LOOP.glob("*/evaluation.json"))
    assert tested == ["goldgen-2", "loop-2", "more-seed-2", "random-2", "start"]


def test_more_seed_goes_on_with_the_plan_of_the_run(done):
    planned = [row.id for row in read_jsonl(Path("runs/news/planned.jsonl"), Candidate.from_dict)]
    asked = {row.id for row in read_jsonl(Path("runs/news/generated.jsonl"), Candidate.from_dict)}
    more = [row.id for number in (1, 2) for row in candidates(f"more-seed-{number}/planned.jsonl")]
    assert set(more) <= set(planned) - asked and len(more) == len(set(more))


def test_a_second_call_does_nothing_and_leaves_the_same_ledger(finished, tmp_path, monkeypatch):
    shutil.copytree(finished, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    before = (LOOP / "ledger.json").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in LOOP.glob("*/receipts/*.json")}
    loop(rounds=2, controls='["goldgen", "random", "more-seed"]', per_error=2)
    assert (LOOP / "ledger.json").read_bytes() == before
    assert {path: path.stat().st_mtime_ns for path in LOOP.glob("*/receipts/*.json")} == times


def test_the_settings_of_the_trace_work_on_a_round(done, capsys):
    from spacy_synthesizrr.trace import trace

    row = candidates("loop-1/accepted.jsonl")[0]
    text = trace(Context.open("news-test/loop-1"), row.id)
    parent = {seed.id: seed for seed in read_jsonl(LOOP / "loop-1/parents.jsonl", Seed.from_dict)}[row.seed_id]
    assert parent.fields["text"][:40] in text


def test_the_budget_of_calls_ends_the_loop(here):
    loop(rounds=3, calls=8, max="null")
    found = read_json(LOOP / "ledger.json")
    assert sum(one["calls"] for one in found["arms"][0]["rounds"]) <= 8
    assert read_json(LOOP / "loop.json")["stopped"] == "the budget of calls is spent"


def test_passages_among_labelled_rows_of_other_labels_are_turned_away_before_they_are_asked_for(here):
    loop(neighbours=9, max="null")
    plan = read_json(LOOP / "loop-1/plan.json")
    assert plan["turned_away"]["neighbours"] > 0
    assert {row.id for row in candidates("loop-1/planned.jsonl")} == {row.id for row in candidates("loop-1/generated.jsonl")}


def test_no_gain_ends_the_loop(here, monkeypatch):
    from spacy_synthesizrr.loop.rounds import Round

    monkeypatch.setattr(Round, "score", property(lambda self: 0.5))
    loop(rounds=3, patience=1)
    assert read_json(LOOP / "loop.json")["stopped"] == "a round without a gain on the selection part"
    assert not (LOOP / "loop-2").exists()


def test_the_best_round_is_the_result_where_that_is_asked_for(here, monkeypatch):
    from spacy_synthesizrr.loop.rounds import Round

    monkeypatch.setattr(Round, "score", property(lambda self: {0: 0.5, 1: 0.7, 2: 0.6}[self.number]))
    loop(rounds=2, final="best")
    assert read_json(LOOP / "loop.json")["result"] == 1


def test_a_dry_run_asks_nothing(here, capsys):
    assert loop(dry_run=True) is None
    assert (LOOP / "loop-1/planned.jsonl").is_file() and not (LOOP / "loop-1/generated.jsonl").exists()
    assert "The first round takes 6 errors" in capsys.readouterr().out


def test_rows_of_a_file_can_be_the_start(here):
    shutil.copyfile("assets/news_demo/seeds.jsonl", "mine.jsonl")
    loop(rows="mine.jsonl", controls='["goldgen", "more-seed"]')
    found = read_json(LOOP / "ledger.json")
    assert found["start"]["rows"] == 48
    assert [arm["why"] for arm in found["arms"]][-1].startswith("not run: the starting rows come from a file")


def test_a_file_of_rows_that_is_not_there_is_named(here):
    with pytest.raises(InputError, match=r"none\.jsonl.*start"):
        loop(rows="none.jsonl")


def test_the_additions_of_a_loop_can_be_added_to_other_rows(here):
    from dataclasses import replace

    loop()
    added = len(candidates("loop-1/accepted.jsonl"))
    settings = read_loop_settings(loop_config(rows="mine.jsonl"))
    shutil.copyfile("assets/news_demo/seeds.jsonl", "mine.jsonl")
    start = settings.start.model_copy(update={"additions": ("news-test",)})
    run_loop(Context.open("news"), replace(settings, start=start), name="other")
    assert read_json(Path("runs/other/ledger.json"))["start"]["rows"] == 48 + added


def test_additions_of_nobody_are_refused_with_those_there_are(here):
    from dataclasses import replace

    settings = read_loop_settings(loop_config())
    start = settings.start.model_copy(update={"additions": ("nobody",)})
    with pytest.raises(RunFolderError, match="no additions of 'nobody'.*news"):
        run_loop(Context.open("news"), replace(settings, start=start), name="other")


def test_errors_are_trained_on_where_that_is_asked_for(here):
    loop(keep="true", per_error=1)
    found = read_json(LOOP / "ledger.json")["arms"][0]["rounds"][0]
    parents = len(list(read_jsonl(LOOP / "loop-1/parents.jsonl", dict)))
    assert found["added"] == found["accepted"]["rows"] + parents


def test_errors_that_choose_models_are_never_trained_on(here):
    with pytest.raises(ConfigError, match=r"keep_errors_in_train = true .* share = null"):
        loop(keep="true", share="null")


def test_the_paper_lets_the_same_rows_do_both_and_the_ledger_says_so(here):
    loop(share="null")
    found = read_json(LOOP / "ledger.json")
    assert found["parts"]["error"] == found["parts"]["selection"] and not found["parts"]["split"]
    assert found["arms"][0]["rounds"][0]["selection"]["optimistic"]


def test_a_run_that_is_not_finished_cannot_be_the_start(here):
    Path("runs/news/receipts/curate.json").unlink()
    with pytest.raises(RunFolderError, match="curate"):
        loop()


def test_the_folder_of_a_run_is_not_taken(here):
    with pytest.raises(RunFolderError, match="'news' is a run"):
        loop(name="news")


def test_a_strategy_without_passages_cannot_refine_any(here):
    walk(Path.cwd(), run="plain", teacher="scripted", strategy="fewgen")
    with pytest.raises(ConfigError, match='with = "retrieval".*fewgen.*with = "text"'):
        run_loop(Context.open("plain"), read_loop_settings(loop_config()), name="plain-test")


def test_a_teacher_that_only_copies_cannot_write_after_an_error(here):
    from spacy_synthesizrr.errors import TeacherError

    with pytest.raises(TeacherError, match=r'loop.test.cfg: \[extrapolate\] with = "text".*only copies.*with = "retrieval"'):
        loop(how="text")
    assert not (LOOP / "start").exists()  # no student was trained for nothing


def test_another_label_in_confusions_is_refused_before_work(here):
    path = loop_config(confusions='[["sport", "sports"]]')
    with pytest.raises(ConfigError, match="no label 'sports'"):
        run_loop(Context.open("news"), read_loop_settings(path), name="news-test")
    assert not LOOP.exists()


def test_a_slip_in_the_config_names_the_key(here):
    path = loop_config()
    path.write_text(path.read_text().replace("per_error", "per_eror"))
    with pytest.raises(ConfigError, match=r"\[extrapolate\] unknown key 'per_eror'.*per_error"):
        read_loop_settings(path)


def test_a_row_of_a_bad_starting_file_is_named_with_its_line(here):
    rows = list(read_jsonl(Path("assets/news_demo/seeds.jsonl"), dict))
    rows[3]["label"] = "sports"
    write_jsonl(Path("mine.jsonl"), rows)
    with pytest.raises(InputError, match=r"mine\.jsonl.*4.*sports"):
        loop(rows="mine.jsonl")
    assert json.loads(Path("runs/news-test/loop.json").read_text())["v"] == 1


def test_the_rows_of_more_seed_know_the_reasons_that_they_are_written_from(here):
    walk(Path.cwd(), run="reasons", teacher="scripted", strategy="s3-seed")
    settings = read_loop_settings(loop_config(how="text", max=2, controls='["more-seed"]'))
    run_loop(Context.open("reasons"), settings, name="news-test")
    planned = candidates("more-seed-1/planned.jsonl")
    assert planned and all(row.rationales for row in planned)
    assert len(candidates("more-seed-1/generated.jsonl")) == len(planned)


def nothing_in(monkeypatch, *folders: str) -> None:
    """Let nothing be left to ask for in some rounds."""
    from spacy_synthesizrr.loop import running
    from spacy_synthesizrr.loop.planning import NothingToAsk

    really = running.extrapolate

    def plan(loop, ctx, store, parents, **more):
        if ctx.folder.path.name in folders:
            raise NothingToAsk("nothing there")
        return really(loop, ctx, store, parents, **more)

    monkeypatch.setattr(running, "extrapolate", plan)


def test_a_round_for_which_nothing_is_left_ends_the_loop_and_what_was_done_counts(here, monkeypatch):
    nothing_in(monkeypatch, "loop-2")
    found = loop(rounds=3, controls='["random"]')
    assert [len(arm["rounds"]) for arm in found["arms"]] == [1, 1]
    assert found["stopped"] == "nothing is left that could be asked for"


def test_a_control_for_which_nothing_is_left_is_named_and_the_others_go_on(here, monkeypatch):
    nothing_in(monkeypatch, "goldgen-1", "random-2")
    found = loop(rounds=2, controls='["goldgen", "random"]')
    assert [len(arm["rounds"]) for arm in found["arms"]] == [2, 0, 1]
    goldgen, random = found["differences"][1:]
    assert goldgen["why"] == "not run: nothing is left that could be asked for"
    assert random["rounds"] == [2, 1] and random["short"]["calls"] > 0 and random["test"] is not None


def test_a_loop_without_any_round_for_want_of_passages_is_an_error(here, monkeypatch):
    from spacy_synthesizrr.errors import PlanError

    nothing_in(monkeypatch, "loop-1")
    with pytest.raises(PlanError, match="nothing there"):
        loop()


def test_a_control_of_an_earlier_loop_does_not_count_where_it_cannot_be_run_now(here):
    loop(controls='["more-seed"]')
    shutil.copyfile("assets/news_demo/seeds.jsonl", "mine.jsonl")
    found = loop(rows="mine.jsonl", controls='["more-seed"]')
    assert found["arms"][1]["rounds"] == [] and found["arms"][1]["why"].startswith("not run: the starting rows come from a file")


def test_the_commands_that_make_a_round_again_are_those_of_its_loop(done):
    from spacy_synthesizrr.steps.reproduce import lock, told

    found = lock("news-test/loop-1")
    assert found["commands"] == ["synthesizrr loop --run news --loop configs/loop.test.cfg --name news-test"]
    assert found["grid"] is None and any("synthesizrr reproduce news" in line for line in told(found))

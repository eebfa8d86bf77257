"""Several kinds of student on the rows and on every control."""

from __future__ import annotations

import json
import shutil

import pytest
from student_run import StudentRun

from spacy_synthesizrr.errors import ConfigError, RunFolderError
from spacy_synthesizrr.receipts import fresh, locked
from spacy_synthesizrr.steps import export, train
from spacy_synthesizrr.steps.compare import compare


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run that was trained and compared with one more kind; tests only read it, or copy it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        run = StudentRun.make(tmp_path_factory.mktemp("compared"))
        monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: run.store)
        run.accept(8)
        ctx = run.ready()
        export.run(ctx)
        train.run(ctx)
        config = ctx.config_path("student")
        text = config.read_text(encoding="utf-8")
        config.with_name("student.other.cfg").write_text(text.replace("learn_rate = 0.001", "learn_rate = 0.01"), encoding="utf-8")
        before = stamps(run, "training")
        compare(ctx, ["bow", "other", "bow"])
        assert stamps(run, "training") == before
    return run


def stamps(run, name):
    return {path: path.stat().st_mtime_ns for path in run.folder.file(name).rglob("*") if path.is_file()}


@pytest.fixture
def again(done, tmp_path, monkeypatch):
    run = done.copy(tmp_path)
    monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: run.store)
    return run


def test_every_kind_has_every_arm_once(done):
    found = done.json("compare.json")
    assert [one["student"] for one in found["students"]] == ["bow", "other"]
    for one in found["students"]:
        assert [arm["name"] for arm in one["arms"] if arm["run"]] == ["main", "seed-only", "retrieve-only"]
        assert all(arm["test"] and arm["rows"] for arm in one["arms"] if arm["run"])


def test_arms_of_a_kind_take_the_same_number_of_steps(done):
    for one in done.json("compare.json")["students"]:
        assert len({arm["steps"] for arm in one["arms"] if arm["run"]}) == 1


def test_run_stays_as_train_left_it(done):
    assert fresh(done.folder, "train")
    assert sorted(path.name for path in done.folder.file("compare").iterdir()) == ["other"]


def test_nothing_is_trained_twice(again):
    before = stamps(again, "compare")
    compare(again.ready(), ["other"])
    assert stamps(again, "compare") == before


def test_students_that_train_did_not_make_are_not_put_among_its_own(again):
    shutil.rmtree(again.folder.file("training/main"))
    left = stamps(again, "training")
    compare(again.ready(), ["bow"])
    assert stamps(again, "training") == left
    assert again.folder.file("compare/bow/main/0/training.json").is_file()


@pytest.mark.parametrize(("kinds", "message"), [(["bw"], "no student 'bw'.*bow"), ([], "nothing to compare")])
def test_what_cannot_be_compared_is_told_before_anything_is_written(again, kinds, message):
    before = again.json("compare.json")
    with pytest.raises(ConfigError, match=message):
        compare(again.ready(), kinds)
    assert again.json("compare.json") == before


def test_kind_that_cannot_be_built_is_told_before_any_other_is_trained(again):
    ctx = again.ready()
    config = ctx.config_path("student")
    text = config.read_text(encoding="utf-8")
    config.with_name("student.fast.cfg").write_text(text.replace("learn_rate = 0.001", "learn_rate = 0.02"), encoding="utf-8")
    config.with_name("student.odd.cfg").write_text(text.replace("TextCatBOW.v3", "TextCatBOW.v99"), encoding="utf-8")
    with pytest.raises(ConfigError, match="spaCy refuses"):
        compare(ctx, ["fast", "odd"])
    assert not again.folder.file("compare/fast").exists()


def test_stale_export_is_not_compared(again):
    ctx = again.ready()
    again.folder.receipt_path("export").write_text(
        json.dumps({**again.folder.receipt("export"), "after": {"curate": "another"}}), encoding="utf-8"
    )
    with pytest.raises(RunFolderError, match="older than what it was made from"):
        compare(ctx, ["bow"])


def test_run_that_another_process_works_on_is_left_alone(again):
    ctx = again.ready()
    with locked(again.folder), pytest.raises(RunFolderError, match="Another process"):
        compare(ctx, ["bow"])

"""The step `train`: all arms and seeds, the same number of steps, resumable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest
import spacy
from student_run import StudentRun

from spacy_synthesizrr.errors import StudentError
from spacy_synthesizrr.steps import export, train


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A run with two training seeds, exported when asked."""
    return make(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run that has been trained; tests only read it, or copy it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        run = make(tmp_path_factory.mktemp("trained"), monkeypatch)
        train.run(exported(run))
    return run


@pytest.fixture
def again(done, tmp_path, monkeypatch):
    """A copy of the trained run, to be changed and run again."""
    run = done.copy(tmp_path)
    monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: run.store)
    return run


def make(path, monkeypatch):
    run = StudentRun.make(path)
    monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: run.store)
    run.accept(8)
    run.accept(2, arm="random")
    return run


def exported(run, **settings):
    ctx = run.ready(**settings)
    export.run(ctx)
    return ctx


def test_every_arm_takes_the_same_number_of_steps(done):
    arms = [arm for arm in done.json("student.json")["arms"] if arm["run"]]
    assert [arm["name"] for arm in arms] == ["main", "seed-only", "retrieve-only", "random"]
    assert {arm["rows"] for arm in arms} == {16, 4}
    logged = {json.loads(path.read_text())["steps"] for path in done.folder.file("training").rglob("training.json")}
    assert logged == {arm["steps"] for arm in arms} == {51}


def test_every_arm_has_k_seeds_with_mean_and_deviation(done):
    for arm in done.json("student.json")["arms"]:
        assert [seed["seed"] for seed in arm["seeds"]] == ([0, 1] if arm["run"] else [])
        assert (arm["dev"] is not None) == arm["run"]


def test_student_is_the_main_arms_best_on_dev(done):
    found = done.json("student.json")
    scores = {seed["seed"]: seed["dev"] for seed in found["arms"][0]["seeds"]}
    assert found["chosen"] == {"arm": "main", "seed": max(scores, key=lambda seed: (scores[seed], -seed)), "dev": max(scores.values())}
    chosen = spacy.load(done.folder.file(f"training/main/{found['chosen']['seed']}"))
    assert spacy.load(done.folder.file("student"))("The coach.").cats == chosen("The coach.").cats


def test_student_says_what_it_is(done):
    meta = spacy.load(done.folder.file("student")).meta
    assert meta["name"] == "news_test"
    assert meta["synthesizrr"]["labels"] == ["sport", "business"]
    assert (meta["synthesizrr"]["task"], meta["synthesizrr"]["run"]) == ("News.Test", "r")


def test_arm_that_was_not_run_keeps_its_reason(done):
    assert done.arm("student.json", "gold")["why"] == "not run: the task names no train file"


def test_second_run_does_nothing_and_training_again_gives_the_same_receipt(again):
    ctx = exported(again)
    first = again.json("receipts/train.json")
    assert not train.run(ctx)
    again.folder.receipt_path("train").unlink()
    for path in again.folder.file("training").rglob("training.json"):
        path.unlink()
    assert train.run(ctx)
    assert again.json("receipts/train.json") == first


def test_only_missing_students_are_trained_again(again):
    ctx = exported(again)
    kept = again.folder.file("training/main/0/textcat/model")
    before = kept.stat().st_mtime_ns
    gone = again.folder.file("training/random/1")
    for path in sorted(gone.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert train.run(ctx)
    assert kept.stat().st_mtime_ns == before
    assert (gone / "training.json").is_file()


def test_killed_training_goes_on_where_it_was(made, tmp_path):
    exported(made)
    script = tmp_path / "kill.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, sys
            from spacy_synthesizrr.steps import train
            from spacy_synthesizrr.context import Context
            from spacy_synthesizrr.students import train as students

            train_loop, seen = students.train_loop, []

            def kill_in_the_third(nlp, place, **options):
                found = train_loop(nlp, place, **options)
                seen.append(place)
                if len(seen) == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
                return found

            students.train_loop = kill_in_the_third
            train.run(Context.open(sys.argv[1]))
            """
        )
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, str(script), str(made.folder.path)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    finished = {path: path.stat().st_mtime_ns for path in made.folder.file("training").glob("*/[0-9]*/training.json")}
    assert len(finished) == 2
    assert train.run(made.ready())
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert len(list(made.folder.file("training").glob("*/*"))) == 8


def test_other_rows_train_every_affected_arm_again_and_no_other(again):
    stamps = {name: again.folder.file(f"training/{name}/0/training.json").stat().st_mtime_ns for name in ("main", "random")}
    again.accept(3, arm="random")
    assert train.run(exported(again))
    after = {name: again.folder.file(f"training/{name}/0/training.json").stat().st_mtime_ns for name in stamps}
    assert after["main"] == stamps["main"] and after["random"] > stamps["random"]


def test_students_that_nobody_asks_for_any_more_go(again):
    again.task.write_text(again.task.read_text().replace("k_seeds: 2", "k_seeds: 1"))
    train.run(exported(again))
    assert sorted(path.name for path in again.folder.file("training").glob("main/*")) == ["0"]


def test_label_without_rows_stops_before_anything_is_trained(made):
    made.accept(4, labels=["sport"])
    with pytest.raises(StudentError, match="All 4 accepted rows have the label 'sport'"):
        train.run(exported(made))
    assert not made.folder.file("training").exists()


def test_missing_gpu_stops_before_anything_is_trained(made):
    with pytest.raises(StudentError, match="no GPU 97"):
        train.run(exported(made, gpu_id=97))


def test_without_dev_rows_the_last_model_is_kept_and_that_is_said(made, capsys):
    made.without("dev")
    train.run(exported(made))
    found = made.json("student.json")
    assert (found["selected_on"], found["chosen"], found["arms"][0]["dev"]) == ("last step", {"arm": "main", "seed": 0, "dev": None}, None)
    assert "no dev rows" in capsys.readouterr().out


def test_training_prints_nothing_of_spacys_own(made, capfd):
    ctx = exported(made)
    capfd.readouterr()
    train.run(ctx)
    assert capfd.readouterr() == ("", "")


def test_german_student_uses_german_tokens(made):
    train.run(exported(made, lang="de"))
    assert spacy.load(made.folder.file("student")).lang == "de"


def test_runs_with_neighbouring_seeds_train_with_other_seeds():
    seeds = [seed for run in range(5) for seed in train.training_seeds(run, 100)]
    assert [*train.training_seeds(0, 3)] == [0, 1, 2] and len({*seeds}) == 500
    assert max(train.training_seeds(2**40, 100)) < 2**32
